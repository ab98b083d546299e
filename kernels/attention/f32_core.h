// The matrix products of attention in f32, for f32 data and for bf16 data widened block by block.
#pragma once

#include <utility>

#include "kernels/attention/generic.h"

namespace thimble::kernels {
namespace {

// kVecs vectors of queries by kTileRows keys (or value channels) accumulate in registers, next to kVecs operands and a
// broadcast: 27 of 32 registers (AVX-512), 15 of 16 (AVX2), 29 of 32 (NEON).
#if HWY_TARGET == HWY_AVX3
constexpr int kVecs = 2, kTileRows = 12;
#elif HWY_TARGET == HWY_AVX2
constexpr int kVecs = 2, kTileRows = 6;
#else
constexpr int kVecs = 4, kTileRows = 6;
#endif

// Packed rows have constant strides, so that every broadcast is one load at a constant distance from one pointer.
// Long heads are cut into chunks. 17 cache lines to a row: rows do not fall into one set of the cache.
constexpr std::int64_t kChunk = 256, kChunkStride = kChunk + 16;

template <class Element>
struct F32Core {
  using T = Element;
  static constexpr int kPanel = kVecs * kLanes, kKeys = 48, kRows = kKeys, kPanels = 4;

  struct Values {
    const float* data;
    std::int64_t stride;
  };

  static std::int64_t q_bytes(std::int64_t D) { return D * kPanel * 4; }
  static std::int64_t k_bytes(std::int64_t D) { return (D + kChunk - 1) / kChunk * kKeys * kChunkStride * 4; }
  static std::int64_t v_bytes(std::int64_t Dv) { return sizeof(T) == 4 ? 0 : kKeys * value_stride(Dv) * 4; }
  static std::int64_t o_rows(std::int64_t Dv) { return Dv; }
  static std::int64_t value_stride(std::int64_t Dv) { return up_to(Dv, 16) + 16; }

  static void widen_row(const T* x, std::int64_t n, float* out) {
    for_vectors(
        n, [&](std::int64_t i) { store(load(x + i), out + i); },
        [&](std::int64_t i, std::int64_t left) { store_n(load_n(x + i, left), out + i, left); });
  }

  // Whole panels: lanes behind n repeat the last query.
  static void pack_q(const T* q, std::int64_t stride, std::int64_t n, std::int64_t D, void* out) {
    float* packed = static_cast<float*>(out);
    if constexpr (sizeof(T) == 4) {
      transpose_floats(q, stride, packed, kPanel, D, n);
    } else {
      constexpr std::int64_t kPart = 64;
      float part[kPanel * kPart];
      for (std::int64_t d = 0; d < D; d += kPart) {
        const std::int64_t size = least(kPart, D - d);
        for (std::int64_t i = 0; i < n; ++i) widen_row(q + i * stride + d, size, part + i * kPart);
        transpose_floats(part, kPart, packed + d * kPanel, kPanel, size, n);
      }
    }
    if (n == kPanel) return;
    for (std::int64_t d = 0; d < D; ++d) {
      for (std::int64_t i = n; i < kPanel; ++i) packed[d * kPanel + i] = packed[d * kPanel + n - 1];
    }
  }

  static const void* pack_k(const T* k, std::int64_t stride, std::int64_t n, std::int64_t D, void* out) {
    float* packed = static_cast<float*>(out);
    for (std::int64_t d = 0; d < D; d += kChunk, packed += kKeys * kChunkStride) {
      for (std::int64_t j = 0; j < n; ++j) {
        widen_row(k + j * stride + d, least(kChunk, D - d), packed + j * kChunkStride);
      }
    }
    return out;
  }

  static Values pack_v(const T* v, std::int64_t stride, std::int64_t n, std::int64_t Dv, void* out) {
    if constexpr (sizeof(T) == 4) {
      return {v, stride};
    } else {
      float* packed = static_cast<float*>(out);
      for (std::int64_t j = 0; j < n; ++j) widen_row(v + j * stride, Dv, packed + j * value_stride(Dv));
      return {packed, value_stride(Dv)};
    }
  }

  template <int kCount>
  static void score_tile(const float* q, const float* k, std::int64_t D, float* s) {
    Vec acc[kCount][kVecs];
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) acc[r][v] = set(0);
    }
    for (std::int64_t chunk = 0; chunk < D; chunk += kChunk, k += kKeys * kChunkStride) {
      const std::int64_t size = least(kChunk, D - chunk);
      const float* x = k;
      for (std::int64_t d = 0; d < size; ++d, ++x, q += kPanel) {
        Vec lane[kVecs];
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) lane[v] = load(q + v * kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kCount; ++r) {
          const Vec one = set(x[r * kChunkStride]);
#pragma GCC unroll 4
          for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::MulAdd(one, lane[v], acc[r][v]);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) store(acc[r][v], s + r * kPanel + v * kLanes);
    }
  }

  template <int kCount>
  static void value_tile(const float* s, const float* x, std::int64_t stride, std::int64_t n, float* o, bool first) {
    Vec acc[kCount][kVecs];
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) acc[r][v] = first ? set(0) : load(o + r * kPanel + v * kLanes);
    }
    for (std::int64_t j = 0; j < n; ++j, x += stride, s += kPanel) {
      Vec lane[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) lane[v] = load(s + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kCount; ++r) {
        const Vec one = set(x[r]);
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::MulAdd(one, lane[v], acc[r][v]);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kCount; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) store(acc[r][v], o + r * kPanel + v * kLanes);
    }
  }

  template <int... kCounts>
  static constexpr auto score_tiles(std::integer_sequence<int, kCounts...>) {
    struct Table {
      void (*tile[sizeof...(kCounts)])(const float*, const float*, std::int64_t, float*);
    };
    return Table{{score_tile<kCounts + 1>...}};
  }
  template <int... kCounts>
  static constexpr auto value_tiles(std::integer_sequence<int, kCounts...>) {
    struct Table {
      void (*tile[sizeof...(kCounts)])(const float*, const float*, std::int64_t, std::int64_t, float*, bool);
    };
    return Table{{value_tile<kCounts + 1>...}};
  }

  // Tiles of nearly equal height: a short last tile would leave the multipliers idle.
  static std::int64_t tile_rows(std::int64_t n) {
    const std::int64_t tiles = (n + kTileRows - 1) / kTileRows;
    return (n + tiles - 1) / tiles;
  }

  void scores(const void* q, const void* k, std::int64_t n, std::int64_t D, float* s) const {
    static constexpr auto kTiles = score_tiles(std::make_integer_sequence<int, kTileRows>());
    const std::int64_t step = tile_rows(n);
    for (std::int64_t j = 0; j < n; j += step) {
      kTiles.tile[least(step, n - j) - 1](static_cast<const float*>(q), static_cast<const float*>(k) + j * kChunkStride,
                                          D, s + j * kPanel);
    }
  }

  static Vec exponent(Vec x) { return exp2_negative(x); }

  static THIMBLE_INLINE void put_weights(Vec p0, Vec p1, std::int64_t j, std::int64_t lane, float* s) {
    store(p0, s + j * kPanel + lane);
    if (j + 1 < kKeys) store(p1, s + (j + 1) * kPanel + lane);
  }

  void accumulate(float* s, Values v, std::int64_t n, std::int64_t Dv, float* o, bool first) const {
    static constexpr auto kTiles = value_tiles(std::make_integer_sequence<int, kTileRows>());
    const std::int64_t step = tile_rows(Dv);
    for (std::int64_t d = 0; d < Dv; d += step) {
      kTiles.tile[least(step, Dv - d) - 1](s, v.data + d, v.stride, n, o + d * kPanel, first);
    }
  }
};

}  // namespace
}  // namespace thimble::kernels
