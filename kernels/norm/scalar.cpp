// Norms and softmax for any machine.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/norm/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_SCALAR, "built without the flags of this instruction set");

constexpr NormKernels norm_f32_scalar = norm_row<float>(Isa::scalar, DType::f32, "norm_f32_scalar");
constexpr NormKernels norm_bf16_scalar = norm_row<bf16>(Isa::scalar, DType::bf16, "norm_bf16_scalar");

}  // namespace thimble::kernels
