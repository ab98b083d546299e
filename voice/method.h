// Which device does the talker face? One interface for Thimble's decider and for every baseline.
//   const auto method = make_method("facing", settings);
//   const Decision d = method->decide(observations, poses);
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "voice/observation.h"
#include "voice/settings.h"

namespace thimble::voice {

inline constexpr int kNobody = -1;

// What only a simulation knows; the oracle reads it, nothing else does.
struct Truth {
  dsp::Vec3 position;              // of the mouth
  double facing = 0;               // radians in the room
  std::vector<BandPowers> direct;  // line-of-sight powers, one an observation; empty: from pattern and distance
};

struct DeviceScore {
  int device = 0;
  double score = 0;  // higher is likelier; "facing": belief in 0..1, baselines: their own measure
};

struct Decision {
  int device = kNobody;
  double confidence = 0;                 // 0..1
  std::optional<double> facing;          // radians in the room; none where the method or the geometry gives none
  double facing_spread = 0;              // one sigma of it, radians
  std::optional<dsp::Vec3> position;     // of the mouth
  double position_spread = 0;            // one sigma, metres
  std::vector<DeviceScore> scores;       // one an observation, in its order
  std::vector<double> gain_residual_db;  // "facing": what each observation has over the model, for calibration
  double nobody = 0;                     // "facing": belief that no device is faced
  std::string note;                      // in words, when something was left out: "device 3 sent nothing"
};

class Method {
 public:
  virtual ~Method() = default;
  virtual std::string_view name() const = 0;
  // Observations of one utterance, at most one a device, each with its pose (by id); poses without an observation count
  // as devices that sent nothing. bad_input for none, for an observation without a pose, two of one device, or values
  // out of range. Const and thread-safe.
  Decision decide(std::span<const Observation> observations, std::span<const DevicePose> poses,
                  const Truth* truth = nullptr) const;

 protected:
  // observations[i] belongs to poses[i].
  virtual Decision decide_checked(std::span<const Observation> observations, std::span<const DevicePose> poses,
                                  const Truth* truth) const = 0;
};

// facing          Thimble's: triangulation, fit of the voice's pattern with a shared reverberant part, priors
// loudest         raw power
// loudest-beam    beamformed power
// nearest         distance after triangulation
// band-ratio      1 to 8 kHz over 0.1 to 1 kHz
// raw-distance    raw power times distance squared
// gcc-peak        height of the GCC-PHAT peak
// pattern-cosine  cosine similarity of powers with the pattern (in the manner of Mueller et al. 2023)
// direct-a, direct-b, direct-c   plain fits of the pattern to the line-of-sight powers of one estimator alone:
// coherent,
//                 beam with shared reverberation, onset
// oracle          true line-of-sight powers, plain fit; needs a Truth
// "loudest" and "loudest-beam" take the mean dB of the bands from 1.4 kHz up that every device hears.
std::unique_ptr<Method> make_method(std::string_view name, const Settings& settings);
std::vector<std::string> method_names();

}  // namespace thimble::voice
