// Resize and pooling for AVX-512 (F, BW, DQ, VL).
#include "kernels/resample/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr ResampleKernels resample_f32_avx512 = resample_row<float>(Isa::avx512, DType::f32, "resample_f32_avx512");
constexpr ResampleKernels resample_bf16_avx512 = resample_row<bf16>(Isa::avx512, DType::bf16, "resample_bf16_avx512");

}  // namespace thimble::kernels
