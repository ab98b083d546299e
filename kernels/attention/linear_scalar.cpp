// Linear attention for plain C++.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/attention/linear-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_SCALAR, "built without the flags of this instruction set");

constexpr LinearAttentionKernel linear_attention_f32_scalar =
    linear_attention_row<float>(Isa::scalar, DType::f32, "linear_attention_f32_scalar");
constexpr LinearAttentionKernel linear_attention_bf16_scalar =
    linear_attention_row<bf16>(Isa::scalar, DType::bf16, "linear_attention_bf16_scalar");

}  // namespace thimble::kernels
