// NEON micro-kernels, f32 and bf16 widened to f32: 8 x 8 tiles. Four k at a time, so that A is loaded as whole
// registers and multiplied by lane: 16 accumulators, 8 registers of A, 2 of weights.
#include <arm_neon.h>

#include <utility>

#include "kernels/gemm/epilogue-inl.h"
#include "kernels/gemm/functions.h"

namespace thimble::kernels {
namespace {

struct F32 {
  using W = float;
  static constexpr std::int64_t kStride = internal::stride_f32_neon / 4;
  static void weights(const W* w, float32x4_t (&b)[2]) {
    b[0] = vld1q_f32(w);
    b[1] = vld1q_f32(w + 4);
  }
};

// Columns j and j + 4 share a 32-bit word: the lower one is shifted up, the upper one keeps its place.
struct Bf16 {
  using W = std::uint16_t;
  static constexpr std::int64_t kStride = internal::stride_bf16_neon / 4;
  static void weights(const W* w, float32x4_t (&b)[2]) {
    const uint32x4_t both = vreinterpretq_u32_u16(vld1q_u16(w));
    b[0] = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
    b[1] = vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000u)));
  }
};

template <int kLane, int kRows>
inline void fma_lane(float32x4_t (&acc)[kRows][2], const float32x4_t (&a)[kRows], const float32x4_t (&b)[2]) {
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    acc[r][0] = vfmaq_laneq_f32(acc[r][0], b[0], a[r], kLane);
    acc[r][1] = vfmaq_laneq_f32(acc[r][1], b[1], a[r], kLane);
  }
}

template <class T, int kRows>
void fma_tile(const float* a, const typename T::W* w, std::int64_t k, float* tile, bool accumulate) {
  float32x4_t acc[kRows][2];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = vdupq_n_f32(0);
  for (std::int64_t i = 0; i < k; i += 4, a += 4, w += 32) {
    float32x4_t x[kRows], b[2];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) x[r] = vld1q_f32(a + r * T::kStride);
    T::weights(w, b);
    fma_lane<0>(acc, x, b);
    T::weights(w + 8, b);
    fma_lane<1>(acc, x, b);
    T::weights(w + 16, b);
    fma_lane<2>(acc, x, b);
    T::weights(w + 24, b);
    fma_lane<3>(acc, x, b);
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      float* out = tile + r * 8 + v * 4;
      vst1q_f32(out, accumulate ? vaddq_f32(vld1q_f32(out), acc[r][v]) : acc[r][v]);
    }
  }
}

template <class T, int... R>
void micro(std::integer_sequence<int, R...>, const void* a, const void* w, std::int64_t k, int rows, float* tile,
           bool accumulate) {
  static constexpr void (*kTiles[])(const float*, const typename T::W*, std::int64_t, float*,
                                    bool) = {fma_tile<T, R + 1>...};
  kTiles[rows - 1](static_cast<const float*>(a), static_cast<const typename T::W*>(w), k, tile, accumulate);
}

}  // namespace

namespace internal {

void gemm_f32_neon(const void* a, const void* w, std::int64_t k, int rows, int, float* tile, bool accumulate) {
  micro<F32>(std::make_integer_sequence<int, mr_f32_neon>(), a, w, k, rows, tile, accumulate);
}

void gemm_bf16_neon(const void* a, const void* w, std::int64_t k, int rows, int, float* tile, bool accumulate) {
  micro<Bf16>(std::make_integer_sequence<int, mr_bf16_neon>(), a, w, k, rows, tile, accumulate);
}

void epilogue_neon(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                   const Epilogue& e, void* c, std::int64_t ldc, DType c_type) {
  epilogue_tile(tile, ld_tile, m0, n0, rows, cols, e, c, ldc, c_type);
}

}  // namespace internal
}  // namespace thimble::kernels
