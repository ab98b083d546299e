// A shoebox room by image sources (Allen and Berkley 1979): impulse responses between sources and microphones, to any
// order, with walls, air and directivities by octave band. Lengths in metres, times in seconds, frequencies in Hz.
// Not here: signals and noise (dsp/room/render.h), reverberation times (dsp/room/decay.h).
//
//   Shoebox room = shoebox({6, 5, 3}, 0.3);
//   Responses r = impulse_responses(room, {{.position = {3, 2, 1.5}}}, {{.position = {1, 1, 1.2}}}, {.rate = 16000},
//   pool);
//
// An image at distance d arrives with amplitude prod sqrt(1 - absorption) / d: there is no 1/(4 pi). Every response
// starts kResponseLead samples before the moment of emission, so that the fractional delays' tails fit. Delays, images
// and the table of the delay filter are rounded to f32 in the order pyroomacoustics rounds them, and agree with it to
// 1e-6 a sample; the cost is a time error of 4e-4 samples, and of 4e-3 two seconds in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/threads.h"
#include "dsp/geometry.h"
#include "dsp/room/directivity.h"

namespace thimble::dsp::room {

constexpr int kResponseLead = 40;
constexpr int kMaxOrder = 400;                                   // 8.6e7 images a pair
constexpr std::size_t kMaxResponse = std::size_t{1} << 22;       // samples of one response
constexpr std::size_t kMaxResponseBytes = std::size_t{1} << 32;  // of all responses together
constexpr std::size_t kWorkspaceBytes = std::size_t{256} << 20;  // at most this, or what a single pair needs

// Energy absorption of one wall, in [0, 1]: one number, or one an octave band from 125 Hz (as many as are given; bands
// above take the last).
using Absorption = std::vector<double>;

// At x = 0, x = size.x, y = 0, y = size.y, z = 0, z = size.z.
enum Wall : int { kWest, kEast, kSouth, kNorth, kFloor, kCeiling };

struct Shoebox {
  Vec3 size;
  std::array<Absorption, 6> walls;  // by Wall
  double sound_speed = 343;
  std::vector<double>
      air;  // energy attenuation a metre, by octave band like Absorption; empty: none. See air_absorption()
};

Shoebox shoebox(Vec3 size, double absorption);
Shoebox shoebox(Vec3 size, Absorption absorption);

struct Source {
  Vec3 position;
  Vec3 facing = {1, 0, 0};  // any length but 0
  Directivity pattern = {};
};

struct Microphone {
  Vec3 position;
  Vec3 facing = {1, 0, 0};
  Directivity pattern = {};
  int device = 0;  // microphones of one device share a gain error and a noise level
};

// A diffuse end: from `start` on, the image sources fade (over 20 ms or less) into Gaussian noise that decays per
// octave band as asked, its level continuing that of the images. Noise of several microphones has the coherence
// sin(kd)/(kd) of a diffuse field (within a device), and nothing under 44 Hz. The response lasts until the slowest band
// fell by 70 dB.
struct DiffuseTail {
  std::vector<double> rt60;  // one value, or one an octave band from 125 Hz like Absorption; each in [0.02, 20]
  // Seconds after emission, at least 10 ms after the direct sound. The images of 25 ms to both sides set the level, so
  // `order` should reach beyond. 0: as late as the order's images are all there, but not after 2 sqrt(V) ms.
  double start = 0;
  std::uint64_t seed = 0;
};

struct SimulationOptions {
  int rate = 16000;       // 2000..192000
  int order = 10;         // most reflections of an image, 0..kMaxOrder
  double duration = 0;    // images that arrive later are left out; 0: none is
  double high_pass = 10;  // of second order, forward and backward; 0: off. Takes off the offset that images add up to
  bool third_octaves = false;  // walls, air and patterns by third-octave band: slower, for finely tabled directivities
  std::optional<DiffuseTail> tail = {};
};

struct Responses {
  int rate = 0;
  std::size_t sources = 0, microphones = 0;
  std::vector<std::vector<double>> all;  // source-major

  const std::vector<double>& at(std::size_t source, std::size_t microphone) const {
    return all[source * microphones + microphone];
  }
};

// The number of images up to `order`.
std::int64_t image_count(int order);

// bad_input, in one line, for: sizes outside [0.1, 1000] m, a source or microphone outside the room (or a source within
// 1 mm of a microphone), absorption out of [0, 1], NaN anywhere, options out of their ranges, responses above the
// limits.
void check_scene(const Shoebox& room, std::span<const Source> sources, std::span<const Microphone> microphones,
                 const SimulationOptions& options);

// The same numbers for any count of threads.
Responses impulse_responses(const Shoebox& room, std::span<const Source> sources,
                            std::span<const Microphone> microphones, const SimulationOptions& options,
                            ThreadPool& pool);

}  // namespace thimble::dsp::room
