// Scaled dot-product attention in one pass: out = softmax(scale * q k^T + mask) v, tile by tile with a running maximum
// and sum, so the (Tq, Tk) scores never exist in memory. Sums are kept in f32 for both element types.
// Not here: projections, rotary embeddings, and attention that stores or reads maps.
//
// Shapes: q (B, Tq, Hq, D), k (B, Tk, Hkv, D), v (B, Tk, Hkv, Dv), out (B, Tq, Hq, Dv). Head h reads key head
// h / (Hq / Hkv). The last axis is contiguous, all other strides are free: q, k and v may be slices of one fused
// tensor, or heads may come before tokens. `out` must not overlap the inputs.
//
//   const AttentionKernel* kernel = pick_attention(DType::f32, best_isa());
//   AttentionArgs a{.batch = 1, .q_len = 64, .k_len = 64, .heads = 4, .kv_heads = 4, .head_size = 64, .value_size = 64,
//                   .q = q, .k = k, .v = v, .out = out, .scale = 0.125f};
//   a.q_strides = a.k_strides = a.v_strides = a.out_strides = packed_heads(64, 4, 64);
//   attention(*kernel, a, pool, scratch);  // attention_scratch_bytes(*kernel, a) * pool.threads() bytes, 64-aligned
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/threads.h"

namespace thimble::kernels {

// In elements. An axis of size one may have any stride.
struct HeadStrides {
  std::int64_t batch = 0, token = 0, head = 0;
};

// Strides of a contiguous (B, T, H, D).
constexpr HeadStrides packed_heads(std::int64_t tokens, std::int64_t heads, std::int64_t size) {
  return {tokens * heads * size, heads * size, size};
}

// All sizes are at least one, k_len also zero.
struct AttentionArgs {
  std::int64_t batch = 1, q_len = 1, k_len = 1;
  std::int64_t heads = 1, kv_heads = 1;        // heads is a multiple of kv_heads
  std::int64_t head_size = 1, value_size = 1;  // 1..512, any value; fast from 8 up
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  void* out = nullptr;
  HeadStrides q_strides{}, k_strides{}, v_strides{}, out_strides{};
  float scale = 1.0f;

  // Added to the scaled scores; f32, broadcast by zero strides over (B, Hq, Tq, Tk). -inf hides a key.
  const float* mask = nullptr;
  std::int64_t mask_stride_b = 0, mask_stride_h = 0, mask_stride_q = 0, mask_stride_k = 1;

  // (B, Tk) bytes, non-zero: the key is seen.
  const std::uint8_t* key_mask = nullptr;
  std::int64_t key_mask_stride = 0;

  // (B) numbers of leading keys that are seen, each in [0, k_len].
  const std::int32_t* key_lengths = nullptr;

  // Query i sees key j when j <= i + causal_offset.
  bool causal = false;
  std::int64_t causal_offset = 0;
};
// A query that sees no key, or whose scores all lie under -1e30, gives a row of zeros. Hidden keys must hold finite v.

struct AttentionKernel {
  Isa isa;
  DType type;  // of q, k, v and out: f32 or bf16
  std::string_view name;
  int q_step;   // queries handled together; work is split in multiples of it
  int q_block;  // most queries of one call of `block`
  std::size_t (*scratch_bytes)(const AttentionArgs&);
  void (*block)(const AttentionArgs&, std::int64_t b, std::int64_t h, std::int64_t q_begin, std::int64_t q_count,
                void* scratch);
};

// Rows of this build, best first.
std::span<const AttentionKernel* const> attention_kernels();

// The best kernel for `type` that this machine can run and that is not above `cap`; nullptr for other types.
const AttentionKernel* pick_attention(DType type, Isa cap);

// Scratch of one thread, a multiple of 64 bytes.
std::size_t attention_scratch_bytes(const AttentionKernel& kernel, const AttentionArgs& args);

// `scratch`: pool.threads() times attention_scratch_bytes, 64-aligned. The result does not depend on the pool's size.
void attention(const AttentionKernel& kernel, const AttentionArgs& args, ThreadPool& pool, void* scratch) noexcept;

}  // namespace thimble::kernels
