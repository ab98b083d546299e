// The integer micro-kernel of x86, once, over a small vector type V of an ISA file (in its unnamed namespace):
//   V::Vec, V::Float              registers of int32 and of f32
//   V::kLanes                     int32 per register; the tile is two registers wide
//   V::kRows                      rows of the tile
//   V::kStride                    bytes between rows of the panel of A
//   V::kStep                      k per step of the loop: what one 32-bit word of A holds
//   zero, load, store, add (int32); broadcast(const char*) of one word of A; weights(const int8_t*) of kStep * kLanes
//   bytes; dot(acc, a, w); load_f, store_f (f32); fold(total, sum, scale): total + float(sum) * scale
// The accumulators stay in registers: kRows * 2 of them, two for weights, one for the broadcast. With groups half of
// the rows are done at a time, so that the f32 totals have registers too.
#pragma once

#include <cstdint>
#include <utility>

namespace thimble::kernels {
namespace {

// Adds k products to zeroed sums. Rows and kStride are constants, so every broadcast is one instruction: a pointer plus
// a displacement.
template <class V, int kRowsHere, int NV>
inline __attribute__((always_inline)) void dot_products(const char* a, const std::int8_t* w, std::int64_t k,
                                                        typename V::Vec (&acc)[kRowsHere][NV]) {
  constexpr int bytes = V::kStep * V::kLanes;
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) acc[r][v] = V::zero();
  }
  for (std::int64_t i = 0; i < k; i += V::kStep) {
    typename V::Vec b[NV];
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) b[v] = V::weights(w + v * bytes);
#pragma GCC unroll 32
    for (int r = 0; r < kRowsHere; ++r) {
      const auto x = V::broadcast(a + r * V::kStride);
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) acc[r][v] = V::dot(acc[r][v], x, b[v]);
    }
    a += 4;
    w += 2 * bytes;
  }
  // GCC sees a vector of other elements in the loop than behind it and would store both forms at every step; an asm
  // that seems to write the sums leaves one.
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) __asm__("" : "+v"(acc[r][v]));
  }
}

template <class V, int kRowsHere, int NV>
void dot_tile(const char* a, const std::int8_t* w, std::int64_t k, std::int32_t* tile, bool accumulate) {
  typename V::Vec acc[kRowsHere][NV];
  dot_products<V>(a, w, k, acc);
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      std::int32_t* out = tile + (2 * r + v) * V::kLanes;
      V::store(out, accumulate ? V::add(V::load(out), acc[r][v]) : acc[r][v]);
    }
  }
}

template <class V, int kRowsHere, int NV>
void group_tile(const char* a, const std::int8_t* w, std::int64_t k, float* tile, bool accumulate, const float* scale,
                std::int64_t group) {
  typename V::Float total[kRowsHere][NV];
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      total[r][v] = accumulate ? V::load_f(tile + (2 * r + v) * V::kLanes) : typename V::Float{};
    }
  }
  for (; k > 0; k -= group, scale += 2 * V::kLanes) {
    typename V::Vec acc[kRowsHere][NV];
    dot_products<V>(a, w, k < group ? k : group, acc);
    a += group / V::kStep * 4;
    w += group * 2 * V::kLanes;
#pragma GCC unroll 32
    for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) total[r][v] = V::fold(total[r][v], acc[r][v], V::load_f(scale + v * V::kLanes));
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < kRowsHere; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) V::store_f(tile + (2 * r + v) * V::kLanes, total[r][v]);
  }
}

template <class V, int... R>
void dispatch_tile(std::integer_sequence<int, R...>, const char* a, const std::int8_t* w, std::int64_t k, int rows,
                   int cols, std::int32_t* tile, bool accumulate) {
  static constexpr decltype(&dot_tile<V, 1, 1>) kTiles[2][sizeof...(R)] = {{dot_tile<V, R + 1, 1>...},
                                                                           {dot_tile<V, R + 1, 2>...}};
  kTiles[cols > V::kLanes][rows - 1](a, w, k, tile, accumulate);
}

template <class V, int... R>
void dispatch_groups(std::integer_sequence<int, R...>, const char* a, const std::int8_t* w, std::int64_t k, int rows,
                     int cols, float* tile, bool accumulate, const float* scale, std::int64_t group) {
  static constexpr decltype(&group_tile<V, 1, 1>) kTiles[2][sizeof...(R)] = {{group_tile<V, R + 1, 1>...},
                                                                             {group_tile<V, R + 1, 2>...}};
  constexpr int most = sizeof...(R);
  for (int r = 0; r < rows; r += most) {
    const int here = rows - r < most ? rows - r : most;
    kTiles[cols > V::kLanes][here - 1](a + r * V::kStride, w, k, tile + r * 2 * V::kLanes, accumulate, scale, group);
  }
}

// A micro-kernel of QgemmKernel: picks the instance for `rows` and for one or two registers of columns.
template <class V>
void micro(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile, bool accumulate,
           const float* scale, std::int64_t group) {
  const auto* panel = static_cast<const char*>(a);
  if (scale) {
    dispatch_groups<V>(std::make_integer_sequence<int, V::kRows / 2>(), panel, w, k, rows, cols,
                       static_cast<float*>(tile), accumulate, scale, group);
  } else {
    dispatch_tile<V>(std::make_integer_sequence<int, V::kRows>(), panel, w, k, rows, cols,
                     static_cast<std::int32_t*>(tile), accumulate);
  }
}

}  // namespace
}  // namespace thimble::kernels
