// NEON dot products of four signed bytes: 8 x 8 tiles, sixteen k at a time, so that A is loaded as whole registers and
// multiplied by lane: 16 accumulators, 8 registers of A, 2 of weights.
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/neon_tile.h"

namespace thimble::kernels {
namespace {

template <int kLane, int kRows>
inline void dot_lane(int32x4_t (&acc)[kRows][2], const int8x16_t (&a)[kRows], const std::int8_t* w) {
  const int8x16_t left = vld1q_s8(w + 32 * kLane), right = vld1q_s8(w + 32 * kLane + 16);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    acc[r][0] = vdotq_laneq_s32(acc[r][0], left, a[r], kLane);
    acc[r][1] = vdotq_laneq_s32(acc[r][1], right, a[r], kLane);
  }
}

struct Quads {
  static constexpr int kRows = internal::mr_w8a8_neon_dot;
  static constexpr std::int64_t kStride = internal::stride_w8a8_neon_dot;
  static_assert(kRows == internal::mr_w4a8_neon_dot && kStride == internal::stride_w4a8_neon_dot);
  template <int kRowsHere>
  static void sums(const char* panel, const std::int8_t* w, std::int64_t k, int32x4_t (&acc)[kRowsHere][2]) {
    for (std::int64_t i = 0; i < k; i += 16, panel += 16, w += 128) {
      int8x16_t a[kRowsHere];
#pragma GCC unroll 8
      for (int r = 0; r < kRowsHere; ++r) a[r] = vld1q_s8(reinterpret_cast<const std::int8_t*>(panel + r * kStride));
      dot_lane<0>(acc, a, w);
      dot_lane<1>(acc, a, w);
      dot_lane<2>(acc, a, w);
      dot_lane<3>(acc, a, w);
    }
  }
};

}  // namespace

namespace internal {

void qmicro_neon_dot(const void* a, const std::int8_t* w, std::int64_t k, int rows, int, void* tile, bool accumulate,
                     const float* scale, std::int64_t group) {
  neon_micro<Quads>(a, 1, w, k, rows, tile, accumulate, scale, group);
}

}  // namespace internal
}  // namespace thimble::kernels
