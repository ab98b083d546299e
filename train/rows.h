// Short loops over rows of numbers that the training kernels share: conversions of bf16, and the vector clones of a
// function for newer processors.
#pragma once

#include <cstdint>

#include "base/dtype.h"

// Compiled once for each level; the loader picks. Loops inside must be plain.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define THIMBLE_CLONES __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define THIMBLE_CLONES
#endif

namespace thimble::train {

void widen(const bf16* x, float* out, std::int64_t n);
// NaN becomes some NaN or infinity: enough for training, which stops on either.
void narrow(const float* x, bf16* out, std::int64_t n);

// Uniform access for kernels over float or bf16: f32 rows are used in place, bf16 rows go through a buffer.
inline const float* load(const float* x, float*, std::int64_t) { return x; }
inline const float* load(const bf16* x, float* buffer, std::int64_t n) {
  widen(x, buffer, n);
  return buffer;
}
inline float* target(float* y, float*) { return y; }
inline float* target(bf16*, float* buffer) { return buffer; }
inline void store(float*, const float*, std::int64_t) {}
inline void store(bf16* y, const float* buffer, std::int64_t n) { narrow(buffer, y, n); }

}  // namespace thimble::train
