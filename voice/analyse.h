// From sound to observations: activity, direction of arrival, powers by every estimator. One device at a time.
//
//   const Observation o = analyse_utterance(sound, array_by_name("ring6"), settings);      // the whole file is one
//   Analyser live(array_by_name("ring6"), 16000, settings);                                 // a stream has many
//   for (const Observation& o : live.push(block)) ...
//
// bad_input, in one line: a channel count other than the array's, NaN, silence, too little speech, rates under 8 kHz.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dsp/signal.h"
#include "voice/observation.h"
#include "voice/settings.h"

namespace thimble::voice {

// Everything in `sound` taken as one utterance. `device` and start 0 go into the observation.
Observation analyse_utterance(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings,
                              int device = 0);

// All utterances of a recording, in order; none is not an error.
std::vector<Observation> analyse(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings,
                                 int device = 0);

// A stream. Blocks may have any length. Work is spread over the blocks: what is left at an utterance's end takes
// milliseconds. Samples that are not finite count as 0 and are counted.
class Analyser {
 public:
  Analyser(dsp::MicArray array, int rate, const Settings& settings, int device = 0);
  ~Analyser();
  Analyser(Analyser&&) noexcept;
  Analyser& operator=(Analyser&&) noexcept;

  // Interleaved samples (T, microphones), full scale -1..1. Returns the utterances that ended.
  std::vector<Observation> push(std::span<const float> interleaved);
  // The end of the stream ends an utterance too.
  std::vector<Observation> finish();

  bool speaking() const;              // inside an utterance
  double time() const;                // seconds of sound seen
  std::uint64_t bad_samples() const;  // not finite
  // Direction of the last 0.25 s of frames, for a display while the voice speaks; nothing in a pause.
  std::optional<double> current_azimuth() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Direction over time, for pictures: one entry a hop of `seconds`.
struct DirectionTrack {
  std::vector<double> time, azimuth, coherence;  // NaN azimuth in pauses
  std::vector<double> map;                       // mean map over the circle, `map.size()` directions from azimuth 0 on
};
DirectionTrack track_direction(const dsp::Signal& sound, const dsp::MicArray& array, const Settings& settings,
                               double seconds = 0.1);

}  // namespace thimble::voice
