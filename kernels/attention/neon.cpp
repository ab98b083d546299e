// Attention in f32 arithmetic for NEON.
#include "kernels/attention/f32_core.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_NEON, "built without the flags of this instruction set");

constexpr AttentionKernel attention_f32_neon =
    attention_row<F32Core<float>>(Isa::neon, DType::f32, "attention_f32_neon");
constexpr AttentionKernel attention_bf16_neon =
    attention_row<F32Core<bf16>>(Isa::neon, DType::bf16, "attention_bf16_neon");

}  // namespace thimble::kernels
