// AMX int8: only the instructions; the algorithm is in amx_bytes.h, the tile configuration in gemm/amx.cpp.
#include <immintrin.h>

#include "kernels/gemm/amx_moves-inl.h"
#include "kernels/qgemm/amx_bytes.h"
#include "kernels/qgemm/functions.h"

namespace thimble::kernels {
namespace {

struct Instructions : TileMoves {
  static void multiply(Tile<0>, Tile<4>, Tile<6>) { _tile_dpbssd(0, 4, 6); }
  static void multiply(Tile<1>, Tile<4>, Tile<7>) { _tile_dpbssd(1, 4, 7); }
  static void multiply(Tile<2>, Tile<5>, Tile<6>) { _tile_dpbssd(2, 5, 6); }
  static void multiply(Tile<3>, Tile<5>, Tile<7>) { _tile_dpbssd(3, 5, 7); }
};

// The tile intrinsics do not say which memory they touch; nothing may move across the kernel's ends.
inline void memory_barrier(const void* p) { __asm__ volatile("" : : "r"(p) : "memory"); }

}  // namespace

namespace internal {

void qmicro_amx(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile, bool accumulate,
                const float* scale, std::int64_t group) {
  static_assert(stride_w8a8_amx == stride_w4a8_amx);
  memory_barrier(a);
  amx_bytes_micro<Instructions, stride_w8a8_amx>(a, w, k, rows, cols, tile, accumulate, scale, group);
  memory_barrier(tile);
}

}  // namespace internal
}  // namespace thimble::kernels
