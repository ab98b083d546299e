// Attention on AMX bf16: only the instructions; the algorithm is in amx_core.h. base/cpu asks for the permission to use
// tiles; the tile configuration is the one of the matrix kernels (eight tiles of 16 rows by 64 bytes).
#include <immintrin.h>

#include "kernels/attention/amx_core.h"
#include "kernels/gemm/amx_moves-inl.h"
#include "kernels/gemm/functions.h"

namespace thimble::kernels {
namespace {

static_assert(HWY_TARGET == HWY_AVX3, "built without the flags of this instruction set");

struct Instructions : TileMoves {
  static void begin() { internal::amx_begin(); }
  static void end() { internal::amx_end(); }
  static void sync() { __asm__ volatile("" : : : "memory"); }  // tile intrinsics do not say what memory they touch
  static void multiply(Tile<0>, Tile<4>, Tile<6>) { _tile_dpbf16ps(0, 4, 6); }
  static void multiply(Tile<1>, Tile<4>, Tile<7>) { _tile_dpbf16ps(1, 4, 7); }
  static void multiply(Tile<2>, Tile<5>, Tile<6>) { _tile_dpbf16ps(2, 5, 6); }
  static void multiply(Tile<3>, Tile<5>, Tile<7>) { _tile_dpbf16ps(3, 5, 7); }
};

}  // namespace

constexpr AttentionKernel attention_bf16_amx =
    attention_row<AmxCore<Instructions>>(Isa::amx, DType::bf16, "attention_bf16_amx");

}  // namespace thimble::kernels
