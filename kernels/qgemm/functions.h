// Internal to qgemm/: the functions that ISA files define and kernels.inc names. Kept apart from qgemm.h so that ISA
// files include next to nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "kernels/gemm/epilogue.h"
#include "kernels/gemm/gemm.h"
#include "kernels/qgemm/qgemm.h"

namespace thimble::kernels {

// Rows of activations to quantise. Element (r, k) goes to out + (k / kc) * block_stride + r * row_stride, at k % kc.
struct QuantizeRows {
  QActivations source;  // x at the first row
  std::int64_t rows, K;
  QPanel panel;
  std::int64_t kc, row_stride, block_stride;  // strides in bytes
  std::byte* out;                             // whole vectors are written: up to 64 bytes behind a block's last element
  float* scale;                               // (rows)
  std::int32_t* zero;                         // (rows)
};

// From sums to outputs. Arrays over columns start at column 0 and are padded to whole panels.
struct Finish {
  const QgemmArgs* args;
  const float* row_scale;
  const std::int32_t* row_zero;
  std::int64_t row_step = 1;    // from one row's to the next; 0: all rows share them
  std::int32_t offset;          // what the panel of A holds above q
  const float* col_scale;       // null with groups: sums are scaled already
  const std::int32_t* col_sum;  // sum of v over k; null with groups
  const float* col_scaled_sum;  // sum of sw * v; null without groups
};

struct QgemmOps {
  void (*quantize)(const QuantizeRows& job);
  // int4 blocks (64 bytes each) to 128 int8 each, or to 128 bytes of v only.
  void (*unpack)(const std::uint8_t* blocks, std::int64_t count, std::int8_t* out);
  // Output rows [m0, m0 + rows), columns [n0, n0 + cols) from a tile of int32 or f32 whose rows are nr apart.
  void (*finish)(const void* tile, int nr, std::int64_t m0, std::int64_t n0, int rows, int cols, const Finish& f);
};

namespace internal {

constexpr std::int64_t panel_bytes(QPanel panel) { return panel == QPanel::s16 ? 2 : 1; }

// Bytes between the rows of packed A: an odd number of cache lines, so that rows do not fall into one set of the cache;
// a constant, so that rows are reached by displacement.
constexpr std::int64_t q_stride(std::int64_t kc, QPanel panel) { return kc * panel_bytes(panel) + 64; }

// Contracts: see QgemmKernel. mr_*, nr_* and stride_* give ISA files the table's constants.
#define THIMBLE_QGEMM(bits, isa, needs, a, layout, mr, nr, kr, kc, group, micro, ops, begin, end)          \
  void qmicro_##micro(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile, \
                      bool accumulate, const float* scale, std::int64_t k_per_group);                      \
  inline constexpr int mr_w##bits##a8_##micro = mr, nr_w##bits##a8_##micro = nr;                           \
  inline constexpr std::int64_t stride_w##bits##a8_##micro = q_stride(kc, QPanel::a);                      \
  static_assert(kr * nr % 128 == 0 && kc % 128 == 0);
#include "kernels/qgemm/kernels.inc"
#undef THIMBLE_QGEMM

extern const QgemmOps qops_scalar, qops_avx2, qops_avx512, qops_neon;

// For w4a16: panel rows [k0, k0 + k) of int4 ([k][nr/2] bytes: column j low, j + nr/2 high, plus 8) times their scales
// ([k / group][nr]) as packed weights of a float kernel, from `out` on. k0 and group are even where k goes in pairs.
#define THIMBLE_DEQUANTIZE(isa)                                                                             \
  void dequantize_##isa(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0, \
                        std::int64_t k, int nr, WeightLayout layout, void* out);
THIMBLE_DEQUANTIZE(scalar)
THIMBLE_DEQUANTIZE(avx2)
THIMBLE_DEQUANTIZE(avx512)
THIMBLE_DEQUANTIZE(avx512_bf16)
THIMBLE_DEQUANTIZE(neon)
#undef THIMBLE_DEQUANTIZE

void amx_begin();  // gemm/amx.cpp
void amx_end();

}  // namespace internal
}  // namespace thimble::kernels
