// Attention with the AVX512-BF16 dot product: pairs of bf16 along the head size for the scores, pairs of keys for the
// values. Scores, sums and results are f32; softmax weights are rounded to bf16 before they meet the values.
#include <immintrin.h>

#include <utility>

#include "kernels/attention/generic.h"

namespace thimble::kernels {
namespace {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

constexpr int kTileRows = 12;  // times two vectors of queries: 24 registers accumulate

// Packed rows of K: chunks of 256 elements, 9 cache lines apart so that rows do not fall into one set of the cache.
constexpr std::int64_t kChunk = 256, kChunkStride = kChunk + 32;

// Words low, high, low + 1, high + 1, ...: the order that joins two halves to pairs.
struct WordOrder {
  alignas(64) std::uint16_t word[32];
  constexpr WordOrder(int low, int high) : word{} {
    for (int i = 0; i < 16; ++i) {
      word[2 * i] = static_cast<std::uint16_t>(low + i);
      word[2 * i + 1] = static_cast<std::uint16_t>(high + i);
    }
  }
};
constexpr WordOrder kJoinHalves(0, 16), kJoinLower(0, 32), kJoinUpper(16, 48);

struct DotCore {
  using T = bf16;
  static constexpr int kPanel = 32, kKeys = 96, kRows = kKeys, kPanels = 4;
  using Pair = std::uint32_t;  // two bf16, the lower one first

  struct Values {
    const Pair* data;  // [j / 2][d]: keys j and j + 1
    std::int64_t stride;
  };

  static std::int64_t pairs(std::int64_t n) { return (n + 1) / 2; }
  static std::int64_t q_bytes(std::int64_t D) { return pairs(D) * kPanel * 4; }
  static std::int64_t k_bytes(std::int64_t D) { return (D + kChunk - 1) / kChunk * kKeys * kChunkStride * 2; }
  static std::int64_t v_bytes(std::int64_t Dv) { return pairs(kKeys) * value_stride(Dv) * 4; }
  static std::int64_t o_rows(std::int64_t Dv) { return Dv; }
  static std::int64_t value_stride(std::int64_t Dv) { return up_to(Dv, 32) + 16; }

  // n elements, and a zero where n is odd.
  static void copy_row(const bf16* x, std::int64_t n, bf16* out) {
    __builtin_memcpy(out, x, static_cast<std::size_t>(n) * sizeof(bf16));
    if (n % 2 != 0) out[n] = bf16{};
  }

  static void pack_q(const bf16* q, std::int64_t stride, std::int64_t n, std::int64_t D, void* out) {
    constexpr std::int64_t kPart = 128;
    alignas(64) bf16 part[kPanel * kPart];
    Pair* packed = static_cast<Pair*>(out);
    for (std::int64_t d = 0; d < D; d += kPart) {
      const std::int64_t size = least(kPart, D - d);
      for (std::int64_t i = 0; i < n; ++i) copy_row(q + i * stride + d, size, part + i * kPart);
      for (std::int64_t i = n; i < kPanel; ++i) copy_row(q + (n - 1) * stride + d, size, part + i * kPart);
      transpose_tile(reinterpret_cast<const Pair*>(part), kPart / 2, packed + d / 2 * kPanel, std::int64_t{kPanel},
                     pairs(size), std::int64_t{kPanel});
    }
  }

  static const void* pack_k(const bf16* k, std::int64_t stride, std::int64_t n, std::int64_t D, void* out) {
    bf16* packed = static_cast<bf16*>(out);
    for (std::int64_t d = 0; d < D; d += kChunk, packed += kKeys * kChunkStride) {
      for (std::int64_t j = 0; j < n; ++j)
        copy_row(k + j * stride + d, least(kChunk, D - d), packed + j * kChunkStride);
    }
    return out;
  }

  static Values pack_v(const bf16* v, std::int64_t stride, std::int64_t n, std::int64_t Dv, void* out) {
    const std::int64_t row = value_stride(Dv);
    const __m512i low = _mm512_load_si512(kJoinLower.word), high = _mm512_load_si512(kJoinUpper.word);
    Pair* packed = static_cast<Pair*>(out);
    for (std::int64_t j = 0; j < n; j += 2, packed += row) {
      const bf16* x = v + j * stride;
      for (std::int64_t d = 0; d < Dv; d += 32) {
        const std::int64_t left = least(32, Dv - d);
        const auto in = static_cast<__mmask32>((std::uint64_t{1} << left) - 1);
        const __m512i a = _mm512_maskz_loadu_epi16(in, x + d);
        const __m512i b = j + 1 < n ? _mm512_maskz_loadu_epi16(in, x + stride + d) : _mm512_setzero_si512();
        _mm512_storeu_si512(packed + d, _mm512_permutex2var_epi16(a, low, b));
        _mm512_storeu_si512(packed + d + 16, _mm512_permutex2var_epi16(a, high, b));
      }
    }
    return {static_cast<const Pair*>(out), row};
  }

  // Held in a register: GCC 12 would load it anew for every product, and loads are what limits the loop.
  static THIMBLE_INLINE __m512bh pair_lanes(const void* p) {
    __m512i lanes = _mm512_loadu_si512(p);
    __asm__("" : "+v"(lanes));
    return (__m512bh)lanes;
  }
  static THIMBLE_INLINE __m512bh same_pair(const void* p) {
    return (__m512bh)_mm512_set1_epi32(read_as<std::int32_t>(p));
  }

  template <int kCount>
  static void score_tile(const Pair* q, const bf16* k, std::int64_t D, float* s) {
    __m512 acc[kCount][2];
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
    for (std::int64_t chunk = 0; chunk < D; chunk += kChunk, k += kKeys * kChunkStride) {
      const std::int64_t size = least(kChunk, D - chunk);
      const bf16* x = k;
      for (std::int64_t d = 0; d < size; d += 2, x += 2, q += kPanel) {
        const __m512bh q0 = pair_lanes(q), q1 = pair_lanes(q + 16);
#pragma GCC unroll 16
        for (int r = 0; r < kCount; ++r) {
          const __m512bh one = same_pair(x + r * kChunkStride);
          acc[r][0] = _mm512_dpbf16_ps(acc[r][0], q0, one);
          acc[r][1] = _mm512_dpbf16_ps(acc[r][1], q1, one);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
      _mm512_storeu_ps(s + r * kPanel, acc[r][0]);
      _mm512_storeu_ps(s + r * kPanel + 16, acc[r][1]);
    }
  }

  // s: [j / 2][lane] pairs of weights.
  template <int kCount>
  static void value_tile(const float* s, const Pair* x, std::int64_t stride, std::int64_t n, float* o, bool first) {
    __m512 acc[kCount][2];
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
      acc[r][0] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(o + r * kPanel);
      acc[r][1] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(o + r * kPanel + 16);
    }
    for (std::int64_t j = 0; j < n; j += 2, x += stride, s += kPanel) {
      const __m512bh w0 = pair_lanes(s), w1 = pair_lanes(s + 16);
#pragma GCC unroll 16
      for (int r = 0; r < kCount; ++r) {
        const __m512bh one = same_pair(x + r);
        acc[r][0] = _mm512_dpbf16_ps(acc[r][0], w0, one);
        acc[r][1] = _mm512_dpbf16_ps(acc[r][1], w1, one);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
      _mm512_storeu_ps(o + r * kPanel, acc[r][0]);
      _mm512_storeu_ps(o + r * kPanel + 16, acc[r][1]);
    }
  }

  struct Tiles {
    void (*score[kTileRows])(const Pair*, const bf16*, std::int64_t, float*);
    void (*value[kTileRows])(const float*, const Pair*, std::int64_t, std::int64_t, float*, bool);
  };
  template <int... kCounts>
  static constexpr Tiles tiles(std::integer_sequence<int, kCounts...>) {
    return {{score_tile<kCounts + 1>...}, {value_tile<kCounts + 1>...}};
  }

  // Tiles of nearly equal height: a short last tile would leave the multipliers idle.
  static std::int64_t tile_rows(std::int64_t n) {
    const std::int64_t count = (n + kTileRows - 1) / kTileRows;
    return (n + count - 1) / count;
  }

  void scores(const void* q, const void* k, std::int64_t n, std::int64_t D, float* s) const {
    static constexpr Tiles kTiles = tiles(std::make_integer_sequence<int, kTileRows>());
    const std::int64_t step = tile_rows(n);
    for (std::int64_t j = 0; j < n; j += step) {
      kTiles.score[least(step, n - j) - 1](static_cast<const Pair*>(q), static_cast<const bf16*>(k) + j * kChunkStride,
                                           D, s + j * kPanel);
    }
  }

  static Vec exponent(Vec x) { return exp2_negative_coarse(x); }

  static THIMBLE_INLINE void put_weights(Vec p0, Vec p1, std::int64_t j, std::int64_t lane, float* s) {
    const auto both = (__m512i)_mm512_cvtne2ps_pbh(p1.raw, p0.raw);
    const __m512i order = _mm512_load_si512(kJoinHalves.word);
    _mm512_storeu_si512(s + j / 2 * kPanel + lane, _mm512_permutexvar_epi16(order, both));
  }

  void accumulate(float* s, Values v, std::int64_t n, std::int64_t Dv, float* o, bool first) const {
    static constexpr Tiles kTiles = tiles(std::make_integer_sequence<int, kTileRows>());
    const std::int64_t step = tile_rows(Dv);
    for (std::int64_t d = 0; d < Dv; d += step) {
      kTiles.value[least(step, Dv - d) - 1](s, v.data + d, v.stride, n, o + d * kPanel, first);
    }
  }
};

}  // namespace

constexpr AttentionKernel attention_bf16_avx512_bf16 =
    attention_row<DotCore>(Isa::avx512_bf16, DType::bf16, "attention_bf16_avx512_bf16");

}  // namespace thimble::kernels
