// Resize and pooling for AVX2 with FMA and F16C.
#include "kernels/resample/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

constexpr ResampleKernels resample_f32_avx2 = resample_row<float>(Isa::avx2, DType::f32, "resample_f32_avx2");
constexpr ResampleKernels resample_bf16_avx2 = resample_row<bf16>(Isa::avx2, DType::bf16, "resample_bf16_avx2");

}  // namespace thimble::kernels
