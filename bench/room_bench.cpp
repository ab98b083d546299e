// Speed of the room simulator: seconds of processor time for a room and order, and images a second, with one thread and
// with two. tools/dsp/room_peer.py runs this program beside pyroomacoustics on the same rooms.
//   room_bench [--json]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "dsp/geometry.h"
#include "dsp/room/room.h"

namespace thimble::dsp::room {
namespace {

struct Case {
  const char* name;
  int rate, order, microphones;
  bool by_band;  // walls by octave band and a cardioid source, else flat walls and an omnidirectional source
};

// The same list as in tools/dsp/room_peer.py.
constexpr Case kCases[] = {
    {"flat, 48 kHz, order 10, 1 microphone", 48000, 10, 1, false},
    {"flat, 16 kHz, order 53, 1 microphone", 16000, 53, 1, false},
    {"flat, 16 kHz, order 17, 24 microphones", 16000, 17, 24, false},
    {"by band, 16 kHz, order 12, 6 microphones", 16000, 12, 6, true},
    {"by band, 16 kHz, order 40, 1 microphone", 16000, 40, 1, true},
};

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

struct Timing {
  double processor = 1e300, wall = 1e300;
};

Timing measure(const Case& c, int threads) {
  Shoebox room = shoebox({6, 5, 3}, c.by_band ? Absorption{0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35} : Absorption{0.19});
  Source source{{3.1, 2.7, 1.6}, {-1, 0.5, 0}, c.by_band ? Directivity::cardioid() : Directivity()};
  std::vector<Microphone> microphones;
  const MicArray ring = ring_array(std::max(c.microphones, 2), 0.0463);
  for (int m = 0; m < c.microphones; ++m)
    microphones.push_back({Vec3{2.0, 1.5, 1.2} + ring.mics[static_cast<std::size_t>(m)], {1, 0, 0}, {}, 0});
  SimulationOptions options;
  options.rate = c.rate;
  options.order = c.order;
  options.high_pass = 0;
  ThreadPool pool(threads);
  Timing best;
  for (int round = 0; round < 5; ++round) {
    const double processor = seconds_of(CLOCK_PROCESS_CPUTIME_ID), wall = seconds_of(CLOCK_MONOTONIC);
    impulse_responses(room, {&source, 1}, microphones, options, pool);
    best.processor = std::min(best.processor, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - processor);
    best.wall = std::min(best.wall, seconds_of(CLOCK_MONOTONIC) - wall);
  }
  return best;
}

int main_with(std::vector<std::string_view> args) {
  bool json = false;
  for (const auto& arg : args) {
    if (arg != "--json") fail(ErrorKind::bad_input, "unknown option {}; there is --json", arg);
    json = true;
  }
  if (!json)
    fmt::print("{:42} {:>7} {:>12} {:>11} {:>12}\n", "room 6 x 5 x 3 m", "threads", "processor s", "wall s",
               "images/s");
  for (const Case& c : kCases) {
    for (const int threads : {1, 2}) {
      const Timing t = measure(c, threads);
      const double rate = static_cast<double>(image_count(c.order)) * c.microphones / t.wall;
      if (json) {
        fmt::print("{{\"name\": \"{}\", \"threads\": {}, \"processor\": {:.6f}, \"wall\": {:.6f}}}\n", c.name, threads,
                   t.processor, t.wall);
      } else {
        fmt::print("{:42} {:7} {:12.6f} {:11.6f} {:12.3g}\n", c.name, threads, t.processor, t.wall, rate);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace thimble::dsp::room

int main(int argc, char** argv) {
  try {
    return thimble::dsp::room::main_with({argv + 1, argv + argc});
  } catch (const std::exception& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 2;
  }
}
