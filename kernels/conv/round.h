// Internal to conv/: what rounding a picture to int8 needs, once per vector width.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "kernels/qgemm/qgemm.h"

namespace thimble::kernels {

struct Range {
  float low = 0, high = 0;  // with zero inside
  float poison = 0;         // 0, or NaN where there is a NaN or an infinity
};

// n numbers to q = clamp(round(x * inverse), low, high) + zero; u8 panels hold q + 128, s16 ones q - z, whose zero is
// 0.
struct RoundJob {
  const void* x;
  DType type;  // f32 or bf16
  std::int64_t n;
  float inverse, low, high;
  std::int32_t zero;
  QPanel panel;
  std::byte* out;  // nothing is written behind the last element
};

struct RoundOps {
  Isa isa;
  Range (*range)(const void* x, DType type, std::int64_t n);
  void (*round)(const RoundJob& job);
};

namespace internal {
extern const RoundOps round_scalar, round_avx2, round_avx512, round_neon;
}

}  // namespace thimble::kernels
