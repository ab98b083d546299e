// Attention in f32 arithmetic for AVX-512 (F, BW, DQ, VL).
#include "kernels/attention/f32_core.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr AttentionKernel attention_f32_avx512 =
    attention_row<F32Core<float>>(Isa::avx512, DType::f32, "attention_f32_avx512");
constexpr AttentionKernel attention_bf16_avx512 =
    attention_row<F32Core<bf16>>(Isa::avx512, DType::bf16, "attention_bf16_avx512");

}  // namespace thimble::kernels
