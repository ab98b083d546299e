// AVX2 kernels on pictures where they lie.
#include "kernels/conv/direct-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_avx2(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_avx2); }
void depthwise_bf16_avx2(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_avx2); }
void direct_f32_avx2(const DirectRow& r) { direct_row(r, epilogue_avx2); }
void narrow_f32_avx2(const DirectRow& r) { narrow_row<float>(r, epilogue_avx2); }
void narrow_bf16_avx2(const DirectRow& r) { narrow_row<bf16>(r, epilogue_avx2); }

}  // namespace thimble::kernels::internal
