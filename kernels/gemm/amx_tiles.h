// The AMX micro-kernel over a tile engine T, so that its indexing can be tested on machines without AMX: amx.cpp uses
// the instructions, the test emulates tiles in plain C++. Tiles 0-3 accumulate a 32 x 32 output, 4-5 hold A, 6-7 hold
// W.
//   T::zero(Tile<i>), T::load(Tile<i>, base, stride_bytes), T::store(Tile<i>, base, stride_bytes)
//   T::multiply(Tile<c>, Tile<a>, Tile<w>): c += a * w over 16 pairs of bf16
#pragma once

#include <cstdint>
#include <type_traits>

namespace thimble::kernels {
namespace {

template <int i>
using Tile = std::integral_constant<int, i>;

inline constexpr int kTileRows = 16, kTileBytes = 64, kTileSize = kTileRows * kTileBytes;

// Two by two tiles, or fewer where the output ends. A tile of A always reads 16 rows: rows beyond the panel are
// whatever lies there, and their results are not used.
template <class T, bool two_rows, bool two_cols>
void amx_tile(const char* a, std::int64_t stride, const char* w, std::int64_t k, float* out, bool accumulate) {
  constexpr std::int64_t ld = 32 * sizeof(float);
  float* const lower = out + kTileRows * 32;
  const auto each_output = [&](auto&& f) {
    f(Tile<0>(), out);
    if constexpr (two_cols) f(Tile<1>(), out + 16);
    if constexpr (two_rows) f(Tile<2>(), lower);
    if constexpr (two_rows && two_cols) f(Tile<3>(), lower + 16);
  };
  each_output([&](auto tile, float* p) {
    if (accumulate) {
      T::load(tile, p, ld);
    } else {
      T::zero(tile);
    }
  });
  for (std::int64_t i = 0; i < k; i += 32, a += kTileBytes, w += 2 * kTileSize) {
    T::load(Tile<4>(), a, stride);
    T::load(Tile<6>(), w, kTileBytes);
    T::multiply(Tile<0>(), Tile<4>(), Tile<6>());
    if constexpr (two_cols) {
      T::load(Tile<7>(), w + kTileSize, kTileBytes);
      T::multiply(Tile<1>(), Tile<4>(), Tile<7>());
    }
    if constexpr (two_rows) {
      T::load(Tile<5>(), a + kTileRows * stride, stride);
      T::multiply(Tile<2>(), Tile<5>(), Tile<6>());
      if constexpr (two_cols) T::multiply(Tile<3>(), Tile<5>(), Tile<7>());
    }
  }
  each_output([&](auto tile, float* p) { T::store(tile, p, ld); });
}

// A micro-kernel of GemmKernel (layout bf16_amx, mr = nr = kr = 32).
template <class T, std::int64_t stride>
void amx_micro(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  static constexpr void (*kTiles[2][2])(const char*, std::int64_t, const char*, std::int64_t, float*, bool) = {
      {amx_tile<T, false, false>, amx_tile<T, false, true>}, {amx_tile<T, true, false>, amx_tile<T, true, true>}};
  kTiles[rows > kTileRows][cols > kTileRows](static_cast<const char*>(a), stride, static_cast<const char*>(w), k, tile,
                                             accumulate);
}

}  // namespace
}  // namespace thimble::kernels
