// One configuration of a sweep, measured: what every device observed, and the truth. Rendering and measuring are the
// dear part and are done once; every method, and every set of decision settings, then reads the same observations.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/threads.h"
#include "voice/method.h"
#include "voice/observation.h"
#include "voice/settings.h"
#include "voice/study/corpus.h"
#include "voice/study/sampler.h"

namespace thimble::voice {

struct Trial {
  std::size_t index = 0;
  std::string room, talker;
  double rt60 = 0, snr_db = 0;
  bool nobody = false;                                   // else device 0 is faced
  Truth truth;                                           // direct: one a device
  std::vector<DevicePose> poses;                         // id: index
  std::vector<std::optional<Observation>> observations;  // none: nothing was heard there
  std::size_t cluster = 0;                               // trials of one room and talker share it
};

OrderedJson trial_to_json(const Trial& trial);
Trial trial_from_json(const Json& json, std::string_view what);  // bad_file

// Renders and measures. `talkers`: of the sampler's split, in the corpus' order.
Trial run_trial(const Sampler& sampler, const Corpus& corpus, const std::vector<const CorpusTalker*>& talkers,
                const Settings& settings, std::size_t index);

// What `method` says of the first `count` devices. Nobody, with a note, when no device heard anything.
Decision decide_trial(const Trial& trial, int count, const Method& method);

// Of one trial, count and method.
struct Outcome {
  bool right = false;
  int device = kNobody;
  double confidence = 0, nobody = 0;
  std::optional<double> facing_error, position_error;  // radians, metres
};
Outcome judge(const Trial& trial, const Decision& decision);

// Least angle between the faced device and another of the first `count`, as the talker sees them, radians.
double angular_gap(const Trial& trial, int count);

}  // namespace thimble::voice
