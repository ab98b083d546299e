// Tuning of the decision's settings on recorded trials: those of the tuning talkers and rooms, never the sweep's.
// Coordinate search: each number in turn is tried at factors or steps about its value, kept when the trials like it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "voice/study/trial.h"

namespace thimble::voice {

// A number of the settings by its path in their JSON form: "/fit/raw", "/fit/loudness/2".
struct Knob {
  std::string path;
  double step = 0;    // tried at value +- step; or
  double factor = 1;  // at value * factor and value / factor, where not 1
  double low = 0, high = 0;
};
// Those that decide() reads; what measuring reads would need new sound.
std::vector<Knob> decision_knobs();

// What tuning lowers: mean over counts and trials of -log of the belief in the truth (device, or nobody), no belief
// under 0.01, plus the share of wrong devices.
double tuning_loss(std::span<const Trial> trials, const std::vector<int>& counts, const Settings& settings, int threads,
                   const CancelToken& cancel);

struct Tuned {
  Settings settings;
  double before = 0, after = 0;  // losses
  int tried = 0;
};
Tuned tune(std::span<const Trial> trials, const std::vector<int>& counts, const Settings& start,
           const std::vector<Knob>& knobs, int rounds, int threads, const ProgressFn& progress,
           const CancelToken& cancel);

}  // namespace thimble::voice
