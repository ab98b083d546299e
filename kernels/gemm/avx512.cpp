// AVX-512 micro-kernels, f32 and bf16 widened to f32: 14 x 32 tiles, 28 of 32 registers accumulate.
#include <immintrin.h>

#include "kernels/gemm/epilogue-inl.h"
#include "kernels/gemm/functions.h"
#include "kernels/gemm/generic.h"

namespace thimble::kernels {
namespace {

struct F32 {
  using Vec = __m512;
  using A = float;
  using W = float;
  static constexpr int kLanes = 16, kRows = internal::mr_f32_avx512, kStep = 1;
  static constexpr std::int64_t kStride = internal::stride_f32_avx512;
  static Vec zero() { return _mm512_setzero_ps(); }
  static Vec load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
  static Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
  static Vec broadcast(const A* p) { return _mm512_set1_ps(*p); }
  static Vec fma(Vec acc, Vec a, Vec w) { return _mm512_fmadd_ps(a, w, acc); }
  template <int NV>
  static void weights(const W* w, Vec (&b)[2]) {
    b[0] = _mm512_load_ps(w);
    if constexpr (NV == 2) b[1] = _mm512_load_ps(w + 16);
  }
};

// Columns j and j + 16 share a 32-bit word: the lower one is shifted up, the upper one keeps its place.
struct Bf16 : F32 {
  using W = std::uint16_t;
  static constexpr std::int64_t kStride = internal::stride_bf16_avx512;
  template <int NV>
  static void weights(const W* w, Vec (&b)[2]) {
    const __m512i both = _mm512_load_si512(w);
    b[0] = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    if constexpr (NV == 2) {
      b[1] = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
    }
  }
};

}  // namespace

namespace internal {

void gemm_f32_avx512(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  micro<F32>(a, w, k, rows, cols, tile, accumulate);
}

void gemm_bf16_avx512(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  micro<Bf16>(a, w, k, rows, cols, tile, accumulate);
}

void epilogue_avx512(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                     const Epilogue& e, void* c, std::int64_t ldc, DType c_type) {
  epilogue_tile(tile, ld_tile, m0, n0, rows, cols, e, c, ldc, c_type);
}

}  // namespace internal
}  // namespace thimble::kernels
