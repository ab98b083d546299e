// Reductions for AVX2 with FMA and F16C.
#include "kernels/reduce/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

constexpr ReduceKernels reduce_f32_avx2 = reduce_row<float>(Isa::avx2, DType::f32, "reduce_f32_avx2");
constexpr ReduceKernels reduce_bf16_avx2 = reduce_row<bf16>(Isa::avx2, DType::bf16, "reduce_bf16_avx2");

}  // namespace thimble::kernels
