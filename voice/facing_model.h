// How likely are the measured powers, were the talker at a place and turned a way? Each power that a device measures in
// a band is modelled as
//     s_b * (D_b(angle) / r^2 + q_b * g)
// s_b: the voice's unknown spectrum, D: the pattern (voice/pattern.h), r: the distance, q_b: the room's reverberation,
// the same for all devices, unknown but within what rooms have, g: the share of it that the estimator lets through
// (1 for one microphone, the beam's response to a diffuse field for a beam, 0 for a line-of-sight power). Errors are in
// dB. A device's gain error, common to all its powers, is found along.
#pragma once

#include <span>
#include <vector>

#include "voice/observation.h"
#include "voice/settings.h"

namespace thimble::voice {

class FacingModel {
 public:
  // observations[i] belongs to poses[i].
  FacingModel(std::span<const Observation> observations, std::span<const DevicePose> poses, const Settings& settings);

  // -log likelihood up to a constant. `facing` in radians in the room. Where no band is heard by two devices the cost
  // is 0 for everything.
  double cost(const dsp::Vec3& mouth, double facing) const;
  // What every device has over the model, dB, mean 0 over the devices: its gain error plus what was not modelled.
  std::vector<double> residuals_db(const dsp::Vec3& mouth, double facing) const;

 private:
  static constexpr int kLevels = 9;  // of reverberation tried, by band

  struct Power {
    std::size_t device = 0;
    double value_db = 0, diffuse = 0, weight = 0;
  };
  struct BandData {
    int band = 0;
    double weight = 0;
    std::vector<Power> powers;
    std::vector<double> reverberation, prior;  // linear, and the prior's cost of each
  };
  double evaluate(const dsp::Vec3& mouth, double facing, std::vector<double>* gains) const;

  std::vector<dsp::Vec3> places_;
  std::vector<BandData> bands_;
  double gain_variance_ = 0, residual_variance_ = 1;
};

}  // namespace thimble::voice
