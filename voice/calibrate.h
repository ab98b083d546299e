// Gains of microphones learned while the system is used: what a device has over the model, utterance after utterance,
// is its gain error; what else the model misses changes from one to the next and averages out.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "voice/method.h"

namespace thimble::voice {

class GainCalibration {
 public:
  explicit GainCalibration(const FitSettings& settings) : settings_(settings) {}

  // poses whose gain is not known get the learned one.
  std::vector<DevicePose> apply(std::span<const DevicePose> poses) const;
  // Of a decision that was made with apply()'s poses. Decisions without residuals teach nothing; unsure ones little.
  void learn(const Decision& decision);

  double gain_db(int device) const;  // 0 for one never heard
  int utterances() const { return utterances_; }

 private:
  FitSettings settings_;
  std::map<int, double> gains_;
  int utterances_ = 0;
};

}  // namespace thimble::voice
