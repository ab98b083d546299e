// Attention in two halves, for maps that are kept and used again: the map softmax(scale * q k^T + mask), and its
// product with values. Both run on the kernels of gemm/; scores and sums are f32, a map is stored in the element type.
// Not here: attention that needs no map (attention.h), which never stores the scores and is faster.
//
//   const MapKernels kernels = pick_attention_map(DType::bf16, best_isa());
//   attention_map(kernels, map_args, pool, scratch);      // attention_map_scratch_bytes(...), 64-aligned
//   attention_apply(kernels, apply_args, pool, scratch);  // attention_apply_scratch_bytes(...), 64-aligned
// Results do not depend on the number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention/attention.h"
#include "kernels/gemm/gemm.h"
#include "kernels/norm/norm.h"

namespace thimble::kernels {

struct MapKernels {
  const GemmKernel* gemm;
  const NormKernels* softmax;  // of f32
};

// type: f32 or bf16, of q, k, v, out and the map.
MapKernels pick_attention_map(DType type, Isa cap);

// q (B, Tq, Hq, D) and k (B, Tk, Hkv, D), the last axis contiguous; map (B, Hq, Tq, Tk), dense. Head h reads key head
// h / (Hq / Hkv). All sizes are at least one.
struct AttentionMapArgs {
  std::int64_t batch = 1, q_len = 1, k_len = 1, heads = 1, kv_heads = 1, head_size = 1;
  const void* q = nullptr;
  const void* k = nullptr;
  void* map = nullptr;
  HeadStrides q_strides{}, k_strides{};
  float scale = 1.0f;
  // Added to the scaled scores; f32, broadcast by zero strides over (B, Hq, Tq, Tk). -inf hides a key.
  const float* mask = nullptr;
  std::int64_t mask_stride_b = 0, mask_stride_h = 0, mask_stride_q = 0, mask_stride_k = 1;
  bool causal = false;  // query i sees key j when j <= i
};
// A query that sees no key gives a row of zeros.

std::size_t attention_map_scratch_bytes(const MapKernels& kernels, const AttentionMapArgs& args, int threads);
void attention_map(const MapKernels& kernels, const AttentionMapArgs& args, ThreadPool& pool, void* scratch) noexcept;

// map (B, Hq, Tq, Tk), dense, v (B, Tk, Hkv, Dv), out (B, Tq, Hq, Dv), the last axes contiguous.
struct AttentionApplyArgs {
  std::int64_t batch = 1, q_len = 1, k_len = 1, heads = 1, kv_heads = 1, value_size = 1;
  const void* map = nullptr;
  const void* v = nullptr;
  void* out = nullptr;
  HeadStrides v_strides{}, out_strides{};
};

std::size_t attention_apply_scratch_bytes(const MapKernels& kernels, const AttentionApplyArgs& args, int threads);
void attention_apply(const MapKernels& kernels, const AttentionApplyArgs& args, ThreadPool& pool,
                     void* scratch) noexcept;

}  // namespace thimble::kernels
