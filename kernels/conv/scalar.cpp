// Portable kernels on pictures where they lie.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/conv/direct-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_scalar(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_scalar); }
void depthwise_bf16_scalar(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_scalar); }
void direct_f32_scalar(const DirectRow& r) { direct_row(r, epilogue_scalar); }
void narrow_f32_scalar(const DirectRow& r) { narrow_row<float>(r, epilogue_scalar); }
void narrow_bf16_scalar(const DirectRow& r) { narrow_row<bf16>(r, epilogue_scalar); }

}  // namespace thimble::kernels::internal
