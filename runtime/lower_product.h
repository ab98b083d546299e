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

// Names the order of packed weights, in the keys of fixed buffers.
std::string layout_key(const kernels::GemmKernel& kernel);

}  // namespace thimble::runtime
