// The frame of the NEON micro-kernels: an 8 x 8 tile whose sums one struct T per ISA file computes.
//   T::kRows; T::sums<rows>(panel of A, w, k, int32x4_t (&acc)[rows][2]): adds to acc, which holds columns 0-3 and 4-7
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <utility>

#include "kernels/qgemm/groups.h"

namespace thimble::kernels {
namespace {

template <class T, int kRows>
void neon_tile(const char* a, const std::int8_t* w, std::int64_t k, void* tile, bool accumulate, const float* scale) {
  int32x4_t acc[kRows][2];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) acc[r][0] = acc[r][1] = vdupq_n_s32(0);
  T::template sums<kRows>(a, w, k, acc);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      if (scale) {
        float* out = static_cast<float*>(tile) + r * 8 + v * 4;
        const float32x4_t x = vcvtq_f32_s32(acc[r][v]), s = vld1q_f32(scale + 4 * v);
        vst1q_f32(out, accumulate ? vfmaq_f32(vld1q_f32(out), x, s) : vmulq_f32(x, s));
      } else {
        std::int32_t* out = static_cast<std::int32_t*>(tile) + r * 8 + v * 4;
        vst1q_s32(out, accumulate ? vaddq_s32(vld1q_s32(out), acc[r][v]) : acc[r][v]);
      }
    }
  }
}

template <class T, int... R>
void neon_dispatch(std::integer_sequence<int, R...>, const void* a, const std::int8_t* w, std::int64_t k, int rows,
                   void* tile, bool accumulate, const float* scale) {
  static constexpr void (*kTiles[])(const char*, const std::int8_t*, std::int64_t, void*, bool,
                                    const float*) = {neon_tile<T, R + 1>...};
  kTiles[rows - 1](static_cast<const char*>(a), w, k, tile, accumulate, scale);
}

// a_bytes: of one element of A.
template <class T>
void neon_micro(const void* a, int a_bytes, const std::int8_t* w, std::int64_t k, int rows, void* tile, bool accumulate,
                const float* scale, std::int64_t group) {
  for_groups(a, a_bytes, w, 8, k, accumulate, scale, group,
             [&](const char* panel, const std::int8_t* weights, std::int64_t n, bool add, const float* s) {
               neon_dispatch<T>(std::make_integer_sequence<int, T::kRows>(), panel, weights, n, rows, tile, add, s);
             });
}

}  // namespace
}  // namespace thimble::kernels
