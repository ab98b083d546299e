// Matrix product of integers with packed weights: C[M,N] = epilogue(A[M,K] * W[N,K]^T), W as torch's Linear stores it.
//   W8A8: weights int8, one scale per output channel           W4A8: weights int4, one scale per channel or per group
//   of activations int8, one scale and zero-point per row         32, 64 or 128 along K
// Here: packing both operands, the product, dequantisation with a fused epilogue, requantisation to int8. Not here:
// weights of 4 bits with float activations (w4a16.h), batched products of two activations, K split over threads.
//
//   const QgemmKernel& k = pick_qgemm(8);                                                       // when planning
//   Buffer w(qgemm_weight_bytes(k, N, K, 0));  pack_qweights(k, N, K, 0, weights, w.data());
//   Buffer a(qgemm_activation_bytes(k, M, K, 0)), scratch(qgemm_scratch_bytes(k, M, N, K, 0, pool.threads()));
//   pack_activations(k, M, K, 0, {.x = x, .type = DType::bf16, .ld = K}, pool, a.data());       // serves several
//   products qgemm(k, {.M = M, .N = N, .K = K, .A = a.data(), .W = w.data(), .C = y, .ldc = N}, pool, scratch.data());
//
// Meaning. An activation is x = sx[m] * (q - z[m]) with q, z in [-128, 127]; a weight is w = sw[n, group] * v with v in
// [-128, 127] or [-8, 7]. With one group, acc = sum_k (q - z) * v is an exact integer; it fits 32 bits because
// |q - z| <= 255 and |v| <= 128 for K <= 65536 (255 * 128 * 65536 < 2^31). Processors that multiply unsigned by signed
// bytes are given q + 128, and the zero-point and this offset leave together as a multiple of the column's sum of v,
// which packing computes; sums modulo 2^32 make that exact too. With several groups, sums of a group are exact
// integers, and the groups are added in f32, in order of k, with rounding of 2^-24 of the largest partial sum each.
//   y = epilogue(float(acc) * sw * sx)
// The accumulators are equal, bit for bit, on every ISA with one group; y does not depend on the number of threads, but
// its last bits depend on the kernel (the activations' polynomials, fused roundings).
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

inline constexpr std::int64_t kMaxQgemmK = 65536;

// Activations as the micro-kernel reads them. u8 is q + 128.
enum class QPanel : std::uint8_t { s8, u8, s16 };

// Order of packed weights. Columns (rows of W) go in panels of nr, zero-padded; k runs inside a panel, padded to kr.
// int4 weights keep the order of int8 ones: of every 128 bytes, byte i holds i in its low and i + 64 in its high half,
// plus 8, so that unpacking knows nothing of the layout.
enum class QLayout : std::uint8_t {
  k1,   // [k][nr]
  k2,   // [k/2][nr][2]
  k4,   // [k/4][nr][4]: what dot products of four take
  k8,   // [k/8][nr][8]
  amx,  // [k/64][nr/16][16][16][4]: whole tiles
};

struct QgemmOps;  // functions.h: what is written once per vector width

// One row of kernels.inc. Everything a caller may read is above the line; the functions are for driver.cpp.
struct QgemmKernel {
  std::string_view name;  // qgemm_<types>_<isa>
  int weight_bits;        // 8 or 4
  Isa isa;
  bool (*needs)(const CpuInfo&);  // holds where the machine has what the ISA level alone does not say
  QPanel a_panel;
  QLayout layout;
  int mr, nr, kr;         // output tile, and the multiple to which K is padded
  int kc;                 // k per cache block, a multiple of 128
  std::int64_t a_stride;  // bytes between rows of packed activations
  int min_group;          // smaller groups than this are refused
  //--------------------------------------------------------------------------------------------------------------------
  // tile[mr][nr] (+)= panel of A * panel of W over k, for rows in [1, mr] and cols in [1, nr]: int32 sums, or, where
  // scale ([k / group][nr]) is given, f32 sums over groups of scale * sum. Up to mr rows of A are read; what lies
  // beyond `rows` is not used.
  void (*micro)(const void* a, const std::int8_t* w, std::int64_t k, int rows, int cols, void* tile, bool accumulate,
                const float* scale, std::int64_t group);
  const QgemmOps* ops;
  void (*thread_begin)();  // tile configuration; null where there is none
  void (*thread_end)();
};

// All rows compiled into this program, best first for each number of bits.
std::span<const QgemmKernel> qgemm_kernels();

// The best kernel that this machine can run, no ISA above the cap. group: 0 (one scale per channel), 32, 64 or 128.
// There always is one. Errors: other bits or groups.
const QgemmKernel& pick_qgemm(int weight_bits, std::int64_t group = 0, Isa cap = best_isa());

// Every row of `weight_bits`, best first, with the reason why it cannot be taken (empty: it can).
struct QgemmChoice {
  const QgemmKernel* kernel;
  std::string refused;
};
std::vector<QgemmChoice> explain_qgemm(int weight_bits, std::int64_t group = 0, Isa cap = best_isa());

// ---- weights, packed once
struct QWeights {
  const void* q = nullptr;       // (N, K) int8; or two int4 a byte, even k in the low half, two's complement
  std::int64_t ld = 0;           // elements between rows; even for nibbles
  bool nibbles = false;          // of q. Kernels of 4 bits take either, and values in [-8, 7]
  const float* scale = nullptr;  // (N, groups), finite; groups = 1 or ceil(K / group)
};

// 64-byte aligned memory.
std::size_t qgemm_weight_bytes(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group);

// Errors: a group that the kernel refuses, K above kMaxQgemmK, nibbles for a kernel of 8 bits.
void pack_qweights(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group, const QWeights& w,
                   void* dst);
// The same, panels [begin, end) of ceil(N / nr) only, so that threads can share the work.
void pack_qweight_panels(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group,
                         const QWeights& w, void* dst, std::int64_t begin, std::int64_t end);

// The plain quantiser, symmetric with the largest magnitude of a channel's group at 127 or 7: scale (N, groups) and
// q (N, K), one int8 each. A weight is then off by half a scale at most.
void quantize_weights(std::int64_t N, std::int64_t K, std::int64_t group, int weight_bits, const float* w,
                      std::int64_t ldw, std::int8_t* q, float* scale);

// ---- activations, packed and quantised in one pass
enum class Quantize : std::uint8_t {
  symmetric,   // per row: s = max|x| / 127, z = 0
  asymmetric,  // per row: s = (max(x, 0) - min(x, 0)) / 255, z such that the least value is at -128
  fixed,       // s and z given, the same for all rows
};

// q = clamp(round(x / s) + z), rounded to nearest even (x times 1 / s, in f32): the same bytes from every kernel.
// |x - s (q - z)| <= s / 2 plus rounding of 2^-22 |x| inside the range, and with `asymmetric` s / 2 more, for the
// rounding of z. A row with a NaN or an infinity gets s = NaN, and so do its outputs; one below 2^-100 counts as zero.
struct QActivations {
  const void* x = nullptr;  // (M, K) of f32 or bf16; or int8, already quantised with scale and zero
  DType type = DType::f32;
  std::int64_t ld = 0;  // elements between rows
  Quantize how = Quantize::symmetric;
  float scale = 1;        // of fixed and int8: > 0
  std::int32_t zero = 0;  // of fixed and int8: [-128, 127]
};

// 64-byte aligned memory. The packing depends on the kernel's a_panel, kc and a_stride, on K and on the group.
std::size_t qgemm_activation_bytes(const QgemmKernel& kernel, std::int64_t M, std::int64_t K, std::int64_t group);
void pack_activations(const QgemmKernel& kernel, std::int64_t M, std::int64_t K, std::int64_t group,
                      const QActivations& x, ThreadPool& pool, void* dst) noexcept;

// ---- running
struct QgemmArgs {
  std::int64_t M = 0, N = 0, K = 0;  // M, N >= 0, 0 <= K <= kMaxQgemmK (K = 0: acc is 0)
  std::int64_t group = 0;            // as packed: 0, 32, 64, 128
  const void* A = nullptr;           // from pack_activations of the same kernel
  const void* W = nullptr;           // from pack_qweights of the same kernel
  void* C = nullptr;                 // (M, N), rows ldc elements apart
  std::int64_t ldc = 0;
  DType c_type = DType::f32;  // f32, bf16; or i8: clamp(round(y / c_scale) + c_zero)
  float c_scale = 1;          // > 0
  std::int32_t c_zero = 0;    // [-128, 127]
  Epilogue epilogue;
  DType residual_type = DType::f32;  // of epilogue.residual: f32 or bf16. It may be C itself if type and ld are equal.
};

// For at most `threads` threads; 64-byte aligned memory.
std::size_t qgemm_scratch_bytes(const QgemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K,
                                std::int64_t group, int threads);

// Does not allocate. scratch: qgemm_scratch_bytes for pool.threads() or more.
void qgemm(const QgemmKernel& kernel, const QgemmArgs& args, ThreadPool& pool, void* scratch) noexcept;

}  // namespace thimble::kernels
