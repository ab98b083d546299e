// Portable depthwise kernels.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/conv/depthwise-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_scalar(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_scalar); }
void depthwise_bf16_scalar(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_scalar); }

}  // namespace thimble::kernels::internal
