// Our own bounded fuzzer: mutates a small corpus with a seed for some seconds. No coverage feedback, so it is no
// replacement for libFuzzer over days; it needs no special compiler and finds again what broke once.
//
//   fuzz_safetensors [--seconds N] [--runs N] [--seed S] [--corpus DIR] [--save DIR]
//   fuzz_safetensors --write-seeds DIR        the built-in corpus, for libFuzzer
//   fuzz_safetensors FILE...                  runs these inputs only
//
// An input that ends the process, takes longer than 20 s or more than 4 GiB is saved as crash-<target>-<seed>-<run>.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "base/file.h"
#include "base/rng.h"
#include "tests/fuzz/mutate.h"
#include "tests/fuzz/target.h"

// Set by the sanitizers' run time where it is linked; they end the process without a signal.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using thimble::ErrorKind;

constexpr std::size_t kMaxInput = std::size_t{1} << 20;
constexpr unsigned kSecondsPerInput = 20;
constexpr rlim_t kMaxMemory = rlim_t{4} << 30;

// What the handlers below may use: plain memory only.
const char* current_data = nullptr;
std::size_t current_size = 0;
char crash_path[512];

void say(const char* text) { static_cast<void>(!::write(STDERR_FILENO, text, std::strlen(text))); }

void save_current() {
  if (crash_path[0] == '\0') return;  // the input is a file already
  const int fd = ::open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0) {
    static_cast<void>(!::write(fd, current_data, current_size));
    ::close(fd);
  }
  say("\nthe input was saved as ");
  say(crash_path);
  say("\n");
}

void on_signal(int number) {
  if (number == SIGALRM) say("\none input took too long");
  save_current();
  std::signal(number, SIG_DFL);
  ::raise(number);
}

void install_handlers() {
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM}) std::signal(number, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(save_current);
#ifndef __SANITIZE_ADDRESS__  // its shadow memory takes terabytes of address space
  const rlimit limit{kMaxMemory, kMaxMemory};
  ::setrlimit(RLIMIT_AS, &limit);
#endif
}

struct Options {
  double seconds = 10;
  std::uint64_t runs = ~std::uint64_t{0};
  std::uint64_t seed = 1;
  std::filesystem::path corpus, save = ".", write_seeds;
  std::vector<std::filesystem::path> files;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (!arg.starts_with("--")) {
      options.files.emplace_back(arg);
      continue;
    }
    if (i + 1 == argc) thimble::fail(ErrorKind::bad_input, "{} needs a value", arg);
    const std::string value = argv[++i];
    if (arg == "--seconds") {
      options.seconds = std::stod(value);
    } else if (arg == "--runs") {
      options.runs = std::stoull(value);
    } else if (arg == "--seed") {
      options.seed = std::stoull(value);
    } else if (arg == "--corpus") {
      options.corpus = value;
    } else if (arg == "--save") {
      options.save = value;
    } else if (arg == "--write-seeds") {
      options.write_seeds = value;
    } else {
      thimble::fail(ErrorKind::bad_input, "unknown option {}", arg);
    }
  }
  return options;
}

void run_one(const std::string& input) {
  current_data = input.data();
  current_size = input.size();
  ::alarm(kSecondsPerInput);
  // An exact copy on the heap, so that a read past the end is seen by the sanitizers.
  const std::vector<std::uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  ::alarm(0);
}

std::vector<std::string> corpus_of(const Options& options) {
  std::vector<std::string> corpus = thimble::fuzz::seeds();
  if (options.corpus.empty()) return corpus;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(options.corpus)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) corpus.push_back(thimble::read_file(path, kMaxInput));
  return corpus;
}

void set_crash_path(const Options& options, const std::string& target, std::uint64_t run) {
  const std::string name = fmt::format("crash-{}-{}-{}", target, options.seed, run);
  std::snprintf(crash_path, sizeof(crash_path), "%s", (options.save / name).c_str());
}

int fuzz(const Options& options, const std::string& target) {
  const std::vector<std::string> corpus = corpus_of(options);
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  std::uint64_t run = 0;
  for (; run < corpus.size(); ++run) {
    set_crash_path(options, target, run);
    const std::size_t before = thimble::fuzz::accepted;
    run_one(corpus[run]);
    // A seed that is refused would leave everything behind the refusal untried.
    if (run < thimble::fuzz::seeds().size() && thimble::fuzz::accepted == before) {
      thimble::fail(ErrorKind::internal, "{}: built-in seed {} is refused", target, run);
    }
  }
  for (; run < options.runs && seconds() < options.seconds; ++run) {
    set_crash_path(options, target, run);
    thimble::Rng rng(options.seed, run);  // a run depends on seed and number alone
    run_one(thimble::fuzz::mutate(corpus[rng.below(corpus.size())], corpus, rng, kMaxInput));
  }
  fmt::print("{}: {} inputs ({} accepted), seed {}, {:.1f} s, nothing found\n", target, run, thimble::fuzz::accepted,
             options.seed, seconds());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Options options = parse_options(argc, argv);
    const std::string target = std::filesystem::path(argv[0]).filename().string();
    if (!options.write_seeds.empty()) {
      std::filesystem::create_directories(options.write_seeds);
      const auto seeds = thimble::fuzz::seeds();
      for (std::size_t i = 0; i < seeds.size(); ++i) {
        thimble::write_file(options.write_seeds / fmt::format("seed-{:02d}", i), seeds[i]);
      }
      return 0;
    }
    install_handlers();
    if (options.files.empty()) return fuzz(options, target);
    for (const auto& path : options.files) {
      fmt::print(stderr, "{}\n", path.string());
      run_one(thimble::read_file(path, kMaxInput));
    }
    fmt::print("{}: {} files, nothing found\n", target, options.files.size());
    return 0;
  } catch (const thimble::Error& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return 2;
  } catch (const std::logic_error&) {
    fmt::print(stderr, "error: an option wants a number\n");
    return 2;
  }
}
