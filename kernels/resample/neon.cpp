// Resize and pooling for NEON.
#include "kernels/resample/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_NEON, "built without the flags of this instruction set");

constexpr ResampleKernels resample_f32_neon = resample_row<float>(Isa::neon, DType::f32, "resample_f32_neon");
constexpr ResampleKernels resample_bf16_neon = resample_row<bf16>(Isa::neon, DType::bf16, "resample_bf16_neon");

}  // namespace thimble::kernels
