// The AMX micro-kernel for bytes over a tile engine T (gemm/amx_tiles.h), so that its indexing can be tested on
// machines without AMX. A tile holds 16 rows of 64 bytes whatever the type: 64 k of int8 take the place of 32 k of
// bf16.
//   T::multiply(Tile<c>, Tile<a>, Tile<w>): c += a * w over 16 quads of signed bytes
#pragma once

#include <cstdint>

#include "kernels/gemm/amx_tiles.h"
#include "kernels/qgemm/groups.h"

namespace thimble::kernels {
namespace {

template <class T, std::int64_t stride>
void amx_bytes_micro(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile,
                     bool accumulate, const float* scale, std::int64_t group) {
  constexpr int nr = 32;
  if (!scale) {
    amx_micro<T, stride>(a, w, k / 2, rows, cols, static_cast<float*>(tile), accumulate);
    return;
  }
  auto* out = static_cast<float*>(tile);
  const int whole = cols > 16 ? 32 : 16;
  for_groups(a, 1, w, nr, k, accumulate, scale, group,
             [&](const char* panel, const std::int8_t* weights, std::int64_t n, bool add, const float* s) {
               // Sums leave tiles by memory alone: in small groups that costs more than the products.
               alignas(64) std::int32_t sums[32 * nr];
               amx_micro<T, stride>(panel, weights, n / 2, rows, cols, reinterpret_cast<float*>(sums), false);
               __asm__ volatile("" : : "r"(sums) : "memory");  // the engine's stores are not known to the compiler
               for (int r = 0; r < rows; ++r) {
                 for (int j = 0; j < whole; ++j) {
                   const float x = static_cast<float>(sums[r * nr + j]) * s[j];
                   out[r * nr + j] = add ? out[r * nr + j] + x : x;
                 }
               }
             });
}

}  // namespace
}  // namespace thimble::kernels
