// For the tests of the folder: sounds and observations of which everything is known.
#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "base/rng.h"
#include "dsp/delay.h"
#include "dsp/geometry.h"
#include "dsp/signal.h"
#include "voice/method.h"
#include "voice/pattern.h"

namespace thimble::voice::testing {

constexpr int kRate = 16000;
constexpr double kDegree = std::numbers::pi / 180;

// White noise of mean square 0.01 in bursts of 0.3 s with pauses of 0.1 s, silence of `lead` seconds around.
inline std::vector<double> bursts(double seconds, std::uint64_t seed, double lead = 0.3) {
  const auto length = static_cast<std::size_t>((seconds + 2 * lead) * kRate),
             first = static_cast<std::size_t>(lead * kRate);
  std::vector<double> x(length);
  Rng rng(seed);
  for (std::size_t i = 0; i < length; ++i) {
    const double noise = 0.1 * rng.normal();
    const bool inside = i >= first && i < length - first;
    if (inside && (i - first) % 6400 < 4800) x[i] = noise;
  }
  return x;
}

// x as a plane wave from `azimuth` (0: level) across the array, plus independent noise of that mean square.
inline dsp::Signal plane_wave(const std::vector<double>& x, const dsp::MicArray& array, double azimuth, double noise,
                              std::uint64_t seed = 7) {
  dsp::Signal out{kRate, {}};
  Rng rng(seed);
  for (const dsp::Vec3& mic : array.mics) {
    out.channels.push_back(dsp::delay_signal(x, dsp::arrival_delay(mic, {azimuth, 0}) * kRate));
    for (double& v : out.channels.back()) v += std::sqrt(noise) * rng.normal();
  }
  return out;
}

inline double db(double power) { return 10 * std::log10(power); }

struct Room {
  dsp::Vec3 mouth{3, 2.5, 1.5};
  double facing = 0;
  std::vector<DevicePose> poses;
};

// Devices at azimuths about a talker at (3, 2.5), 2 m away unless said otherwise, all at mouth height.
inline Room around(const std::vector<double>& degrees, const std::vector<double>& distances = {}) {
  Room room;
  for (std::size_t i = 0; i < degrees.size(); ++i) {
    const double r = distances.empty() ? 2 : distances[i], a = degrees[i] * kDegree;
    room.poses.push_back({static_cast<int>(i),
                          room.mouth + dsp::Vec3{r * std::cos(a), r * std::sin(a), 0},
                          0.4 * static_cast<double>(i),
                          dsp::array_by_name("ring6"),
                          {}});
  }
  return room;
}

// What the model says they measure: direct sound by pattern and distance, one reverberant power for all.
inline std::vector<Observation> observe(const Room& room, double facing, double reverberation) {
  std::vector<Observation> out;
  for (const DevicePose& pose : room.poses) {
    Observation o;
    const dsp::Vec3 way = room.mouth - pose.position;
    const double r = norm(way), angle = std::atan2(-way.y, -way.x) - facing;
    o.device = pose.id;
    o.azimuth = dsp::wrap_angle(std::atan2(way.y, way.x) - pose.azimuth);
    o.confidence = 1;
    o.active_seconds = 1;
    o.steered_coherence = 0.4;
    o.noise_known = true;
    o.heard = 31;
    for (std::size_t b = 0; b < kBands; ++b) {
      const double spectrum = 1e-3 * std::pow(0.3, static_cast<double>(b));
      const double direct = spectrum * VoicePattern::shared().gain(static_cast<int>(b), angle) / (r * r);
      const double diffuse = spectrum * reverberation;
      o.beam_diffuse[b] = 1 / (1 + static_cast<double>(b));
      o.raw[b] = direct + diffuse;
      o.beam[b] = direct + diffuse * o.beam_diffuse[b];
      o.coherent[b] = o.onset[b] = direct;
      o.noise[b] = 1e-9;
    }
    out.push_back(o);
  }
  return out;
}

}  // namespace thimble::voice::testing
