// AVX-512 VNNI micro-kernel: dot products of four bytes, 14 x 32 tiles, 28 of 32 registers accumulate. The instruction
// multiplies unsigned by signed and does not saturate: activations are the unsigned side (q + 128).
#include <immintrin.h>

#include <cstring>

#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/micro-inl.h"

namespace thimble::kernels {
namespace {

struct Quads {
  using Vec = __m512i;
  using Float = __m512;
  static constexpr int kLanes = 16, kRows = internal::mr_w8a8_avx512_vnni, kStep = 4;
  static constexpr std::int64_t kStride = internal::stride_w8a8_avx512_vnni;
  static_assert(kRows == internal::mr_w4a8_avx512_vnni && kStride == internal::stride_w4a8_avx512_vnni);
  static Vec zero() { return _mm512_setzero_si512(); }
  static Vec load(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static void store(std::int32_t* p, Vec v) { _mm512_storeu_si512(p, v); }
  static Vec add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
  static Vec broadcast(const char* p) {
    int quad;
    std::memcpy(&quad, p, sizeof(quad));
    return _mm512_set1_epi32(quad);
  }
  static Vec weights(const std::int8_t* w) { return _mm512_load_si512(w); }
  static Vec dot(Vec acc, Vec a, Vec w) { return _mm512_dpbusd_epi32(acc, a, w); }
  static Float load_f(const float* p) { return _mm512_loadu_ps(p); }
  static void store_f(float* p, Float v) { _mm512_storeu_ps(p, v); }
  static Float fold(Float total, Vec sum, Float scale) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, total);
  }
};

}  // namespace

namespace internal {

void qmicro_avx512_vnni(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile,
                        bool accumulate, const float* scale, std::int64_t group) {
  micro<Quads>(a, w, k, rows, cols, tile, accumulate, scale, group);
}

}  // namespace internal
}  // namespace thimble::kernels
