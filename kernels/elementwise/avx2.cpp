// Elementwise loops for AVX2 with FMA and F16C.
#include "kernels/elementwise/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

constexpr ElementwiseKernels elementwise_f32_avx2 =
    elementwise_row<float>(Isa::avx2, DType::f32, "elementwise_f32_avx2");
constexpr ElementwiseKernels elementwise_bf16_avx2 =
    elementwise_row<bf16>(Isa::avx2, DType::bf16, "elementwise_bf16_avx2");

}  // namespace thimble::kernels
