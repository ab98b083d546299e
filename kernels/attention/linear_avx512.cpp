// Linear attention for AVX-512.
#include "kernels/attention/linear-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr LinearAttentionKernel linear_attention_f32_avx512 =
    linear_attention_row<float>(Isa::avx512, DType::f32, "linear_attention_f32_avx512");
constexpr LinearAttentionKernel linear_attention_bf16_avx512 =
    linear_attention_row<bf16>(Isa::avx512, DType::bf16, "linear_attention_bf16_avx512");

}  // namespace thimble::kernels
