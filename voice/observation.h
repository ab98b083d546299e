// What one device measures of one utterance, and where devices stand. This, not sound, is what devices exchange
// (voice/message.h) and what deciders read (voice/method.h). No clock has to be shared: only powers and angles matter.
// Room frame: x, y on the floor, z up, metres; azimuth turns from x to y, radians.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dsp/geometry.h"
#include "voice/bands.h"

namespace thimble::voice {

// Powers are mean squares per band over the active frames, full scale 1, as one microphone has them (a beam passes its
// direction with gain 1), the stationary noise's share taken off, never negative.
struct Observation {
  int device = 0;                  // id of its DevicePose, 0..65535
  std::uint32_t utterance = 0;     // counts up at the device
  double start = 0, duration = 0;  // seconds; start by the device's own clock (in a file: from its first sample)
  double active_seconds = 0;       // of frames taken as speech

  double azimuth = 0;               // of the voice in the array's own frame, [-pi, pi)
  std::optional<double> elevation;  // from the array's plane; planar arrays know its size, not its sign
  double confidence = 0;            // of the azimuth, 0..1
  double peak_ratio = 1;            // first peak of the map over the second, 1..100
  double steered_coherence = 0;     // the map at the peak, 0..1: the GCC-PHAT peak averaged over pairs

  BandPowers raw{};       // mean over microphones
  BandPowers beam{};      // towards the voice
  BandPowers coherent{};  // estimator A: the plane-wave part of the spatial covariance
  BandPowers onset{};     // estimator C: direct sound of onsets after align-and-cancel; 0 without an onset
  BandPowers noise{};     // at one microphone, from frames without speech
  BandPowers beam_diffuse{1, 1, 1, 1, 1};  // share of a diffuse field's power that the beam passes, (0, 1]
  double band_ratio_db = 0;                // 1 to 8 kHz over 0.1 to 1 kHz, raw

  unsigned heard = 0;  // bit b: band b is there at this rate and stands out of the noise
  bool clipped = false, offset = false, noise_known = false;  // offset: a constant was taken off the samples

  bool hears(int band) const { return (heard >> band & 1u) != 0; }
};

struct DevicePose {
  int id = 0;
  dsp::Vec3 position;             // of the array's origin
  double azimuth = 0;             // of the array's own x axis in the room
  dsp::MicArray array;            // may be empty where only observations are read
  std::optional<double> gain_db;  // known gain of its microphones, taken off its powers; none: not calibrated
};

inline double bearing_in_room(const Observation& o, const DevicePose& pose) {
  return dsp::wrap_angle(o.azimuth + pose.azimuth);
}

}  // namespace thimble::voice
