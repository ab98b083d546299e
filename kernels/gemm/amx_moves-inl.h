// What every AMX kernel says of tiles but the product: clear, load, store. For sources built with AMX flags alone; in
// an unnamed namespace, because those must not share an inline function with others.
#pragma once

#include <immintrin.h>

#include "kernels/gemm/amx_tiles.h"

namespace thimble::kernels {
namespace {

// Tile numbers are part of the instruction, so every one is spelled out.
struct TileMoves {
#define THIMBLE_TILE(i)                                                                              \
  static void zero(Tile<i>) { _tile_zero(i); }                                                       \
  static void load(Tile<i>, const void* base, std::int64_t stride) { _tile_loadd(i, base, stride); } \
  static void store(Tile<i>, void* base, std::int64_t stride) { _tile_stored(i, base, stride); }
  THIMBLE_TILE(0)
  THIMBLE_TILE(1)
  THIMBLE_TILE(2)
  THIMBLE_TILE(3)
  THIMBLE_TILE(4)
  THIMBLE_TILE(5)
  THIMBLE_TILE(6)
  THIMBLE_TILE(7)
#undef THIMBLE_TILE
};

}  // namespace
}  // namespace thimble::kernels
