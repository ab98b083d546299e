// The five bands that power is measured in: octaves about 500 Hz to 4 kHz, and what 16 kHz sound has above.
#pragma once

#include <array>

namespace thimble::voice {

inline constexpr int kBands = 5;
inline constexpr std::array<double, kBands + 1> kBandEdges = {354, 707, 1414, 2828, 5657, 7600};  // Hz
inline constexpr std::array<double, kBands> kBandCentres = {500, 1000, 2000, 4000, 6557};         // geometric means

using BandPowers = std::array<double, kBands>;  // one number a band, usually linear power

}  // namespace thimble::voice
