// NEON products of 2 x 8 by 8 x 2 signed bytes: 8 x 8 tiles of 2 x 2 blocks, 16 accumulators, 4 registers of A, 4 of
// weights. An odd last row is multiplied beside whatever lies behind it.
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/neon_tile.h"

namespace thimble::kernels {
namespace {

struct Blocks {
  static constexpr int kRows = internal::mr_w8a8_neon_i8mm;
  static constexpr std::int64_t kStride = internal::stride_w8a8_neon_i8mm;
  static_assert(kRows == internal::mr_w4a8_neon_i8mm && kStride == internal::stride_w4a8_neon_i8mm);
  template <int kRowsHere>
  static void sums(const char* panel, const std::int8_t* w, std::int64_t k, int32x4_t (&acc)[kRowsHere][2]) {
    constexpr int pairs = (kRowsHere + 1) / 2;
    int32x4_t block[pairs][4];  // rows 2p, 2p + 1 by columns 2c, 2c + 1
#pragma GCC unroll 4
    for (int p = 0; p < pairs; ++p) {
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) block[p][c] = vdupq_n_s32(0);
    }
    for (std::int64_t i = 0; i < k; i += 8, panel += 8, w += 64) {
      int8x16_t b[4];
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) b[c] = vld1q_s8(w + 16 * c);
#pragma GCC unroll 4
      for (int p = 0; p < pairs; ++p) {
        const auto* row = reinterpret_cast<const std::int8_t*>(panel + 2 * p * kStride);
        const int8x16_t a = vcombine_s8(vld1_s8(row), vld1_s8(row + kStride));
#pragma GCC unroll 4
        for (int c = 0; c < 4; ++c) block[p][c] = vmmlaq_s32(block[p][c], a, b[c]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        const int32x4_t left = block[r / 2][2 * v], right = block[r / 2][2 * v + 1];
        acc[r][v] = r % 2 ? vcombine_s32(vget_high_s32(left), vget_high_s32(right))
                          : vcombine_s32(vget_low_s32(left), vget_low_s32(right));
      }
    }
  }
};

}  // namespace

namespace internal {

void qmicro_neon_i8mm(const void* a, const std::int8_t* w, std::int64_t k, int rows, int, void* tile, bool accumulate,
                      const float* scale, std::int64_t group) {
  neon_micro<Blocks>(a, 1, w, k, rows, tile, accumulate, scale, group);
}

}  // namespace internal
}  // namespace thimble::kernels
