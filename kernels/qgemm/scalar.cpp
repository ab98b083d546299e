// The portable kernel in plain C++: the readable meaning of the others, and the last row of the table.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/qgemm/finish-inl.h"
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/groups.h"
#include "kernels/qgemm/quantize-inl.h"
#include "kernels/qgemm/w4-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_SCALAR);

namespace internal {

void qmicro_scalar(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile, bool accumulate,
                   const float* scale, std::int64_t group) {
  constexpr int nr = nr_w8a8_scalar;
  static_assert(stride_w8a8_scalar == stride_w4a8_scalar && nr == nr_w4a8_scalar);
  for_groups(a, 1, w, nr, k, accumulate, scale, group,
             [&](const char* panel, const std::int8_t* weights, std::int64_t n, bool add, const float* s) {
               for (int r = 0; r < rows; ++r) {
                 const auto* x = reinterpret_cast<const std::int8_t*>(panel) + r * stride_w8a8_scalar;
                 std::int32_t sum[nr] = {};
                 for (std::int64_t i = 0; i < n; ++i) {
                   for (int j = 0; j < cols; ++j) sum[j] += x[i] * weights[i * nr + j];
                 }
                 for (int j = 0; j < cols; ++j) {
                   const int at = r * nr + j;
                   if (s) {
                     float& out = static_cast<float*>(tile)[at];
                     out = (add ? out : 0.0f) + static_cast<float>(sum[j]) * s[j];
                   } else {
                     std::int32_t& out = static_cast<std::int32_t*>(tile)[at];
                     out = (add ? out : 0) + sum[j];
                   }
                 }
               }
             });
}

const QgemmOps qops_scalar{quantize_rows, unpack_nibbles, finish_tile};

void dequantize_scalar(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0,
                       std::int64_t k, int nr, WeightLayout layout, void* out) {
  dequantize_panel(panel, scale, group, k0, k, nr, layout, out);
}

}  // namespace internal
}  // namespace thimble::kernels
