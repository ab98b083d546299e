// Attention in f32 arithmetic for AVX2 with FMA and F16C.
#include "kernels/attention/f32_core.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

constexpr AttentionKernel attention_f32_avx2 =
    attention_row<F32Core<float>>(Isa::avx2, DType::f32, "attention_f32_avx2");
constexpr AttentionKernel attention_bf16_avx2 =
    attention_row<F32Core<bf16>>(Isa::avx2, DType::bf16, "attention_bf16_avx2");

}  // namespace thimble::kernels
