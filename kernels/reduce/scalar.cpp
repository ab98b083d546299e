// Reductions for any machine.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/reduce/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_SCALAR, "built without the flags of this instruction set");

constexpr ReduceKernels reduce_f32_scalar = reduce_row<float>(Isa::scalar, DType::f32, "reduce_f32_scalar");
constexpr ReduceKernels reduce_bf16_scalar = reduce_row<bf16>(Isa::scalar, DType::bf16, "reduce_bf16_scalar");

}  // namespace thimble::kernels
