// Norms and softmax for AVX-512 (F, BW, DQ, VL).
#include "kernels/norm/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr NormKernels norm_f32_avx512 = norm_row<float>(Isa::avx512, DType::f32, "norm_f32_avx512");
constexpr NormKernels norm_bf16_avx512 = norm_row<bf16>(Isa::avx512, DType::bf16, "norm_bf16_avx512");

}  // namespace thimble::kernels
