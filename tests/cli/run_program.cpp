#include "tests/cli/run_program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "tests/support/tiny_model.h"

extern char** environ;

namespace thimble::testing {

Ran run_program(const std::vector<std::string>& arguments, int interrupt_after_ms) {
  static int serial = 0;
  const auto capture = std::filesystem::temp_directory_path() / fmt::format("thimble_ran_{}_{}", ::getpid(), ++serial);
  const std::string out = capture.string() + ".out", err = capture.string() + ".err";
  std::vector<char*> argv{const_cast<char*>(THIMBLE_PROGRAM)};
  for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = 0;
  const int failed = posix_spawn(&child, THIMBLE_PROGRAM, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " THIMBLE_PROGRAM);
  if (interrupt_after_ms > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(interrupt_after_ms));
    ::kill(child, SIGINT);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  Ran ran{WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), read_file(out), read_file(err)};
  std::filesystem::remove(out);
  std::filesystem::remove(err);
  return ran;
}

Workplace::Workplace()
    : folder_(std::filesystem::temp_directory_path() / fmt::format("thimble cli {}", ::getpid())),
      before_(std::filesystem::current_path()) {
  std::filesystem::remove_all(folder_);
  std::filesystem::create_directory(folder_);
  std::filesystem::current_path(folder_);
  write_tiny_model("tiny.safetensors");
  ::setenv("THIMBLE_MODEL", "tiny.safetensors", 1);
}

Workplace::~Workplace() {
  std::filesystem::current_path(before_);
  std::filesystem::remove_all(folder_);
}

std::vector<std::string> Workplace::files() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename() != "tiny.safetensors") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace thimble::testing
