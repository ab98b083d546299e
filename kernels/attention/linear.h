// Linear attention with ReLU features: with a = relu(q), b = relu(k), per batch item and head
//   out_i = a_i S / (a_i . z + eps),  S = sum_j b_j^T v_j  (D, Dv),  z = sum_j b_j  (D).
// One pass over k and v, one over q; no tensor of features or scores exists. Sums are f32 for both element types, made
// in chunks of tokens whose bounds depend on the number of tokens alone, so that results do not depend on threads.
// Not here: other features, causal sums.
//
//   const LinearAttentionKernel* kernel = pick_linear_attention(DType::bf16, best_isa());
//   linear_attention(*kernel, args, pool, scratch);  // linear_attention_scratch_bytes(args, pool.threads()),
//   64-aligned
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/attention/attention.h"

namespace thimble::kernels {

// q (B, Tq, H, D), k (B, Tk, H, D), v (B, Tk, H, Dv), out (B, Tq, H, Dv), the last axis contiguous. All sizes at least
// one, Tk also zero. `out` must not overlap the inputs.
struct LinearAttentionArgs {
  std::int64_t batch = 1, q_len = 1, k_len = 1, heads = 1;
  std::int64_t head_size = 1, value_size = 1;  // 1..512
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  void* out = nullptr;
  HeadStrides q_strides{}, k_strides{}, v_strides{}, out_strides{};
  float eps = 1e-15f;
};

// Tokens of one head. The pointers stand at the first of them; rows are `*_row` elements apart.
struct LinearAttentionTokens {
  std::int64_t tokens, head_size, value_size;
  const void* x;  // k when summing, q when applying
  std::int64_t x_row;
  const void* v;
  std::int64_t v_row;
  void* out;
  std::int64_t out_row;
  float eps;
};

struct LinearAttentionKernel {
  Isa isa;
  DType type;  // of q, k, v and out: f32 or bf16
  std::string_view name;
  // state: (D, padded Dv) of S, then padded D of z; sum() adds to it. block: kLinearBlock rows of padded D and Dv
  // floats.
  void (*sum)(const LinearAttentionTokens&, float* state, float* block);
  void (*apply)(const LinearAttentionTokens&, const float* state, float* block);
};

inline constexpr std::int64_t kLinearBlock = 32;

// Sizes of heads are padded to whole vectors of every instruction set.
constexpr std::int64_t linear_padded(std::int64_t size) { return (size + 31) / 32 * 32; }
constexpr std::int64_t linear_state_floats(std::int64_t head_size, std::int64_t value_size) {
  return head_size * linear_padded(value_size) + linear_padded(head_size);
}

std::span<const LinearAttentionKernel* const> linear_attention_kernels();  // rows of this build, best first
const LinearAttentionKernel* pick_linear_attention(DType type, Isa cap);   // nullptr for other types

std::size_t linear_attention_scratch_bytes(const LinearAttentionArgs& args, int threads);
void linear_attention(const LinearAttentionKernel& kernel, const LinearAttentionArgs& args, ThreadPool& pool,
                      void* scratch) noexcept;

}  // namespace thimble::kernels
