// AMX bf16: only the instructions; the algorithm is in amx_tiles.h. Permission for tile data is asked by base/cpu.
#include <immintrin.h>

#include "kernels/gemm/amx_moves-inl.h"
#include "kernels/gemm/functions.h"

namespace thimble::kernels {
namespace {

struct Instructions : TileMoves {
  static void multiply(Tile<0>, Tile<4>, Tile<6>) { _tile_dpbf16ps(0, 4, 6); }
  static void multiply(Tile<1>, Tile<4>, Tile<7>) { _tile_dpbf16ps(1, 4, 7); }
  static void multiply(Tile<2>, Tile<5>, Tile<6>) { _tile_dpbf16ps(2, 5, 6); }
  static void multiply(Tile<3>, Tile<5>, Tile<7>) { _tile_dpbf16ps(3, 5, 7); }
};

// All eight tiles 16 rows of 64 bytes (palette 1). In static storage: GCC 12's intrinsic says that it reads 8 of the 64
// bytes, so that stores into a local table may be dropped.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
constinit const TileConfig kConfig;

// The tile intrinsics do not say which memory they touch; nothing may move across the kernel's ends.
inline void memory_barrier(const void* p) { __asm__ volatile("" : : "r"(p) : "memory"); }

}  // namespace

namespace internal {

void amx_begin() {
  memory_barrier(&kConfig);
  _tile_loadconfig(&kConfig);
}

void amx_end() { _tile_release(); }

void gemm_bf16_amx(const void* a, const void* w, std::int64_t k, int rows, int cols, float* tile, bool accumulate) {
  memory_barrier(a);
  amx_micro<Instructions, stride_bf16_amx>(a, w, k, rows, cols, tile, accumulate);
  memory_barrier(tile);
}

}  // namespace internal
}  // namespace thimble::kernels
