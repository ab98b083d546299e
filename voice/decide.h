// What the methods of voice/method.h share. Inside the folder.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "voice/method.h"
#include "voice/triangulate.h"

namespace thimble::voice {

std::vector<Bearing> bearings_of(std::span<const Observation> observations, std::span<const DevicePose> poses,
                                 const PositionSettings& settings);

// Mean dB of `powers` over the bands from 1.4 kHz up that all observations hear; where there is none, over those below;
// where there is none either, of the sum over all bands.
std::vector<double> loudness_db(std::span<const Observation> observations, BandPowers Observation::*powers);

// The device whose score is highest, its share of the belief exp(score * nats) as confidence.
Decision decide_by_score(std::span<const Observation> observations, std::span<const double> scores, double nats);

// Index of the device nearest to `facing` as seen from the mouth, and of the next one's angle: radians.
struct Faced {
  std::size_t index = 0;
  double off = 0, next_off = 0;
};
Faced nearest_to(double facing, const dsp::Vec3& mouth, std::span<const DevicePose> poses);

std::unique_ptr<Method> make_facing_method(const Settings& settings);                      // voice/facing_method.cpp
std::unique_ptr<Method> make_fit_method(std::string_view name, const Settings& settings);  // voice/fit_methods.cpp

}  // namespace thimble::voice
