// Norms and softmax on bf16 data for AVX-512 with the rounding instruction of AVX512-BF16.
#include "kernels/norm/generic.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr NormKernels norm_bf16_avx512_bf16 = norm_row<bf16>(Isa::avx512_bf16, DType::bf16, "norm_bf16_avx512_bf16");

}  // namespace thimble::kernels
