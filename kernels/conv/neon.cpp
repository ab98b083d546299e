// NEON depthwise kernels.
#include "kernels/conv/depthwise-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_neon(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_neon); }
void depthwise_bf16_neon(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_neon); }

}  // namespace thimble::kernels::internal
