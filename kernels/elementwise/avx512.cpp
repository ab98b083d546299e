// Elementwise loops for AVX-512 (F, BW, DQ, VL).
#include "kernels/elementwise/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr ElementwiseKernels elementwise_f32_avx512 =
    elementwise_row<float>(Isa::avx512, DType::f32, "elementwise_f32_avx512");
constexpr ElementwiseKernels elementwise_bf16_avx512 =
    elementwise_row<bf16>(Isa::avx512, DType::bf16, "elementwise_bf16_avx512");

}  // namespace thimble::kernels
