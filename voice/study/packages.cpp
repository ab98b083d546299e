#include "voice/study/packages.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"

extern char** environ;

namespace thimble::voice {
namespace fs = std::filesystem;
namespace {

std::string last_line(const fs::path& log) {
  std::string text = read_file(log, 1 << 20);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t end = text.rfind('\n');
  return end == std::string::npos ? text : text.substr(end + 1);
}

// Runs a program without a shell in `folder`; on failure its last words go into the error.
void run_program(std::vector<std::string> words, const fs::path& folder, const CancelToken& cancel) {
  const std::string program = words.front(), log = (folder / ".log").string();
  std::vector<char*> arguments;
  for (std::string& w : words) arguments.push_back(w.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    fail(ErrorKind::io, "{} cannot be started ({}); the corpus is made of Debian packages and needs a Debian system",
         program, std::strerror(failed));
  }
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (cancel.cancelled()) {
      ::kill(child, SIGTERM);
      ::waitpid(child, &status, 0);
      cancel.throw_if_cancelled();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail(ErrorKind::io, "{} failed: {}", program, last_line(log));
  }
  fs::remove(log);
}

// NAME_VERSION_ARCH.deb, as apt-get names what it fetches; a colon in the version is written %3a.
fs::path find_archive(const DebianPackage& package, const fs::path& folder) {
  std::string version(package.version);
  if (const std::size_t colon = version.find(':'); colon != std::string::npos) version.replace(colon, 1, "%3a");
  const std::string start = fmt::format("{}_{}_", package.name, version);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(start) && name.ends_with(".deb")) return entry.path();
  }
  return {};
}

struct TemporaryFolder {
  fs::path path;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

}  // namespace

fs::path unpacked_package(const DebianPackage& package, const fs::path& root, const CancelToken& cancel) {
  const fs::path archives = root / "packages";
  const fs::path unpacked = root / "unpacked" / fmt::format("{}_{}", package.name, package.version);
  if (fs::exists(unpacked)) return unpacked;
  fs::create_directories(archives);
  fs::create_directories(root / "unpacked");

  const std::string wanted = fmt::format("{}={}", package.name, package.version);
  fs::path archive = find_archive(package, archives);
  if (archive.empty()) {
    with_context(fmt::format("fetching {}; the package lists may be old (apt-get update)", wanted), [&] {
      run_program({"apt-get", "download", "--quiet", wanted}, archives, cancel);
    });
    archive = find_archive(package, archives);
    if (archive.empty()) fail(ErrorKind::io, "apt-get fetched no archive of {}", wanted);
  }
  if (const std::string hash = sha256(MappedFile::open(archive)->bytes());
      !package.sha256.empty() && hash != package.sha256) {
    fail(ErrorKind::bad_file, "{} is not the expected archive: SHA-256 {}, {} was wanted; remove it to fetch it again",
         archive.string(), hash, package.sha256);
  }
  const TemporaryFolder part{root / "unpacked" / fmt::format("{}.part{}", package.name, ::getpid())};
  fs::create_directories(part.path);
  run_program({"dpkg-deb", "-x", fs::absolute(archive).string(), "."}, part.path, cancel);
  fs::rename(part.path, unpacked);
  return unpacked;
}

}  // namespace thimble::voice
