// Matrix product with packed weights: C[M,N] = epilogue(A[M,K] * W[N,K]^T), W as torch's Linear stores it.
// Activations f32 or bf16; products are summed in f32. Not here: batched products of two activations (attention),
// quantised weights, K split over threads.
//
//   const GemmKernel& k = pick_gemm(DType::bf16);                       // when planning
//   Buffer w(packed_bytes(k, N, K));  pack_weights(k, N, K, src, DType::f16, K, w.data());
//   Buffer scratch(gemm_scratch_bytes(k, M, N, K, pool.threads()));
//   gemm(k, {.M = M, .N = N, .K = K, .A = x, .lda = K, .W = w.data(), .C = y, .ldc = N}, pool, scratch.data());
//
// Results do not depend on the number of threads, bit for bit. They do depend on the kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/threads.h"
#include "kernels/gemm/epilogue.h"

namespace thimble::kernels {

// Order of packed weights. Columns (rows of W) go in panels of NR, zero-padded; k runs inside a panel, padded to KR.
enum class WeightLayout : std::uint8_t {
  f32_panel,   // [k][NR] f32
  bf16_split,  // [k][NR/2][2] bf16: columns j and j + NR/2 share a 32-bit word, widened by a shift and a mask
  bf16_pair,   // [k/2][NR][2] bf16: k and k+1 share a word, for dot-product instructions
  bf16_amx,    // [k/32][NR/16][16][16][2] bf16: whole tiles
};

// One row of kernels.inc. Everything a caller may read is above the line; the functions are for driver.cpp and conv/.
struct GemmKernel {
  std::string_view name;  // gemm_<types>_<isa>
  Isa isa;
  DType type;     // of A; C has this type too, or f32
  DType a_panel;  // A as the micro-kernel reads it: f32 where bf16 is widened while being gathered
  WeightLayout layout;
  int mr, nr, kr;         // output tile, and the multiple to which K is padded
  int kc;                 // k per cache block, a multiple of kr
  std::int64_t a_stride;  // bytes between rows of a gathered panel of A, at least kc elements

  // Known rate in multiply-adds a cycle and core on this machine. The dot product of bf16 pairs runs at twice the rate
  // of f32 on AMD's Zen 4 and later and at half of it on Intel, so rank is a property of the machine, not of the ISA.
  double (*rate)(const CpuInfo&);
  //--------------------------------------------------------------------------------------------------------------------
  // tile[mr][nr] (+)= panel of A * panel of W over k_padded, for rows in [1, mr] and cols in [1, nr]. A panel's rows
  // are a_stride apart, and W advances by k. Rows and columns beyond are left undefined.
  void (*micro)(const void* a, const void* w, std::int64_t k_padded, int rows, int cols, float* tile, bool accumulate);
  // C[m0.., n0..] from tile (rows, cols), whose rows are ld_tile apart.
  void (*epilogue)(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                   const Epilogue& e, void* c, std::int64_t ldc, DType c_type);
  void (*thread_begin)();  // tile configuration; null where there is none
  void (*thread_end)();

  constexpr std::int64_t w_element_bytes() const { return layout == WeightLayout::f32_panel ? 4 : 2; }
};

// All rows compiled into this program, for all types, in the table's order.
std::span<const GemmKernel> gemm_kernels();

// The fastest kernel for `type` (f32 or bf16) that this machine can run, no ISA above the cap. There always is one.
const GemmKernel& pick_gemm(DType type, Isa cap = best_isa());

// Every row of `type`, fastest first, with the reason why it cannot be taken (empty: it can).
struct GemmChoice {
  const GemmKernel* kernel;
  std::string refused;
};
std::vector<GemmChoice> explain_gemm(DType type, Isa cap = best_isa());

// ---- packing (once per weight; the layout depends on `layout`, `nr`, `kr` alone)
std::size_t packed_bytes(const GemmKernel& kernel, std::int64_t N, std::int64_t K);

// src: (N, K), rows ldw elements apart, of f32, bf16 or f16. dst: packed_bytes, 64-byte aligned. Errors: unsupported
// type.
void pack_weights(const GemmKernel& kernel, std::int64_t N, std::int64_t K, const void* src, DType src_type,
                  std::int64_t ldw, void* dst);
// The same, panels [begin, end) of ceil(N / nr) only, so that threads can share the work.
void pack_weight_panels(const GemmKernel& kernel, std::int64_t N, std::int64_t K, const void* src, DType src_type,
                        std::int64_t ldw, void* dst, std::int64_t begin, std::int64_t end);

// ---- running
struct GemmArgs {
  std::int64_t M = 0, N = 0, K = 0;  // M, N >= 0, K >= 0 (K = 0: acc is 0)
  const void* A = nullptr;           // (M, K) of kernel.type, rows lda elements apart
  std::int64_t lda = 0;
  const void* W = nullptr;  // from pack_weights of the same kernel
  void* C = nullptr;        // (M, N), must not overlap A
  std::int64_t ldc = 0;
  DType c_type = DType::f32;  // kernel.type or f32
  Epilogue epilogue;
};

// For at most `threads` threads; 64-byte aligned memory. 0 is possible.
std::size_t gemm_scratch_bytes(const GemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, int threads);

// Does not allocate. scratch: gemm_scratch_bytes for pool.threads() or more.
void gemm(const GemmKernel& kernel, const GemmArgs& args, ThreadPool& pool, void* scratch) noexcept;

}  // namespace thimble::kernels
