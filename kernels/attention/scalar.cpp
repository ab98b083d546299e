// Attention in f32 arithmetic for any machine.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/attention/f32_core.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_SCALAR, "built without the flags of this instruction set");

constexpr AttentionKernel attention_f32_scalar =
    attention_row<F32Core<float>>(Isa::scalar, DType::f32, "attention_f32_scalar");
constexpr AttentionKernel attention_bf16_scalar =
    attention_row<F32Core<bf16>>(Isa::scalar, DType::bf16, "attention_bf16_scalar");

}  // namespace thimble::kernels
