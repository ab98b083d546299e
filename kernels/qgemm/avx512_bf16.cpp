// int4 weights to pairs of bf16 for the dot products and tiles of gemm/, with the instruction that rounds 32 floats at
// once, and a table in a register in place of arithmetic. The same bits as w4-inl.h, except that results below the
// normal numbers are zero.
#include <immintrin.h>

#include "kernels/qgemm/functions.h"

namespace thimble::kernels {
namespace {

// Pairs [low, high] of 16 columns.
inline void store_pairs(__m512 low, __m512 high, __m512i interleave, std::uint32_t* out) {
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
  _mm512_store_si512(out, _mm512_permutexvar_epi16(interleave, both));
}

}  // namespace

namespace internal {

void dequantize_avx512_bf16(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0,
                            std::int64_t k, int nr, WeightLayout layout, void* out) {
  const __m512 value = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
  alignas(64) std::int16_t order[32];
  for (int i = 0; i < 32; ++i) order[i] = static_cast<std::int16_t>(i / 2 + i % 2 * 16);
  const __m512i interleave = _mm512_load_si512(order);
  const int half = nr / 2;
  const bool tiles = layout == WeightLayout::bf16_amx;
  auto* words = static_cast<std::uint32_t*>(out);
  const auto load = [](const std::uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  };
  for (std::int64_t i = 0; i < k; i += 2) {
    const std::uint8_t* row = panel + (k0 + i) * half;
    const float* s = scale + (k0 + i) / group * nr;
    std::uint32_t* to = tiles ? words + i / 32 * 16 * nr + i % 32 / 2 * 16 : words + i / 2 * nr;
    for (int j = 0; j < half; j += 16) {
      const __m512 left = _mm512_loadu_ps(s + j), right = _mm512_loadu_ps(s + half + j);
      const __m512i first = load(row + j), second = load(row + half + j);
      // The permutation looks at the low four bits alone.
      const auto floats = [&](__m512i u, __m512 by) { return _mm512_mul_ps(_mm512_permutexvar_ps(u, value), by); };
      store_pairs(floats(first, left), floats(second, left), interleave, to + j);
      store_pairs(floats(_mm512_srli_epi32(first, 4), right), floats(_mm512_srli_epi32(second, 4), right), interleave,
                  to + (tiles ? 256 : half) + j);
    }
  }
}

}  // namespace internal
}  // namespace thimble::kernels
