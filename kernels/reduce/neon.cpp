// Reductions for NEON.
#include "kernels/reduce/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_NEON, "built without the flags of this instruction set");

constexpr ReduceKernels reduce_f32_neon = reduce_row<float>(Isa::neon, DType::f32, "reduce_f32_neon");
constexpr ReduceKernels reduce_bf16_neon = reduce_row<bf16>(Isa::neon, DType::bf16, "reduce_bf16_neon");

}  // namespace thimble::kernels
