// W4A16: weights int4 in groups along K, activations f32 or bf16, products and sums of gemm/'s kernels. A panel of
// weights is turned into floats, in the cache, when it is reached; what travels from memory is a quarter of bf16. For
// matrices with few rows, and for activations that int8 does not serve.
//
//   const W4A16Kernel k = pick_w4a16(DType::bf16);
//   Buffer w(w4a16_weight_bytes(k, N, K, 64));  pack_w4a16(k, N, K, 64, weights, w.data());
//   Buffer scratch(w4a16_scratch_bytes(k, M, N, K, pool.threads()));
//   w4a16(k, {.M = M, .N = N, .K = K, .A = x, .lda = K, .W = w.data(), .C = y, .ldc = N}, 64, pool, scratch.data());
//
// Equals gemm() with the same kernel and weights scale * q, bit for bit: with kernels of bf16 that product is rounded
// to bf16 (2^-9 of the weight), with kernels of f32 it is not.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/qgemm/qgemm.h"

namespace thimble::kernels {

struct W4A16Kernel {
  const GemmKernel* gemm;
  // A block of a panel of int4 to floats in the order of `gemm`; see functions.h.
  void (*dequantize)(const std::uint8_t* panel, const float* scale, std::int64_t group, std::int64_t k0, std::int64_t k,
                     int nr, WeightLayout layout, void* out);
};

// The float kernel that gemm would take. type: f32 or bf16, of the activations.
W4A16Kernel pick_w4a16(DType type, Isa cap = best_isa());
W4A16Kernel w4a16_kernel(const GemmKernel& gemm);

// group: 0 (one scale per output channel) or an even number. 64-byte aligned memory.
std::size_t w4a16_weight_bytes(const W4A16Kernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group);

// w: int8 in [-8, 7] or nibbles, as in qgemm.h. Errors: an odd group.
void pack_w4a16(const W4A16Kernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group, const QWeights& w,
                void* dst);

std::size_t w4a16_scratch_bytes(const W4A16Kernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, int threads);

// args.W: from pack_w4a16. Does not allocate.
void w4a16(const W4A16Kernel& kernel, const GemmArgs& args, std::int64_t group, ThreadPool& pool,
           void* scratch) noexcept;

}  // namespace thimble::kernels
