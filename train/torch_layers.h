// Normalisations, modulation and gated activations with gradients for ATen tensors. On the CPU own channels-last
// kernels with f32 statistics run, since LibTorch 1.13 sums gradients of bf16 norms in bf16; elsewhere they are
// composed from ATen ops in f32.
#pragma once

#include "train/torch.h"

namespace thimble::train {

// x (B, ..., C) bf16 or f32; weight and bias (C), f32 or undefined. The result has x's type.
at::Tensor group_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, std::int64_t groups,
                      double eps);
// Over the last axis; `centre` subtracts the mean (layer norm), else RMS norm.
at::Tensor row_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool centre, double eps);

// x (B, T, C), shift and scale (B, 1, C): x * (1 + scale) + shift.
at::Tensor modulate(const at::Tensor& x, const at::Tensor& shift, const at::Tensor& scale);
at::Tensor gelu_tanh(const at::Tensor& x);
at::Tensor silu(const at::Tensor& x);

}  // namespace thimble::train
