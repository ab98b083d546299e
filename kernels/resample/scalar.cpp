// Resize and pooling for any machine.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/resample/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_SCALAR, "built without the flags of this instruction set");

constexpr ResampleKernels resample_f32_scalar = resample_row<float>(Isa::scalar, DType::f32, "resample_f32_scalar");
constexpr ResampleKernels resample_bf16_scalar = resample_row<bf16>(Isa::scalar, DType::bf16, "resample_bf16_scalar");

}  // namespace thimble::kernels
