// What happens to a tile of a matrix product or convolution while it is still in cache:
//   C[m, n] = residual[m, n] + gate[batch(m), n] * f(acc[m, n] + bias[batch(m), n])
// or, with act_last, f(residual + gate * (acc + bias)); f(v) = min(act(v < 0 ? slope[n] * v : v), most).
// Every part may be absent. The arithmetic is f32; one rounding, to the output type, at the end.
#pragma once

#include <cstdint>
#include <limits>

#include "base/dtype.h"

namespace thimble::kernels {

enum class Activation : std::uint8_t { none, relu, gelu_erf, gelu_tanh, gelu_quick, silu, sigmoid, tanh, hard_swish };

// batch(m) = m / rows_per_batch. bias and gate have N values per batch, the next batch's `*_batch_stride` elements on;
// a stride of 0 shares one vector between all batches.
struct Epilogue {
  const float* bias = nullptr;
  std::int64_t bias_batch_stride = 0;
  Activation act = Activation::none;
  const float* slope = nullptr;  // (N) of values below zero
  float most = std::numeric_limits<float>::infinity();
  bool act_last = false;
  const void* gate = nullptr;
  DType gate_type = DType::f32;  // f32 or bf16
  std::int64_t gate_batch_stride = 0;
  std::int64_t rows_per_batch = INT64_MAX;  // > 0
  const void* residual =
      nullptr;                   // (M, N) of the output's type; may be C itself when ld is equal, else must not overlap
  std::int64_t residual_ld = 0;  // elements
};

}  // namespace thimble::kernels
