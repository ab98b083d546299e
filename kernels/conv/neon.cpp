// NEON kernels on pictures where they lie.
#include "kernels/conv/direct-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_neon(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_neon); }
void depthwise_bf16_neon(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_neon); }
void direct_f32_neon(const DirectRow& r) { direct_row(r, epilogue_neon); }
void narrow_f32_neon(const DirectRow& r) { narrow_row<float>(r, epilogue_neon); }
void narrow_bf16_neon(const DirectRow& r) { narrow_row<bf16>(r, epilogue_neon); }

}  // namespace thimble::kernels::internal
