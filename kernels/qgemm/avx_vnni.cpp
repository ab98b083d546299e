// AVX-VNNI micro-kernel (256 bits, processors without AVX-512): dot products of four bytes, unsigned activations
// (q + 128) by signed weights, without saturation; 6 x 16 tiles, 12 of 16 registers accumulate.
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/micro-inl.h"
#include "kernels/qgemm/vector256.h"

namespace thimble::kernels {
namespace {

struct Quads : Vector256 {
  static constexpr int kRows = internal::mr_w8a8_avx_vnni, kStep = 4;
  static constexpr std::int64_t kStride = internal::stride_w8a8_avx_vnni;
  static_assert(kRows == internal::mr_w4a8_avx_vnni && kStride == internal::stride_w4a8_avx_vnni);
  static Vec weights(const std::int8_t* w) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(w)); }
  static Vec dot(Vec acc, Vec a, Vec w) { return _mm256_dpbusd_avx_epi32(acc, a, w); }
};

}  // namespace

namespace internal {

void qmicro_avx_vnni(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile,
                     bool accumulate, const float* scale, std::int64_t group) {
  micro<Quads>(a, w, k, rows, cols, tile, accumulate, scale, group);
}

}  // namespace internal
}  // namespace thimble::kernels
