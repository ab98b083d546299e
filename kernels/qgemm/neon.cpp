// NEON without dot products: 16-bit activations by lane, weights widened when loaded, 8 x 8 tiles. Eight k at a time:
// 16 accumulators, 8 registers of A, 2 for weights. Beside it, what surrounds the products of every NEON kernel.
#include <arm_neon.h>

#include <utility>

#include "kernels/qgemm/finish-inl.h"
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/neon_tile.h"
#include "kernels/qgemm/quantize-inl.h"
#include "kernels/qgemm/w4-inl.h"

namespace thimble::kernels {
namespace {

template <int kLane, int kRows>
inline void dot_lane(int32x4_t (&acc)[kRows][2], const int16x8_t (&a)[kRows], const std::int8_t* w) {
  const int16x8_t b = vmovl_s8(vld1_s8(w + 8 * kLane));
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    acc[r][0] = vmlal_laneq_s16(acc[r][0], vget_low_s16(b), a[r], kLane);
    acc[r][1] = vmlal_high_laneq_s16(acc[r][1], b, a[r], kLane);
  }
}

struct Lanes {
  static constexpr int kRows = internal::mr_w8a8_neon;
  static_assert(kRows == internal::mr_w4a8_neon && internal::stride_w8a8_neon == internal::stride_w4a8_neon);
  template <int kRowsHere>
  static void sums(const char* panel, const std::int8_t* w, std::int64_t k, int32x4_t (&acc)[kRowsHere][2]) {
    for (std::int64_t i = 0; i < k; i += 8, panel += 16, w += 64) {
      int16x8_t a[kRowsHere];
#pragma GCC unroll 8
      for (int r = 0; r < kRowsHere; ++r) {
        a[r] = vld1q_s16(reinterpret_cast<const std::int16_t*>(panel + r * internal::stride_w8a8_neon));
      }
      dot_lane<0>(acc, a, w);
      dot_lane<1>(acc, a, w);
      dot_lane<2>(acc, a, w);
      dot_lane<3>(acc, a, w);
      dot_lane<4>(acc, a, w);
      dot_lane<5>(acc, a, w);
      dot_lane<6>(acc, a, w);
      dot_lane<7>(acc, a, w);
    }
  }
};

}  // namespace

namespace internal {

void qmicro_neon(const void* a, const std::int8_t* w, std::int64_t k, int rows, int, void* tile, bool accumulate,
                 const float* scale, std::int64_t group) {
  neon_micro<Lanes>(a, 2, w, k, rows, tile, accumulate, scale, group);
}

const QgemmOps qops_neon{quantize_rows, unpack_nibbles, finish_tile};

void dequantize_neon(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0, std::int64_t k,
                     int nr, WeightLayout layout, void* out) {
  dequantize_panel(panel, scale, group, k0, k, nr, layout, out);
}

}  // namespace internal
}  // namespace thimble::kernels
