// AVX-512 kernels on pictures where they lie.
#include "kernels/conv/direct-inl.h"

namespace thimble::kernels::internal {

void depthwise_f32_avx512(const DepthwiseRow& r) { depthwise_row<float>(r, epilogue_avx512); }
void depthwise_bf16_avx512(const DepthwiseRow& r) { depthwise_row<bf16>(r, epilogue_avx512); }
void direct_f32_avx512(const DirectRow& r) { direct_row(r, epilogue_avx512); }
void narrow_f32_avx512(const DirectRow& r) { narrow_row<float>(r, epilogue_avx512); }
void narrow_bf16_avx512(const DirectRow& r) { narrow_row<bf16>(r, epilogue_avx512); }

}  // namespace thimble::kernels::internal
