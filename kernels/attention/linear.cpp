// Dispatch and threading of linear attention: first sums over chunks of tokens, then their totals, then the queries.
#include "kernels/attention/linear.h"

#include <algorithm>
#include <cstring>

#include "base/memory.h"
#include "kernels/simd/pick.h"

namespace thimble::kernels {

#define THIMBLE_LINEAR_ATTENTION(isa, type, name) extern const LinearAttentionKernel name;
#include "kernels/attention/linear_kernels.inc"
#undef THIMBLE_LINEAR_ATTENTION

namespace {

constexpr const LinearAttentionKernel* kRows[] = {
#define THIMBLE_LINEAR_ATTENTION(isa, type, name) &name,
#include "kernels/attention/linear_kernels.inc"
#undef THIMBLE_LINEAR_ATTENTION
};

// A chunk is long enough that its state, which is written and read once more, costs little beside its tokens.
constexpr std::int64_t kLeastChunk = 256, kMostChunks = 16;

struct Chunks {
  std::int64_t size, count;
  explicit Chunks(std::int64_t tokens) {
    const std::int64_t share = (tokens + kMostChunks - 1) / kMostChunks;
    size = std::max(kLeastChunk, (share + kLinearBlock - 1) / kLinearBlock * kLinearBlock);
    count = std::max<std::int64_t>(1, (tokens + size - 1) / size);
  }
};

std::size_t state_bytes(const LinearAttentionArgs& a) {
  return round_up(static_cast<std::size_t>(linear_state_floats(a.head_size, a.value_size)) * sizeof(float), 64);
}

std::size_t block_bytes(const LinearAttentionArgs& a) {
  return static_cast<std::size_t>(kLinearBlock * (linear_padded(a.head_size) + linear_padded(a.value_size))) *
         sizeof(float);
}

const std::byte* at(const void* base, const HeadStrides& s, std::int64_t b, std::int64_t token, std::int64_t head,
                    DType type) {
  return static_cast<const std::byte*>(base) +
         (b * s.batch + token * s.token + head * s.head) * static_cast<std::int64_t>(size_of(type));
}

}  // namespace

std::span<const LinearAttentionKernel* const> linear_attention_kernels() { return kRows; }

const LinearAttentionKernel* pick_linear_attention(DType type, Isa cap) {
  return pick_row(linear_attention_kernels(), type, cap);
}

std::size_t linear_attention_scratch_bytes(const LinearAttentionArgs& a, int threads) {
  const auto states = static_cast<std::size_t>(a.batch * a.heads * Chunks(a.k_len).count);
  return states * state_bytes(a) + static_cast<std::size_t>(threads) * block_bytes(a);
}

void linear_attention(const LinearAttentionKernel& kernel, const LinearAttentionArgs& a, ThreadPool& pool,
                      void* scratch) noexcept {
  const Chunks chunks(a.k_len);
  const std::int64_t pairs = a.batch * a.heads;
  const std::size_t bytes = state_bytes(a), floats = bytes / sizeof(float);
  auto* states = static_cast<float*>(scratch);
  auto* blocks = states + static_cast<std::size_t>(pairs * chunks.count) * floats;
  const auto state_of = [&](std::int64_t i) { return states + static_cast<std::size_t>(i) * floats; };
  const auto block_of = [&](int thread) {
    return blocks + static_cast<std::size_t>(thread) * (block_bytes(a) / sizeof(float));
  };
  LinearAttentionTokens t{};
  t.head_size = a.head_size;
  t.value_size = a.value_size;
  t.v_row = a.v_strides.token;
  t.out_row = a.out_strides.token;
  t.eps = a.eps;

  pool.parallel_for(pairs * chunks.count, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    LinearAttentionTokens mine = t;
    mine.x_row = a.k_strides.token;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / chunks.count / a.heads, h = i / chunks.count % a.heads,
                         first = i % chunks.count * chunks.size;
      std::memset(state_of(i), 0, bytes);
      mine.tokens = std::min(chunks.size, a.k_len - first);
      mine.x = at(a.k, a.k_strides, b, first, h, kernel.type);
      mine.v = at(a.v, a.v_strides, b, first, h, kernel.type);
      kernel.sum(mine, state_of(i), block_of(thread));
    }
  });
  if (chunks.count > 1) {
    pool.parallel_for(pairs, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t p = begin; p < end; ++p) {
        float* total = state_of(p * chunks.count);
        for (std::int64_t c = 1; c < chunks.count; ++c) {
          const float* part = state_of(p * chunks.count + c);
          for (std::size_t i = 0; i < floats; ++i) total[i] += part[i];
        }
      }
    });
  }
  const Chunks runs(a.q_len);
  pool.parallel_for(pairs * runs.count, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    LinearAttentionTokens mine = t;
    mine.x_row = a.q_strides.token;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t p = i / runs.count, first = i % runs.count * runs.size;
      mine.tokens = std::min(runs.size, a.q_len - first);
      mine.x = at(a.q, a.q_strides, p / a.heads, first, p % a.heads, kernel.type);
      mine.out = const_cast<std::byte*>(at(a.out, a.out_strides, p / a.heads, first, p % a.heads, kernel.type));
      kernel.apply(mine, state_of(p * chunks.count), block_of(thread));
    }
  });
}

}  // namespace thimble::kernels
