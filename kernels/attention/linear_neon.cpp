// Linear attention for NEON.
#include "kernels/attention/linear-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_NEON, "built without the flags of this instruction set");

constexpr LinearAttentionKernel linear_attention_f32_neon =
    linear_attention_row<float>(Isa::neon, DType::f32, "linear_attention_f32_neon");
constexpr LinearAttentionKernel linear_attention_bf16_neon =
    linear_attention_row<bf16>(Isa::neon, DType::bf16, "linear_attention_bf16_neon");

}  // namespace thimble::kernels
