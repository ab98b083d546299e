// Linear attention for AVX2 with FMA.
#include "kernels/attention/linear-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

constexpr LinearAttentionKernel linear_attention_f32_avx2 =
    linear_attention_row<float>(Isa::avx2, DType::f32, "linear_attention_f32_avx2");
constexpr LinearAttentionKernel linear_attention_bf16_avx2 =
    linear_attention_row<bf16>(Isa::avx2, DType::bf16, "linear_attention_bf16_avx2");

}  // namespace thimble::kernels
