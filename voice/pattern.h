// The voice's directivity by band: what part of its power ahead a talker sends to a side. From the third-octave table
// of dsp/room/directivity.h, averaged over each band.
#pragma once

#include <vector>

#include "voice/bands.h"

namespace thimble::voice {

class VoicePattern {
 public:
  VoicePattern();

  // Power relative to straight ahead, `angle` in radians from the facing direction, any sign and turn.
  double gain(int band, double angle) const;
  // Mean over the sphere: what the room's reverberation receives.
  double mean(int band) const { return mean_[static_cast<std::size_t>(band)]; }

  static const VoicePattern& shared();

 private:
  std::vector<double> table_;  // (bands, degrees 0..180)
  BandPowers mean_{};
};

}  // namespace thimble::voice
