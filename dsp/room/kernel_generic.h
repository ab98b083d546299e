// The loops of kernel.h, written so that the compiler turns them into vectors of the including file's instruction set.
// Everything is in an unnamed namespace, and nothing of the standard library is instantiated.
#pragma once

#include "dsp/room/kernel.h"

namespace thimble::dsp::room {

#define THIMBLE_IMAGES(isa, name) extern const ImageKernels name;
#include "dsp/room/kernel.inc"
#undef THIMBLE_IMAGES

namespace {

constexpr float kPerSample = kPhases - 1;

// exp(x) for x <= 0 within 2e-7 of itself: 2^n times a polynomial of the rest; 0 under -80.
inline float exp_negative(float x) {
  const float scaled = (x < -80.0f ? -80.0f : x) * 1.44269504f;
  const float shifted = scaled + 12582912.0f;  // rounds to a whole number, in the low bits
  const float f = scaled - (shifted - 12582912.0f);
  float p = 0.000154353f;
  p = p * f + 0.00133335581f;
  p = p * f + 0.00961812911f;
  p = p * f + 0.0555041087f;
  p = p * f + 0.240226507f;
  p = p * f + 0.693147181f;
  p = p * f + 1.0f;
  const std::int32_t power = (__builtin_bit_cast(std::int32_t, shifted) + (127 - 0x4b400000)) << 23;
  return x < -80.0f ? 0.0f : p * __builtin_bit_cast(float, power);
}

// Degrees of the angle whose cosine is c in [-1, 1] (Abramowitz and Stegun 4.4.46, 2e-8 radians).
inline double degrees_of(double c) {
  const double x = c < 0 ? -c : c;
  double p = -0.0012624911;
  p = p * x + 0.0066700901;
  p = p * x - 0.0170881256;
  p = p * x + 0.0308918810;
  p = p * x - 0.0501743046;
  p = p * x + 0.0889789874;
  p = p * x - 0.2145988016;
  p = p * x + 1.5707963050;
  const double rest = 1 - x;
  const double angle = 57.295779513082321 * p * __builtin_sqrt(rest > 0 ? rest : 0);
  return c < 0 ? 180 - angle : angle;
}

inline void apply_pattern(Batch& batch, const PatternGains& pattern, const double* along, const float* inverse,
                          int bands) {
  const int n = batch.count;
  if (!pattern.rows) {
    const float p = static_cast<float>(pattern.p), q = static_cast<float>(1 - pattern.p);
    alignas(64) float gain[kBatch];
    for (int i = 0; i < n; ++i) gain[i] = p + q * (static_cast<float>(along[i]) * inverse[i]);
    for (int b = 0; b < bands; ++b) {
      for (int i = 0; i < n; ++i) batch.gain[b][i] *= gain[i];
    }
    return;
  }
  alignas(64) float place[kBatch];
  for (int i = 0; i < n; ++i) {
    double c = along[i] / __builtin_sqrt(batch.square[i]);
    c = c > 1 ? 1 : c < -1 ? -1 : c;
    place[i] = static_cast<float>(degrees_of(c) * kAnglesPerDegree);
  }
  for (int i = 0; i < n; ++i) {
    const int row = static_cast<int>(place[i]);
    const float between = place[i] - static_cast<float>(row);
    const float* low = pattern.rows + static_cast<std::int64_t>(row) * bands;
    const float* high = low + bands;
    for (int b = 0; b < bands; ++b) batch.gain[b][i] *= low[b] + between * (high[b] - low[b]);
  }
}

void finish(Batch& batch, const PathModel& model) noexcept {
  const int n = batch.count;
  alignas(64) float inverse[kBatch];
  alignas(64) float distance[kBatch];
  const double speed = model.speed, lead = model.lead;
  const float rate = model.rate;
  for (int i = 0; i < n; ++i) {
    const double d = __builtin_sqrt(batch.square[i]);
    const float time = static_cast<float>(d / speed + lead);
    const float sample = rate * time;
    const auto whole = static_cast<std::int32_t>(sample);
    const float x = (1.0f - (sample - static_cast<float>(whole))) * kPerSample;
    const auto phase = static_cast<std::int32_t>(x);
    batch.first[i] = whole - kTaps / 2;
    batch.phase[i] = phase;
    batch.fraction[i] = x - static_cast<float>(phase);
    inverse[i] = static_cast<float>(1 / d);
    distance[i] = static_cast<float>(d);
  }
  for (int b = 0; b < model.bands; ++b) {
    float* gain = batch.gain[b];
    if (model.air) {
      const float decay = -model.air[b];
      for (int i = 0; i < n; ++i) gain[i] *= inverse[i] * exp_negative(decay * distance[i]);
    } else {
      for (int i = 0; i < n; ++i) gain[i] *= inverse[i];
    }
  }
  if (model.source) apply_pattern(batch, *model.source, batch.source_along, inverse, model.bands);
  if (model.microphone) apply_pattern(batch, *model.microphone, batch.microphone_along, inverse, model.bands);
}

void place(const Batch& batch, int bands, const DelayTable& table, float* out, std::int64_t stride,
           std::int32_t last) noexcept {
  for (int i = 0; i < batch.count; ++i) {
    if (batch.first[i] > last) continue;
    const float* __restrict value = table.value[batch.phase[i]];
    const float* __restrict step = table.step[batch.phase[i]];
    const float fraction = batch.fraction[i];
    float* __restrict to = out + batch.first[i];
    if (bands == 1) {
      const float gain = batch.gain[0][i];
      for (int k = 0; k < kTaps; ++k) to[k] += gain * (value[k] + fraction * step[k]);
      continue;
    }
    alignas(64) float taps[kTaps];
    for (int k = 0; k < kTaps; ++k) taps[k] = value[k] + fraction * step[k];
    for (int b = 0; b < bands; ++b) {
      const float gain = batch.gain[b][i];
      float* __restrict band = to + b * stride;
      for (int k = 0; k < kTaps; ++k) band[k] += gain * taps[k];
    }
  }
}

}  // namespace
}  // namespace thimble::dsp::room
