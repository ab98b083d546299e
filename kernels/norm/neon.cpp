// Norms and softmax for NEON.
#include "kernels/norm/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_NEON, "built without the flags of this instruction set");

constexpr NormKernels norm_f32_neon = norm_row<float>(Isa::neon, DType::f32, "norm_f32_neon");
constexpr NormKernels norm_bf16_neon = norm_row<bf16>(Isa::neon, DType::bf16, "norm_bf16_neon");

}  // namespace thimble::kernels
