// The vector micro-kernel, once, over a small vector type V of an ISA file (in its unnamed namespace):
//   V::Vec                        a register
//   V::kLanes                     f32 per register; the tile is two registers wide
//   V::kRows                      rows of the tile
//   V::kStride                    bytes between rows of the panel of A
//   V::kStep                      k per step of the loop (1, or the pair of a dot product)
//   V::A, V::W                    element types in memory
//   zero, load, store (f32); broadcast(const A*); fma(acc, a, w); weights<NV>(const W*, Vec (&)[2])
// The accumulators stay in registers: kRows * 2 of them, two for weights, one for the broadcast.
#pragma once

#include <cstdint>
#include <utility>

namespace thimble::kernels {
namespace {

// Rows and kStride are constants, so every broadcast is one instruction: a pointer plus a displacement.
template <class V, int kRowsHere, int NV>
void fma_tile(const typename V::A* a, const typename V::W* w, std::int64_t k, float* tile, bool accumulate) {
  constexpr int nr = 2 * V::kLanes;
  constexpr std::int64_t stride = V::kStride / sizeof(typename V::A);
  typename V::Vec acc[kRowsHere][NV];
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) acc[r][v] = V::zero();
  }
  for (std::int64_t i = 0; i < k; i += V::kStep) {
    typename V::Vec b[2];
    V::template weights<NV>(w, b);
#pragma GCC unroll 32
    for (int r = 0; r < kRowsHere; ++r) {
      const auto x = V::broadcast(a + r * stride);
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) acc[r][v] = V::fma(acc[r][v], x, b[v]);
    }
    a += V::kStep;
    w += V::kStep * nr;
  }
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      float* out = tile + r * nr + v * V::kLanes;
      V::store(out, accumulate ? V::add(V::load(out), acc[r][v]) : acc[r][v]);
    }
  }
}

template <class V>
using TileFunction = void (*)(const typename V::A*, const typename V::W*, std::int64_t, float*, bool);

template <class V, int... R>
void dispatch_tile(std::integer_sequence<int, R...>, const void* a, const void* w, std::int64_t k, int rows, int cols,
                   float* tile, bool accumulate) {
  static constexpr TileFunction<V> kTiles[2][V::kRows] = {{fma_tile<V, R + 1, 1>...}, {fma_tile<V, R + 1, 2>...}};
  kTiles[cols > V::kLanes][rows - 1](static_cast<const typename V::A*>(a), static_cast<const typename V::W*>(w), k,
                                     tile, accumulate);
}

// A micro-kernel of GemmKernel: picks the instance for `rows` and for one or two registers of columns.
template <class V>
void micro(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  dispatch_tile<V>(std::make_integer_sequence<int, V::kRows>(), a, w, k, rows, cols, tile, accumulate);
}

}  // namespace
}  // namespace thimble::kernels
