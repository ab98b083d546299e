// AVX-512: what surrounds the products of avx512_vnni.cpp and amx.cpp.
#include "kernels/qgemm/finish-inl.h"
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/quantize-inl.h"
#include "kernels/qgemm/w4-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

namespace internal {

const QgemmOps qops_avx512{quantize_rows, unpack_nibbles, finish_tile};

void dequantize_avx512(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0,
                       std::int64_t k, int nr, WeightLayout layout, void* out) {
  dequantize_panel(panel, scale, group, k0, k, nr, layout, out);
}

}  // namespace internal
}  // namespace thimble::kernels
