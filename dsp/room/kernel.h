// The inner loops of image sources on plain arrays, compiled once per instruction set (the rows of kernel.inc).
// Not for other folders: dsp/room/room.h is the interface.
#pragma once

#include <cstdint>

#include "base/cpu.h"

namespace thimble::dsp::room {

constexpr int kBatch = 512;  // images worked on together
constexpr int kTaps = 80;    // of the 81-tap delay filter: the last one's window is 0
constexpr int kPhases = 21;  // delays a sample that the table holds, both ends included
constexpr int kMaxBands = 32;
constexpr int kAnglesPerDegree = 32;
constexpr int kPatternRows = 180 * kAnglesPerDegree + 2;  // one more, so that 180 degrees may read its successor

// Taps of a delayed impulse: value[phase] + fraction * step[phase], Hann window included.
struct DelayTable {
  alignas(64) float value[kPhases][kTaps];
  alignas(64) float step[kPhases][kTaps];
};

// A pattern for one side of the path. Flat ones: p + (1 - p) cos. Others: rows of `bands` gains over the angle.
struct PatternGains {
  double p = 1;
  const float* rows = nullptr;
};

struct Batch {
  int count = 0;
  alignas(64) double square[kBatch];            // squared length of the path, m^2
  alignas(64) double source_along[kBatch];      // path . source's facing (mirrored), m
  alignas(64) double microphone_along[kBatch];  // path . microphone's facing, m
  alignas(64) float gain[kMaxBands][kBatch];    // in: of the walls; out: of the path
  alignas(64) std::int32_t first[kBatch];       // out: sample of the first tap
  alignas(64) std::int32_t phase[kBatch];       // out
  alignas(64) float fraction[kBatch];           // out
};

struct PathModel {
  int bands = 1;
  double speed = 343, lead = 0;  // m/s; seconds
  float rate = 16000;
  const float* air = nullptr;            // half the energy attenuation a metre, by band; nullptr: none
  const PatternGains* source = nullptr;  // nullptr: omni
  const PatternGains* microphone = nullptr;
};

struct ImageKernels {
  Isa isa;
  const char* name;
  // Fills what is marked `out`.
  void (*finish)(Batch& batch, const PathModel& model) noexcept;
  // Adds the batch's delayed impulses to out[band * stride + sample]; those with first > last are left out.
  void (*place)(const Batch& batch, int bands, const DelayTable& table, float* out, std::int64_t stride,
                std::int32_t last) noexcept;
};

// The best row for this machine, not above `cap`.
const ImageKernels& image_kernels(Isa cap);

}  // namespace thimble::dsp::room
