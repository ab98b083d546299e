// Elementwise loops for NEON.
#include "kernels/elementwise/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_NEON, "built without the flags of this instruction set");

constexpr ElementwiseKernels elementwise_f32_neon =
    elementwise_row<float>(Isa::neon, DType::f32, "elementwise_f32_neon");
constexpr ElementwiseKernels elementwise_bf16_neon =
    elementwise_row<bf16>(Isa::neon, DType::bf16, "elementwise_bf16_neon");

}  // namespace thimble::kernels
