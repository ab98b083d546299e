// Elementwise layers with their gradients on raw pointers, bf16 or f32 in and out, f32 inside, each in one pass. They
// exist for training, where LibTorch 1.13 takes several passes and slow functions; inference kernels live in kernels/.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace thimble::train {

// y = x * sigmoid(2 u(x)): the tanh form of GELU with u = sqrt(2/pi) (x + 0.044715 x^3), or SiLU with u = x / 2.
enum class Gate { gelu_tanh, silu };
template <class T>
void gate_forward(Gate gate, const T* x, T* y, std::int64_t n) noexcept;
template <class T>
void gate_backward(Gate gate, const T* x, const T* dy, T* dx, std::int64_t n) noexcept;

// y = x * (1 + scale) + shift. x, y, dy, dx: (batch, rows, C); shift, scale and their gradients: (batch, C).
struct ModulateShape {
  std::int64_t batch, rows, channels;
};
template <class T>
void modulate_forward(const ModulateShape& s, const T* x, const float* shift, const float* scale, T* y) noexcept;
template <class T>
void modulate_backward(const ModulateShape& s, const T* x, const T* dy, const float* scale, T* dx, float* dshift,
                       float* dscale) noexcept;

}  // namespace thimble::train
