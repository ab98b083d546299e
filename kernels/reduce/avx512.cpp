// Reductions for AVX-512 (F, BW, DQ, VL).
#include "kernels/reduce/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr ReduceKernels reduce_f32_avx512 = reduce_row<float>(Isa::avx512, DType::f32, "reduce_f32_avx512");
constexpr ReduceKernels reduce_bf16_avx512 = reduce_row<bf16>(Isa::avx512, DType::bf16, "reduce_bf16_avx512");

}  // namespace thimble::kernels
