// What the kernel benches share: options of the command line, main, and the time of a call. Not here: what the machine
// can do (peaks.h).
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/threads.h"
#include "bench/peaks.h"

namespace thimble::bench {

struct CommonOptions {
  bool json = false, quick = false;
  int threads = usable_processors();
  Isa isa = best_isa();
  std::vector<std::array<std::int64_t, 3>> shapes;  // M, N, K
};

// Reads the arguments. `names` lists the program's options, one space apart; those that are not in CommonOptions go to
// own(name, value), where value() gives the argument behind the name.
template <class Own>
void parse_options(int argc, char** argv, CommonOptions& o, std::string_view names, Own&& own) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    if (fmt::format(" {} ", names).find(fmt::format(" {} ", arg)) == std::string::npos) {
      fail(ErrorKind::bad_input, "unknown option {}; there are {}", arg, names);
    }
    const auto value = [&]() -> std::string {
      if (++i >= argc) fail(ErrorKind::bad_input, "{} wants a value", arg);
      return argv[i];
    };
    if (arg == "--json") {
      o.json = true;
    } else if (arg == "--quick") {
      o.quick = true;
    } else if (arg == "--threads") {
      o.threads = std::clamp(std::atoi(value().c_str()), 1, 256);
    } else if (arg == "--isa") {
      const auto isa = isa_from_string(value());
      if (!isa) fail(ErrorKind::bad_input, "--isa: no such instruction set");
      o.isa = *isa;
    } else if (arg == "--shape") {
      long long m = 0, n = 0, k = 0;
      if (std::sscanf(value().c_str(), "%lldx%lldx%lld", &m, &n, &k) != 3 || std::min({m, n, k}) < 1) {
        fail(ErrorKind::bad_input, "--shape wants MxNxK");
      }
      o.shapes.push_back({m, n, k});
    } else {
      own(arg, value);
    }
  }
}

// The main of a bench: what goes wrong is one line, and status 2.
template <class Run>
int bench_main(std::string_view name, Run&& run) {
  try {
    run();
    return 0;
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}: {}\n", name, e.what());
    return 2;
  }
}

// Median seconds of a call, over at least three calls and about a quarter of a second.
template <class F>
double median_time(const ThreadPool& pool, bool quick, F&& f) {
  f();
  std::vector<double> times;
  const double budget = quick ? 0.05 : 0.25, start = now(pool);
  while (times.size() < 3 || (now(pool) - start < budget && times.size() < 200)) {
    const double t = now(pool);
    f();
    times.push_back(now(pool) - t);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace thimble::bench
