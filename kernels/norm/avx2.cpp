// Norms and softmax for AVX2 with FMA and F16C.
#include "kernels/norm/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

constexpr NormKernels norm_f32_avx2 = norm_row<float>(Isa::avx2, DType::f32, "norm_f32_avx2");
constexpr NormKernels norm_bf16_avx2 = norm_row<bf16>(Isa::avx2, DType::bf16, "norm_bf16_avx2");

}  // namespace thimble::kernels
