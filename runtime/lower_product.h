// What the lowerings of products share: types, epilogues, and how a kernel is named.
#pragma once

#include <string>

#include "runtime/lowering.h"

namespace thimble::runtime {

// Of matrix inputs; the result has this type or f32.
DType product_type(const Lowering& l, const Unit& u);

// Bias, activation, gate and residual of `u`: the epilogue, and operands 2 to 4. Call it before result().
kernels::Epilogue epilogue(Lowering& l, const Unit& u, Operands& io);

// The kernel's name, and the better ones with the reason why they were passed over.
Lowering::Kernel describe(const Lowering& l, const kernels::GemmKernel& kernel);

// The shape of a convolution that a unit makes of its input; Op: Conv2d or QuantConv2d.
template <class Op>
kernels::ConvShape conv_shape(const graph::Shape& x, const graph::Shape& w, const Op& op, bool upsample) {
  return {.B = x[0],
          .H = x[1],
          .W = x[2],
          .C = x[3],
          .O = w[0],
          .kh = w[2],
          .kw = w[3],
          .stride_h = op.stride[0],
          .stride_w = op.stride[1],
          .pad_top = op.padding[0],
          .pad_left = op.padding[1],
          .pad_bottom = op.padding[2],
          .pad_right = op.padding[3],
          .dilation_h = op.dilation[0],
          .dilation_w = op.dilation[1],
          .groups = op.groups,
          .upsample = upsample};
}

// Names the order of packed weights, in the keys of fixed buffers.
std::string layout_key(const kernels::GemmKernel& kernel);

}  // namespace thimble::runtime
