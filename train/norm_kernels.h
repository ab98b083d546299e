// Forward and backward of group norm (channels-last) and row norms on raw pointers, bf16 or f32 in and out, statistics
// and parameter gradients in f32. They exist for training: inference kernels live in kernels/norm.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace thimble::train {

// x, y, dy, dx: (B, P, C). mean, rstd: (B, groups). weight, bias, dweight, dbias: (C).
struct GroupNormShape {
  std::int64_t batch, positions, channels, groups;
  double eps;
};
template <class T>
void group_norm_forward(const GroupNormShape& s, const T* x, const float* weight, const float* bias, T* y, float* mean,
                        float* rstd) noexcept;
template <class T>
void group_norm_backward(const GroupNormShape& s, const T* x, const T* dy, const float* weight, const float* mean,
                         const float* rstd, T* dx, float* dweight, float* dbias) noexcept;

// x, y, dy, dx: (rows, C). weight, bias and their gradients may be null. `centre`: layer norm, else RMS norm
// (mean is then not read or written). mean, rstd: (rows).
struct RowNormShape {
  std::int64_t rows, channels;
  double eps;
  bool centre;
};
template <class T>
void row_norm_forward(const RowNormShape& s, const T* x, const float* weight, const float* bias, T* y, float* mean,
                      float* rstd) noexcept;
template <class T>
void row_norm_backward(const RowNormShape& s, const T* x, const T* dy, const float* weight, const float* mean,
                       const float* rstd, T* dx, float* dweight, float* dbias) noexcept;

}  // namespace thimble::train
