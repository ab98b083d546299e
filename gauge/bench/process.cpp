#include "gauge/bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"

extern char** environ;

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostOutput = std::size_t{64} << 20;

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) fail(ErrorKind::io, "no pipe: {}", std::strerror(errno));
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int i) {
    if (ends[i] >= 0) close(ends[i]);
    ends[i] = -1;
  }
};

// False at the end of the stream.
bool take(int fd, std::string& into) {
  char buffer[65536];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n <= 0) return n < 0 && errno == EINTR;
  if (into.size() < kMostOutput) into.append(buffer, static_cast<std::size_t>(n));
  return true;
}

}  // namespace

Finished run_process(const std::vector<std::string>& command, const CancelToken* cancel) {
  std::vector<char*> argv;
  for (const std::string& w : command) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  Pipe out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  pid_t child = -1;
  const int e = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (e != 0) fail(ErrorKind::io, "{} cannot be started: {}", command[0], std::strerror(e));
  out.close_end(1);
  err.close_end(1);

  Finished f;
  bool killed = false;
  pollfd streams[2] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (cancel != nullptr && cancel->cancelled() && !killed) {
      kill(child, SIGTERM);
      killed = true;
    }
    if (poll(streams, 2, 100) <= 0) continue;
    if (streams[0].revents != 0 && !take(out.ends[0], f.out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !take(err.ends[0], f.err)) streams[1].fd = -1;
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (cancel != nullptr) cancel->throw_if_cancelled();
  f.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return f;
}

}  // namespace thimble::gauge
