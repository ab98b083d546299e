// Cache blocking. One work item is a block of rows times a block of columns. The block of packed A is meant for the L2;
// a panel of W, one block of k long, stays near L1 while it meets every panel of A. Either the whole depth of A is in
// the L2, and sums wait for the next block of k in one column of tiles; or, for many rows and a large K, A comes in by
// blocks of k and all sums of the item wait.
#include "kernels/qgemm/driver.h"

#include <algorithm>

#include "base/cpu.h"

namespace thimble::kernels {
namespace internal {
namespace {

// With fewer rows than this at hand, W is read from beyond the L2 too often: a byte of it must last for the time that
// it takes to come, in which tiles multiply several times as much as vectors.
constexpr std::int64_t min_rows(const QgemmKernel& kernel) { return kernel.layout == QLayout::amx ? 256 : 48; }
// An item with fewer rows than this many panels reads W too often; with fewer columns, A.
constexpr std::int64_t kMinPanelsM = 4, kMinColumns = 256;

constexpr std::int64_t kMinRowsToPrefetch = 8;

// Rows are spread evenly over the panels, and panels over the blocks, so there is no short last one.
struct Blocking {
  std::int64_t M, N, group;
  SplitK k;
  std::int64_t m_panels, n_panels, m_blocks, n_blocks;
  bool k_outside;
  std::size_t tile_bytes, weight_bytes;  // scratch of one thread

  std::int64_t panel_row(std::int64_t panel) const { return panel * M / m_panels; }
  std::int64_t block_m(std::int64_t block) const { return block * m_panels / m_blocks; }  // first panel
  std::int64_t block_n(std::int64_t block) const { return block * n_panels / n_blocks; }
  std::size_t thread_bytes() const { return tile_bytes + weight_bytes; }
};

void split(std::int64_t& blocks, std::int64_t panels, std::int64_t min_panels, std::int64_t others,
           std::int64_t wanted) {
  while (blocks * others < wanted && panels / (blocks + 1) >= min_panels) ++blocks;
}

Blocking make_blocking(const QgemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, std::int64_t group,
                       int threads) {
  Blocking b{};
  b.M = M;
  b.N = N;
  b.group = group;
  b.k = split_k(kernel, K, group);
  b.m_panels = std::max<std::int64_t>(1, ceil_div(M, kernel.mr));
  b.n_panels = std::max<std::int64_t>(1, ceil_div(N, kernel.nr));

  // A and the waiting sums may take three eighths of the L2 each.
  const std::int64_t budget = static_cast<std::int64_t>(cpu().l2_bytes) / 8 * 3;
  const std::int64_t row_bytes = b.k.kc * panel_bytes(kernel.a_panel);
  const std::int64_t deep_rows = budget / std::max<std::int64_t>(1, row_bytes * b.k.blocks);
  b.k_outside = b.k.blocks > 1 && deep_rows < std::min(M, min_rows(kernel));
  const std::int64_t rows = b.k_outside ? budget / row_bytes : deep_rows;
  b.m_blocks = ceil_div(b.m_panels, std::max<std::int64_t>(1, rows / kernel.mr));
  const std::int64_t block_rows = ceil_div(b.m_panels, b.m_blocks) * kernel.mr;
  b.n_blocks = 1;
  if (b.k_outside) {
    const std::int64_t columns = budget / (block_rows * 4);
    b.n_blocks = ceil_div(b.n_panels, std::max<std::int64_t>(1, columns / kernel.nr));
  }
  if (threads > 1) {
    // Several items a thread even out uneven cores; below the comfortable sizes only until every thread has one.
    const std::int64_t comfortable = 4 * threads;
    split(b.m_blocks, b.m_panels, kMinPanelsM, b.n_blocks, comfortable);
    split(b.n_blocks, b.n_panels, ceil_div(kMinColumns, kernel.nr), b.m_blocks, comfortable);
    split(b.n_blocks, b.n_panels, 1, b.m_blocks, threads);
    split(b.m_blocks, b.m_panels, 1, b.n_blocks, threads);
  }

  std::int64_t tiles = 1;
  if (b.k.blocks > 1) tiles = ceil_div(b.m_panels, b.m_blocks);
  if (b.k_outside) tiles *= ceil_div(b.n_panels, b.n_blocks);
  b.tile_bytes = round_up(static_cast<std::size_t>(tiles * kernel.mr * kernel.nr) * 4, 64);
  b.weight_bytes = kernel.weight_bits == 4 ? static_cast<std::size_t>(b.k.kc * kernel.nr) : 0;
  return b;
}

struct Operands {
  const std::byte* A;
  const std::byte* W;
  WeightsLayout weights;
  Finish finish;
};

// Panels [p0, p1) of A times block kb of panel q of W.
void run_block(const QgemmKernel& kernel, const Blocking& b, const Operands& o, std::int64_t p0, std::int64_t p1,
               std::int64_t q, std::int64_t kb, std::byte* tiles, std::int8_t* unpacked) {
  const std::int64_t nr = kernel.nr, k0 = kb * b.k.kc, k = std::min(b.k.kc, b.k.k_padded - k0);
  const int cols = static_cast<int>(std::min(nr, b.N - q * nr));
  const std::byte* packed = o.W + q * o.weights.panel_bytes + k0 * nr * kernel.weight_bits / 8;
  const auto* w = reinterpret_cast<const std::int8_t*>(packed);
  if (kernel.weight_bits == 4) {
    kernel.ops->unpack(reinterpret_cast<const std::uint8_t*>(packed), k * nr / 128, unpacked);
    w = unpacked;
  }
  const float* scales = nullptr;
  if (b.group) {
    scales = reinterpret_cast<const float*>(o.W + o.weights.scale_at) + (q * o.weights.groups + k0 / b.group) * nr;
  }
  // The weights of the next call come into the L2 meanwhile, a share with each panel of A. Very few rows read them so
  // fast and in such order that the processor foresees it better.
  const std::int64_t bytes = k * nr * kernel.weight_bits / 8;
  const bool foresee = b.panel_row(p1) - b.panel_row(p0) >= kMinRowsToPrefetch;
  const std::int64_t share = foresee ? ceil_div(bytes, (p1 - p0) * 64) * 64 : 0;
  const std::byte* next = packed + (b.k_outside ? o.weights.panel_bytes : bytes);
  for (std::int64_t p = p0; p < p1; ++p, next += share) {
    for (std::int64_t i = 0; i < share; i += 64) __builtin_prefetch(next + i, 0, 2);
    const std::int64_t row = b.panel_row(p);
    const int rows = static_cast<int>(b.panel_row(p + 1) - row);
    const std::byte* a = o.A + (kb * b.M + row) * kernel.a_stride;
    std::byte* tile = tiles;
    if (b.k.blocks > 1) tile += (p - p0) * kernel.mr * nr * 4;
    kernel.micro(a, w, k, rows, cols, tile, kb > 0, scales, b.group);
    if (kb + 1 == b.k.blocks) {
      kernel.ops->finish(tile, kernel.nr, row, q * nr, rows, cols, o.finish);
    }
  }
}

void run_item(const QgemmKernel& kernel, const Blocking& b, const Operands& o, std::int64_t item, std::byte* scratch) {
  const std::int64_t bm = item / b.n_blocks, bn = item % b.n_blocks;
  const std::int64_t p0 = b.block_m(bm), p1 = b.block_m(bm + 1), q0 = b.block_n(bn), q1 = b.block_n(bn + 1);
  auto* unpacked = reinterpret_cast<std::int8_t*>(scratch + b.tile_bytes);
  if (b.k_outside) {
    for (std::int64_t kb = 0; kb < b.k.blocks; ++kb) {
      std::byte* tiles = scratch;
      for (std::int64_t q = q0; q < q1; ++q, tiles += (p1 - p0) * kernel.mr * kernel.nr * 4) {
        run_block(kernel, b, o, p0, p1, q, kb, tiles, unpacked);
      }
    }
  } else {
    for (std::int64_t q = q0; q < q1; ++q) {
      for (std::int64_t kb = 0; kb < b.k.blocks; ++kb) run_block(kernel, b, o, p0, p1, q, kb, scratch, unpacked);
    }
  }
}

}  // namespace
}  // namespace internal

using namespace internal;

std::size_t qgemm_scratch_bytes(const QgemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K,
                                std::int64_t group, int threads) {
  std::size_t most = 0;
  for (int t = 1; t <= threads; ++t) {  // fewer threads can mean larger blocks
    most = std::max(most, static_cast<std::size_t>(t) * make_blocking(kernel, M, N, K, group, t).thread_bytes());
  }
  return most;
}

void qgemm(const QgemmKernel& kernel, const QgemmArgs& args, ThreadPool& pool, void* scratch) noexcept {
  if (args.M <= 0 || args.N <= 0) return;
  const Blocking b = make_blocking(kernel, args.M, args.N, args.K, args.group, pool.threads());
  const ActivationLayout activations = activation_layout(kernel, args.M, b.k);
  Operands o{static_cast<const std::byte*>(args.A), static_cast<const std::byte*>(args.W),
             weights_layout(kernel, args.N, args.K, args.group), Finish{}};
  o.finish.args = &args;
  o.finish.row_scale = reinterpret_cast<const float*>(o.A + activations.scale_at);
  o.finish.row_zero = reinterpret_cast<const std::int32_t*>(o.A + activations.zero_at);
  o.finish.offset = kernel.a_panel == QPanel::u8 ? 128 : 0;
  if (args.group) {
    o.finish.col_scaled_sum = reinterpret_cast<const float*>(o.W + o.weights.sum_at);
  } else {
    o.finish.col_scale = reinterpret_cast<const float*>(o.W + o.weights.scale_at);
    o.finish.col_sum = reinterpret_cast<const std::int32_t*>(o.W + o.weights.sum_at);
  }
  pool.parallel_for(b.m_blocks * b.n_blocks, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    if (kernel.thread_begin) kernel.thread_begin();
    auto* mine = static_cast<std::byte*>(scratch) + static_cast<std::size_t>(thread) * b.thread_bytes();
    for (std::int64_t item = begin; item < end; ++item) run_item(kernel, b, o, item, mine);
    if (kernel.thread_end) kernel.thread_end();
  });
}

}  // namespace thimble::kernels
