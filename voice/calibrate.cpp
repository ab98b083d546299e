#include "voice/calibrate.h"

#include <algorithm>

namespace thimble::voice {

std::vector<DevicePose> GainCalibration::apply(std::span<const DevicePose> poses) const {
  std::vector<DevicePose> out(poses.begin(), poses.end());
  for (DevicePose& pose : out) {
    const auto learned = gains_.find(pose.id);
    if (!pose.gain_db && learned != gains_.end()) pose.gain_db = learned->second;
  }
  return out;
}

void GainCalibration::learn(const Decision& decision) {
  if (decision.gain_residual_db.size() != decision.scores.size() || decision.device == kNobody) return;
  constexpr double kMost = 20;  // dB
  const double share = settings_.gain_learning * decision.confidence;
  for (std::size_t i = 0; i < decision.scores.size(); ++i) {
    double& gain = gains_[decision.scores[i].device];
    gain = std::clamp(gain + share * decision.gain_residual_db[i], -kMost, kMost);
  }
  ++utterances_;
}

double GainCalibration::gain_db(int device) const {
  const auto found = gains_.find(device);
  return found == gains_.end() ? 0 : found->second;
}

}  // namespace thimble::voice
