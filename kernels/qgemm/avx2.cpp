// AVX2 without VNNI. Products of bytes (vpmaddubsw) add pairs in 16 bits, which 255 * 128 * 2 overflows, so that W8A8
// takes 16-bit operands: activations are packed as such, weights widened when loaded; 6 x 16 tiles.
//
// W4A8 keeps the byte products, exactly: a pair is at most 255 * 8 * 2 = 4080 in size, so that eight steps of four k
// add up in 16 bits (32640) before they are widened. That is 2.25 instructions for 32 products instead of 4. The 16-bit
// sums of a 4 x 16 tile stay in registers, the 32-bit ones in L1.
#include "kernels/qgemm/finish-inl.h"
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/micro-inl.h"
#include "kernels/qgemm/quantize-inl.h"
#include "kernels/qgemm/vector256.h"
#include "kernels/qgemm/w4-inl.h"

namespace thimble::kernels {

static_assert(HWY_TARGET == HWY_AVX2, "built without the flags of this instruction set");

namespace {

struct Pairs : Vector256 {
  static constexpr int kRows = internal::mr_w8a8_avx2, kStep = 2;
  static constexpr std::int64_t kStride = internal::stride_w8a8_avx2;
  static Vec weights(const std::int8_t* w) {
    return _mm256_cvtepi8_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(w)));
  }
  static Vec dot(Vec acc, Vec a, Vec w) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, w)); }
};

constexpr int kStepsIn16Bits = 8;

// group: of k, or k itself without scales.
template <int kRowsHere, int NV>
void nibble_tile(const char* a, const std::int8_t* w, std::int64_t k, void* tile, bool accumulate, const float* scale,
                 std::int64_t group) {
  using V = Vector256;
  constexpr int nr = 16, block = 4 * kStepsIn16Bits;
  alignas(32) std::int32_t sums[kRowsHere][nr];
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t done = 0, in_group = 0; done < k;) {
    __m256i acc[kRowsHere][NV];
#pragma GCC unroll 4
    for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) acc[r][v] = V::zero();
    }
    const std::int64_t n = k - done < block ? k - done : block;
    for (std::int64_t i = 0; i < n; i += 4, a += 4, w += 4 * nr) {
      __m256i b[NV];
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) b[v] = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + 32 * v));
#pragma GCC unroll 4
      for (int r = 0; r < kRowsHere; ++r) {
        const __m256i x = V::broadcast(a + r * internal::stride_w4a8_avx2_nibble);
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) acc[r][v] = _mm256_add_epi16(acc[r][v], _mm256_maddubs_epi16(x, b[v]));
      }
    }
    const bool first = in_group == 0;
    done += n;
    in_group += n;
    const bool last = in_group == group || done == k;
#pragma GCC unroll 4
    for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) {
        __m256i sum = _mm256_madd_epi16(acc[r][v], ones);
        if (!first) sum = V::add(sum, V::load(sums[r] + 8 * v));
        if (!last) {
          V::store(sums[r] + 8 * v, sum);
        } else if (scale) {
          float* out = static_cast<float*>(tile) + r * nr + 8 * v;
          V::store_f(out, V::fold(accumulate ? V::load_f(out) : V::Float{}, sum, V::load_f(scale + 8 * v)));
        } else {
          std::int32_t* out = static_cast<std::int32_t*>(tile) + r * nr + 8 * v;
          V::store(out, accumulate ? V::add(V::load(out), sum) : sum);
        }
      }
    }
    if (last && scale) {
      in_group = 0;
      accumulate = true;
      scale += nr;
    }
  }
  if (k == 0 && !accumulate) std::memset(tile, 0, sizeof(sums));
}

}  // namespace

namespace internal {

void qmicro_avx2(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile, bool accumulate,
                 const float* scale, std::int64_t group) {
  micro<Pairs>(a, w, k, rows, cols, tile, accumulate, scale, group);
}

void qmicro_avx2_nibble(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile,
                        bool accumulate, const float* scale, std::int64_t group) {
  static constexpr decltype(&nibble_tile<1, 1>) kTiles[2][mr_w4a8_avx2_nibble] = {
      {nibble_tile<1, 1>, nibble_tile<2, 1>, nibble_tile<3, 1>, nibble_tile<4, 1>},
      {nibble_tile<1, 2>, nibble_tile<2, 2>, nibble_tile<3, 2>, nibble_tile<4, 2>}};
  kTiles[cols > 8][rows - 1](static_cast<const char*>(a), w, k, tile, accumulate, scale, scale ? group : k);
}

const QgemmOps qops_avx2{quantize_rows, unpack_nibbles, finish_tile};

void dequantize_avx2(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0, std::int64_t k,
                     int nr, WeightLayout layout, void* out) {
  dequantize_panel(panel, scale, group, k0, k, nr, layout, out);
}

}  // namespace internal
}  // namespace thimble::kernels
