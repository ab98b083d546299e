// AVX2 depthwise kernels.
#include "kernels/conv/depthwise-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_avx2(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_avx2); }
void depthwise_bf16_avx2(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_avx2); }

}  // namespace thimble::kernels::internal
