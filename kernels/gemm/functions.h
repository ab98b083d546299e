// Internal to gemm/ and conv/: the functions that ISA files define and kernels.inc names.
// Kept apart from gemm.h so that ISA files include next to nothing.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/gemm/epilogue.h"

namespace thimble::kernels::internal {

// Bytes between the rows of a gathered panel of A. An odd number of cache lines (kc * size is a multiple of 128), so
// that the rows do not fall into one set of the cache; a constant, so that rows are reached by displacement.
constexpr std::int64_t panel_stride(std::int64_t kc, DType a_panel) {
  return kc * static_cast<std::int64_t>(size_of(a_panel)) + 64;
}

// Contracts: see GemmKernel in gemm.h. mr_* and stride_* give ISA files the table's constants.
#define THIMBLE_GEMM(isa, type, a_panel, layout, mr, nr, kr, kc, rate, epilogue, begin, end)                     \
  void gemm_##type##_##isa(const void* a, const void* w, std::int64_t k_padded, int rows, int cols, float* tile, \
                           bool accumulate);                                                                     \
  inline constexpr int mr_##type##_##isa = mr;                                                                   \
  inline constexpr std::int64_t stride_##type##_##isa = panel_stride(kc, DType::a_panel);
#include "kernels/gemm/kernels.inc"
#undef THIMBLE_GEMM

#define THIMBLE_EPILOGUE(isa)                                                                               \
  void epilogue_##isa(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols, \
                      const Epilogue& e, void* c, std::int64_t ldc, DType c_type);
THIMBLE_EPILOGUE(scalar)
THIMBLE_EPILOGUE(avx2)
THIMBLE_EPILOGUE(avx512)
THIMBLE_EPILOGUE(neon)
#undef THIMBLE_EPILOGUE

void amx_begin();  // loads the tile configuration on the calling thread
void amx_end();    // releases the tiles, so that the thread's context switches stay cheap

}  // namespace thimble::kernels::internal
