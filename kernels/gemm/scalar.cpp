// The portable kernel in plain C++: the readable meaning of the others, and the last row of the table.
#include <algorithm>
#include <cmath>

#include "kernels/gemm/functions.h"

namespace thimble::kernels {
namespace {

constexpr int kCols = 8;

float widen(float v) { return v; }
float widen(std::uint16_t v) { return to_f32(bf16{v}); }

// column_offset(j) finds column j among the kCols weights of one k.
template <class W, class Offset>
void micro(const float* a, std::int64_t stride, const W* w, Offset column_offset, std::int64_t k, int rows, int cols,
           float* tile, bool accumulate) {
  for (int r = 0; r < rows; ++r) {
    float acc[kCols] = {};
    for (std::int64_t i = 0; i < k; ++i) {
      const float x = a[r * stride + i];
      for (int j = 0; j < cols; ++j) acc[j] += x * widen(w[i * kCols + column_offset(j)]);
    }
    for (int j = 0; j < cols; ++j) tile[r * kCols + j] = accumulate ? tile[r * kCols + j] + acc[j] : acc[j];
  }
}

float activate(Activation act, float x) {
  switch (act) {
    case Activation::none: return x;
    case Activation::relu: return x < 0 ? 0 : x;
    case Activation::gelu_erf: return 0.5f * x * std::erfc(-x * 0.70710678f);
    case Activation::gelu_tanh: return 0.5f * x * (1 + std::tanh(0.79788456f * (x + 0.044715f * x * x * x)));
    case Activation::gelu_quick: return x / (1 + std::exp(-1.702f * x));
    case Activation::silu: return x / (1 + std::exp(-x));
    case Activation::sigmoid: return 1 / (1 + std::exp(-x));
    case Activation::tanh: return std::tanh(x);
    case Activation::hard_swish: return x * (x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5f);
  }
  return x;
}

float shaped(const Epilogue& e, std::int64_t n, float v) {
  if (e.slope && v < 0) v *= e.slope[n];
  v = activate(e.act, v);
  return v > e.most ? e.most : v;
}

float read(const void* p, DType type, std::int64_t i) {
  return type == DType::f32 ? static_cast<const float*>(p)[i] : to_f32(static_cast<const bf16*>(p)[i]);
}

}  // namespace

namespace internal {

void gemm_f32_scalar(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  micro(
      static_cast<const float*>(a), stride_f32_scalar / 4, static_cast<const float*>(w), [](int j) { return j; }, k,
      rows, cols, tile, accumulate);
}

void gemm_bf16_scalar(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  micro(
      static_cast<const float*>(a), stride_bf16_scalar / 4, static_cast<const std::uint16_t*>(w),
      [](int j) { return j % (kCols / 2) * 2 + j / (kCols / 2); }, k, rows, cols, tile, accumulate);
}

void epilogue_scalar(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                     const Epilogue& e, void* c, std::int64_t ldc, DType c_type) {
  for (int r = 0; r < rows; ++r) {
    const std::int64_t m = m0 + r, batch = m / e.rows_per_batch;
    for (int j = 0; j < cols; ++j) {
      const std::int64_t n = n0 + j;
      float v = tile[r * ld_tile + j];
      if (e.bias) v += e.bias[batch * e.bias_batch_stride + n];
      if (!e.act_last) v = shaped(e, n, v);
      if (e.gate) v *= read(e.gate, e.gate_type, batch * e.gate_batch_stride + n);
      if (e.residual) v += read(e.residual, c_type, m * e.residual_ld + n);
      if (e.act_last) v = shaped(e, n, v);
      if (c_type == DType::f32) {
        static_cast<float*>(c)[m * ldc + n] = v;
      } else {
        static_cast<bf16*>(c)[m * ldc + n] = to_bf16(v);
      }
    }
  }
}

}  // namespace internal
}  // namespace thimble::kernels
