// Speed of the voice pipeline on one thread, in its processor time: six microphones at 16 kHz, a minute of bursts, in
// blocks of 20 ms as a sound card gives them. Times real time, and the work left at an utterance's end: from the block
// that ends it to the message, and from four devices' messages to the decision.
//   voice_bench [--json]
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "voice/analyse.h"
#include "voice/message.h"
#include "voice/method.h"
#include "voice/test_sounds.h"

namespace thimble::voice {
namespace {

// Processor time of this thread: what other programs take of the machine is not counted.
double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

int run(bool json) {
  constexpr int kUtterances = 15;
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  std::vector<float> samples;
  for (std::uint64_t u = 0; u < kUtterances; ++u) {
    const dsp::Signal sound =
        testing::plane_wave(testing::bursts(2.8, u, 0.6), ring, 0.4 * static_cast<double>(u), 1e-6, u);
    for (std::size_t t = 0; t < sound.frames(); ++t)
      for (const auto& channel : sound.channels) samples.push_back(static_cast<float>(channel[t]));
  }
  constexpr std::size_t kBlock = 320 * 6;
  Analyser analyser(ring, testing::kRate, frozen());
  std::vector<double> ends;
  double busy = 0;
  for (std::size_t at = 0; at < samples.size(); at += kBlock) {
    const double start = now();
    const auto found = analyser.push(std::span(samples).subspan(at, std::min(kBlock, samples.size() - at)));
    for (const Observation& o : found) check(encode_message(o).size() == kMessageBytes, "a message");
    const double seconds = now() - start;
    busy += seconds;
    if (!found.empty()) ends.push_back(seconds);
  }
  check(!ends.empty(), "utterances were found");

  const testing::Room room = testing::around({10, 95, 170, 260}, {1.5, 3, 2, 2.5});
  const auto observations = testing::observe(room, 1.7, 0.1);
  const auto method = make_method("facing", frozen());
  std::vector<double> decisions;
  for (int i = 0; i < 20; ++i) {
    const double start = now();
    check(method->decide(observations, room.poses).device >= 0, "a decision");
    decisions.push_back(now() - start);
  }
  const double sound_seconds = analyser.time(), times = sound_seconds / busy;
  const double end = 1e3 * median(ends), decide = 1e3 * median(decisions);
  if (json) {
    fmt::print(
        "{{\"sound_seconds\": {:.1f}, \"busy_seconds\": {:.3f}, \"times_real_time\": {:.1f}, \"end_ms\": {:.2f}, "
        "\"decide_ms\": {:.2f}}}\n",
        sound_seconds, busy, times, end, decide);
  } else {
    fmt::print("6 microphones, 16 kHz, {:.0f} s of sound in {:.2f} s of one core: {:.0f} x real time\n", sound_seconds,
               busy, times);
    fmt::print(
        "{} utterances; from the block that ends one to its message {:.1f} ms, to the decision of four devices {:.1f} "
        "ms "
        "more (medians)\n",
        ends.size(), end, decide);
  }
  return 0;
}

}  // namespace
}  // namespace thimble::voice

int main(int argc, char** argv) { return thimble::voice::run(argc > 1 && std::string_view(argv[1]) == "--json"); }
