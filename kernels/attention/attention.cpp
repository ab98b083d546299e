// Dispatch and threading of attention: a task is one head of one batch item and a run of its queries.
#include "kernels/attention/attention.h"

#include <algorithm>

#include "kernels/simd/pick.h"

namespace thimble::kernels {

#define THIMBLE_ATTENTION(isa, type, name) extern const AttentionKernel name;
#include "kernels/attention/kernels.inc"
#undef THIMBLE_ATTENTION

namespace {

constexpr const AttentionKernel* kRows[] = {
#define THIMBLE_ATTENTION(isa, type, name) &name,
#include "kernels/attention/kernels.inc"
#undef THIMBLE_ATTENTION
};

}  // namespace

std::span<const AttentionKernel* const> attention_kernels() { return kRows; }

const AttentionKernel* pick_attention(DType type, Isa cap) { return pick_row(attention_kernels(), type, cap); }

std::size_t attention_scratch_bytes(const AttentionKernel& kernel, const AttentionArgs& args) {
  return kernel.scratch_bytes(args);
}

void attention(const AttentionKernel& kernel, const AttentionArgs& args, ThreadPool& pool, void* scratch) noexcept {
  const std::size_t bytes = kernel.scratch_bytes(args);
  // Long runs share the packing of K and V; shorter ones where threads would go without work.
  const std::int64_t step = kernel.q_step, panels = (args.q_len + step - 1) / step, pairs = args.batch * args.heads;
  const std::int64_t wanted = (3 * pool.threads() + pairs - 1) / pairs;  // runs of one head
  const std::int64_t most = kernel.q_block / step, per_run = std::clamp<std::int64_t>(panels / wanted, 1, most);
  const std::int64_t run = per_run * step, runs = (args.q_len + run - 1) / run;
  pool.parallel_for(pairs * runs, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t q = i % runs * run;
      kernel.block(args, i / runs / args.heads, i / runs % args.heads, q, std::min(run, args.q_len - q),
                   static_cast<std::byte*>(scratch) + static_cast<std::size_t>(thread) * bytes);
    }
  });
}

}  // namespace thimble::kernels
