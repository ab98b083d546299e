// Planning, packing and running convolutions of integers. One work item is a block of one picture's pixels times a
// block of columns. Either its patches are gathered for the whole depth into the L2, each panel of W, one block of k
// long, meets every panel of pixels, and sums wait for the next block of k in one column of tiles; or, for a large
// depth, patches come in by blocks of k and all sums of the item wait.
#include "kernels/conv/qconv.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "kernels/conv/patches.h"
#include "kernels/conv/round.h"
#include "kernels/qgemm/driver.h"

namespace thimble::kernels {
namespace {

using internal::ceil_div;
using internal::panel_bytes;

// With fewer rows at hand than these, W is read from beyond the L2 too often; with fewer columns, patches are gathered
// too often. With more rows than kMostRows at a large depth, too few columns of sums have room.
constexpr std::int64_t min_rows(const QgemmKernel& kernel) { return kernel.layout == QLayout::amx ? 256 : 112; }
constexpr std::int64_t kMinColumns = 256, kMostRows = 256;
// A range is found in so many parts of a picture, whatever the threads.
constexpr std::int64_t kParts = 32;

constexpr const RoundOps* kRounds[] = {
#if defined(__x86_64__)
    &internal::round_avx512,
    &internal::round_avx2,
#elif defined(__aarch64__)
    &internal::round_neon,
#endif
    &internal::round_scalar,
};

// Rounded pictures: bytes, then of each picture scale (f32) and zero-point (i32), then the ranges of its parts.
struct RoundedLayout {
  std::size_t scale_at, zero_at, range_at, bytes;
};
RoundedLayout rounded_layout(const QConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const auto pictures = static_cast<std::size_t>(s.B);
  const std::int64_t numbers = s.B * s.H * s.W * s.C * panel_bytes(plan.kernel->a_panel);
  const std::size_t at = round_up(static_cast<std::size_t>(numbers), 64);
  const std::size_t range_at = at + 2 * pictures * 4;
  return {at, at + pictures * 4, range_at, range_at + pictures * static_cast<std::size_t>(kParts) * sizeof(Range)};
}

std::int64_t part_row(const ConvShape& s, std::int64_t part) { return part * s.H / kParts; }

// Calls f(x, n, offset) for stretches of rows [y0, y1) of picture b that lie in one piece.
template <class F>
void for_stretches(const ConvShape& s, const RoundArgs& args, std::int64_t b, std::int64_t y0, std::int64_t y1, F f) {
  const std::int64_t ld = args.x_ld ? args.x_ld : s.C, first = (b * s.H + y0) * s.W, pixels = (y1 - y0) * s.W;
  const auto element = static_cast<std::int64_t>(size_of(args.type));
  const auto* x = static_cast<const std::byte*>(args.x);
  if (ld == s.C) return f(x + first * ld * element, pixels * s.C, first * s.C);
  for (std::int64_t p = first; p < first + pixels; ++p) f(x + p * ld * element, s.C, p * s.C);
}

struct Blocking {
  internal::SplitK k;
  std::int64_t m_panels, n_panels, m_blocks, n_blocks;  // of one picture
  std::int64_t block_rows;                              // the most rows of an item
  bool k_outside;
  std::size_t a_bytes, tile_bytes;  // scratch of one thread
  std::int64_t panel_row(std::int64_t panel, std::int64_t M) const { return panel * M / m_panels; }
};

Blocking make_blocking(const QConvPlan& plan, int threads) {
  const QgemmKernel& kernel = *plan.kernel;
  Blocking b{};
  b.k = internal::split_k(kernel, plan.K, 0);
  b.m_panels = ceil_div(plan.M, kernel.mr);
  b.n_panels = ceil_div(plan.N, kernel.nr);
  const std::int64_t budget = static_cast<std::int64_t>(cpu().l2_bytes) / 8 * 3;
  const std::int64_t deep_rows = budget / (b.k.kc * b.k.blocks * panel_bytes(kernel.a_panel));
  b.k_outside = b.k.blocks > 1 && deep_rows < std::min(plan.M, min_rows(kernel));
  const std::int64_t rows = b.k_outside ? kMostRows : deep_rows;
  b.m_blocks = ceil_div(b.m_panels, std::max<std::int64_t>(1, rows / kernel.mr));
  b.n_blocks = 1;
  if (b.k_outside) {
    const std::int64_t columns = budget / (ceil_div(b.m_panels, b.m_blocks) * kernel.mr * 4);
    b.n_blocks = ceil_div(b.n_panels, std::max<std::int64_t>(1, columns / kernel.nr));
  }
  if (threads > 1) {
    const std::int64_t comfortable = 4 * threads, B = plan.shape.B;
    const auto split = [](std::int64_t& blocks, std::int64_t panels, std::int64_t least, std::int64_t others,
                          std::int64_t wanted) {
      while (blocks * others < wanted && panels / (blocks + 1) >= least) ++blocks;
    };
    split(b.m_blocks, b.m_panels, 4, B * b.n_blocks, comfortable);
    split(b.n_blocks, b.n_panels, ceil_div(kMinColumns, kernel.nr), B * b.m_blocks, comfortable);
    split(b.n_blocks, b.n_panels, 1, B * b.m_blocks, threads);
    split(b.m_blocks, b.m_panels, 1, B * b.n_blocks, threads);
  }
  const std::int64_t panels = ceil_div(b.m_panels, b.m_blocks);
  b.block_rows = panels * kernel.mr;
  // mr spare rows: AMX reads whole tiles.
  b.a_bytes = round_up(
      static_cast<std::size_t>(((b.k_outside ? 1 : b.k.blocks) * b.block_rows + kernel.mr) * kernel.a_stride), 64);
  std::int64_t tiles = b.k.blocks > 1 ? panels : 1;
  if (b.k_outside) tiles *= ceil_div(b.n_panels, b.n_blocks);
  b.tile_bytes = round_up(static_cast<std::size_t>(tiles * kernel.mr * kernel.nr) * 4, 64);
  return b;
}

// One picture: what the kernel and the finish of qgemm/ read.
struct Picture {
  internal::Patches patches;
  QgemmArgs args;
  Finish finish;
};

// Work item: panels [p0, p1) of pixels and [q0, q1) of columns.
struct Item {
  std::int64_t p0, p1, q0, q1, row0, rows;
};

// The item's patches, block kb of k.
void gather(const QConvPlan& plan, const Blocking& b, const Picture& picture, const Item& item, std::int64_t kb,
            std::byte* to) {
  const QgemmKernel& kernel = *plan.kernel;
  const std::int64_t bytes = panel_bytes(kernel.a_panel), k0 = kb * b.k.kc;
  const std::int64_t k = std::min(b.k.kc, plan.K - k0), padded = std::min(b.k.kc, b.k.k_padded - k0);
  internal::gather_patches(&picture.patches, item.row0, item.rows, k0, k, to, kernel.a_stride);
  if (padded == k) return;
  for (std::int64_t r = 0; r < item.rows; ++r) {
    std::memset(to + r * kernel.a_stride + k * bytes, 0, static_cast<std::size_t>((padded - k) * bytes));
  }
}

// Panels of pixels times block kb of panel q of W.
void run_block(const QConvPlan& plan, const Blocking& b, const Picture& picture, const Item& item, std::int64_t q,
               std::int64_t kb, const std::byte* a, std::byte* tiles) {
  const QgemmKernel& kernel = *plan.kernel;
  const internal::WeightsLayout weights = internal::weights_layout(kernel, plan.N, plan.K, 0);
  const std::int64_t nr = kernel.nr, k0 = kb * b.k.kc, k = std::min(b.k.kc, b.k.k_padded - k0);
  const int cols = static_cast<int>(std::min(nr, plan.N - q * nr));
  const std::byte* w = static_cast<const std::byte*>(picture.args.W) + q * weights.panel_bytes + k0 * nr;
  // The weights of the next call come into the L2 meanwhile, a share with each panel of pixels.
  const std::int64_t share = ceil_div(k * nr, (item.p1 - item.p0) * 64) * 64;
  const std::byte* next = w + (b.k_outside ? weights.panel_bytes : k * nr);
  for (std::int64_t p = item.p0; p < item.p1; ++p, next += share) {
    for (std::int64_t i = 0; i < share; i += 64) __builtin_prefetch(next + i, 0, 2);
    const std::int64_t row = b.panel_row(p, plan.M);
    const int here = static_cast<int>(b.panel_row(p + 1, plan.M) - row);
    std::byte* tile = tiles + (b.k.blocks > 1 ? (p - item.p0) * kernel.mr * nr * 4 : 0);
    kernel.micro(a + (row - item.row0) * kernel.a_stride, reinterpret_cast<const std::int8_t*>(w), k, here, cols, tile,
                 kb > 0, nullptr, 0);
    if (kb + 1 == b.k.blocks) kernel.ops->finish(tile, kernel.nr, row, q * nr, here, cols, picture.finish);
  }
}

void run_item(const QConvPlan& plan, const Blocking& b, const Picture& picture, std::int64_t bm, std::int64_t bn,
              std::byte* scratch) {
  const QgemmKernel& kernel = *plan.kernel;
  Item i{bm * b.m_panels / b.m_blocks,
         (bm + 1) * b.m_panels / b.m_blocks,
         bn * b.n_panels / b.n_blocks,
         (bn + 1) * b.n_panels / b.n_blocks,
         0,
         0};
  i.row0 = b.panel_row(i.p0, plan.M);
  i.rows = b.panel_row(i.p1, plan.M) - i.row0;
  std::byte* const tiles = scratch + b.a_bytes;
  if (b.k_outside) {
    const std::int64_t column = (i.p1 - i.p0) * kernel.mr * kernel.nr * 4;
    for (std::int64_t kb = 0; kb < b.k.blocks; ++kb) {
      gather(plan, b, picture, i, kb, scratch);
      for (std::int64_t q = i.q0; q < i.q1; ++q) {
        run_block(plan, b, picture, i, q, kb, scratch, tiles + (q - i.q0) * column);
      }
    }
    return;
  }
  const std::int64_t depth = b.block_rows * kernel.a_stride;
  for (std::int64_t kb = 0; kb < b.k.blocks; ++kb) gather(plan, b, picture, i, kb, scratch + kb * depth);
  for (std::int64_t q = i.q0; q < i.q1; ++q) {
    for (std::int64_t kb = 0; kb < b.k.blocks; ++kb) {
      run_block(plan, b, picture, i, q, kb, scratch + kb * depth, tiles);
    }
  }
}

void copy_bytes(const void* src, std::int64_t n, std::byte* out) { std::memcpy(out, src, static_cast<std::size_t>(n)); }
void copy_pairs(const void* src, std::int64_t n, std::byte* out) {
  std::memcpy(out, src, static_cast<std::size_t>(n) * 2);
}

// Picture b of the whole: operands moved to it, so that rows count from its first pixel.
void address(Picture& p, const QConvPlan& plan, const QConvArgs& args, std::int64_t b) {
  const ConvShape& s = plan.shape;
  const QgemmKernel& kernel = *plan.kernel;
  const RoundedLayout at = rounded_layout(plan);
  const auto* x = static_cast<const std::byte*>(args.x);
  const std::int64_t bytes = panel_bytes(kernel.a_panel);
  p.patches = internal::make_patches(s, x + b * s.H * s.W * s.C * bytes, s.C, s.C, bytes, bytes,
                                     bytes == 1 ? copy_bytes : copy_pairs);
  p.finish.row_scale = reinterpret_cast<const float*>(x + at.scale_at) + b;
  p.finish.row_zero = reinterpret_cast<const std::int32_t*>(x + at.zero_at) + b;
  p.finish.row_step = 0;
  p.finish.offset = kernel.a_panel == QPanel::u8 ? 128 : 0;
  p.patches.fill = static_cast<int>(static_cast<std::uint8_t>(*p.finish.row_zero + p.finish.offset));
  if (kernel.a_panel == QPanel::s16) p.patches.fill = 0;
  const internal::WeightsLayout weights = internal::weights_layout(kernel, plan.N, plan.K, 0);
  const auto* w = static_cast<const std::byte*>(args.w);
  p.finish.col_scale = reinterpret_cast<const float*>(w + weights.scale_at);
  p.finish.col_sum = reinterpret_cast<const std::int32_t*>(w + weights.sum_at);

  QgemmArgs& q = p.args;
  const auto y_element = static_cast<std::int64_t>(size_of(args.y_type));
  q.M = plan.M;
  q.N = plan.N;
  q.K = plan.K;
  q.W = args.w;
  q.ldc = args.y_ld ? args.y_ld : s.O;
  q.C = static_cast<std::byte*>(args.y) + b * plan.M * q.ldc * y_element;
  q.c_type = q.residual_type = args.y_type;
  q.epilogue = args.epilogue;
  Epilogue& e = q.epilogue;
  // Vectors per picture, or per so many rows as all pixels of several pictures have.
  const std::int64_t batch = b * plan.M / e.rows_per_batch;
  if (e.bias) e.bias += batch * e.bias_batch_stride;
  if (e.gate) {
    e.gate = static_cast<const std::byte*>(e.gate) +
             batch * e.gate_batch_stride * static_cast<std::int64_t>(size_of(e.gate_type));
  }
  if (e.residual) e.residual = static_cast<const std::byte*>(e.residual) + b * plan.M * e.residual_ld * y_element;
  p.finish.args = &q;
}

}  // namespace

QConvPlan plan_qconv_with(const ConvShape& shape, const QgemmKernel& kernel, int threads) {
  if (shape.groups != 1) fail(ErrorKind::unsupported, "[qconv] convolutions in groups take no integers");
  const ConvPlan same = plan_conv_with(shape, pick_gemm(DType::f32, Isa::scalar), threads);  // checks the shape
  if (same.K > kMaxQgemmK) {
    fail(ErrorKind::unsupported, "[qconv] {} inputs: a sum could overflow beyond {}", same.K, kMaxQgemmK);
  }
  QConvPlan plan;
  plan.shape = shape;
  plan.threads = same.threads;
  plan.kernel = &kernel;
  plan.M = same.M / shape.B;
  plan.N = same.N;
  plan.K = same.K;
  plan.round = &internal::round_scalar;
  for (const RoundOps* ops : kRounds) {
    if (ops->isa > kernel.isa || !supports(cpu(), ops->isa)) continue;
    plan.round = ops;
    break;
  }
  return plan;
}

QConvPlan plan_qconv(const ConvShape& shape, int threads, Isa cap) {
  return plan_qconv_with(shape, pick_qgemm(8, 0, cap), threads);
}

std::size_t qconv_packed_bytes(const QConvPlan& plan) { return qgemm_weight_bytes(*plan.kernel, plan.N, plan.K, 0); }

void qconv_pack(const QConvPlan& plan, const std::int8_t* weights, const float* scale, void* dst) {
  // The gathered patch runs over (ky, kx, c).
  const std::int64_t C = plan.shape.C, taps = plan.shape.kh * plan.shape.kw;
  std::vector<std::int8_t> ordered(static_cast<std::size_t>(plan.N * plan.K));
  for (std::int64_t n = 0; n < plan.N; ++n) {
    const std::int8_t* from = weights + n * plan.K;
    std::int8_t* to = ordered.data() + n * plan.K;
    for (std::int64_t c = 0; c < C; ++c) {
      for (std::int64_t t = 0; t < taps; ++t) to[t * C + c] = from[c * taps + t];
    }
  }
  pack_qweights(*plan.kernel, plan.N, plan.K, 0, {.q = ordered.data(), .ld = plan.K, .scale = scale}, dst);
}

std::size_t rounded_bytes(const QConvPlan& plan) { return rounded_layout(plan).bytes; }

void round_pictures(const QConvPlan& plan, const RoundArgs& args, ThreadPool& pool, void* dst) noexcept {
  const ConvShape& s = plan.shape;
  const QPanel panel = plan.kernel->a_panel;
  const RoundedLayout at = rounded_layout(plan);
  auto* const out = static_cast<std::byte*>(dst);
  auto* const scales = reinterpret_cast<float*>(out + at.scale_at);
  auto* const zeros = reinterpret_cast<std::int32_t*>(out + at.zero_at);
  auto* const ranges = reinterpret_cast<Range*>(out + at.range_at);
  pool.parallel_for(s.B * kParts, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      Range all;
      for_stretches(s, args, i / kParts, part_row(s, i % kParts), part_row(s, i % kParts + 1),
                    [&](const std::byte* x, std::int64_t n, std::int64_t) {
                      const Range r = plan.round->range(x, args.type, n);
                      all = {std::min(all.low, r.low), std::max(all.high, r.high), all.poison + r.poison};
                    });
      ranges[i] = all;
    }
  });
  // From here as qgemm's rounding of a row.
  constexpr float kSmallest = 0x1p-100f;
  for (std::int64_t b = 0; b < s.B; ++b) {
    Range r;
    for (const Range* part = ranges + b * kParts; part < ranges + (b + 1) * kParts; ++part) {
      r = {std::min(r.low, part->low), std::max(r.high, part->high), r.poison + part->poison};
    }
    const float most = std::max(r.high, -r.low);
    float scale = 0;
    std::int32_t zero = 0;
    if (!(r.poison != 0 || most < kSmallest)) {
      scale = args.asymmetric ? (r.high * 0.5f - r.low * 0.5f) / 127.5f : most / 127.0f;
      if (args.asymmetric) zero = static_cast<std::int32_t>(std::rint(-128.0f - r.low / scale));
    }
    scales[b] = scale + r.poison;
    zeros[b] = zero;
  }
  pool.parallel_for(s.B * kParts, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / kParts;
      const std::int32_t zero = zeros[b];
      const bool some = scales[b] > 0;  // else zeros: x is zero, or its scale NaN
      for_stretches(s, args, b, part_row(s, i % kParts), part_row(s, i % kParts + 1),
                    [&](const std::byte* x, std::int64_t n, std::int64_t offset) {
                      RoundJob job{.x = x,
                                   .type = args.type,
                                   .n = n,
                                   .inverse = some ? 1.0f / scales[b] : 0,
                                   .low = some ? static_cast<float>(-128 - zero) : 0,
                                   .high = some ? static_cast<float>(127 - zero) : 0,
                                   .zero = panel == QPanel::s16 ? 0 : zero,
                                   .panel = panel,
                                   .out = out + offset * panel_bytes(panel)};
                      plan.round->round(job);
                    });
    }
  });
  if (panel == QPanel::s16) std::fill_n(zeros, s.B, 0);  // what is stored is q - z
}

std::size_t qconv_scratch_bytes(const QConvPlan& plan) {
  std::size_t most = 0;
  for (int t = 1; t <= plan.threads; ++t) {  // fewer threads can mean larger blocks
    const Blocking b = make_blocking(plan, t);
    most = std::max(most, static_cast<std::size_t>(t) * (b.a_bytes + b.tile_bytes));
  }
  return most;
}

void qconv(const QConvPlan& plan, const QConvArgs& args, ThreadPool& pool, void* scratch) noexcept {
  const Blocking b = make_blocking(plan, pool.threads());
  const std::int64_t items = b.m_blocks * b.n_blocks;
  pool.parallel_for(plan.shape.B * items, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    if (plan.kernel->thread_begin) plan.kernel->thread_begin();
    auto* mine = static_cast<std::byte*>(scratch) + static_cast<std::size_t>(thread) * (b.a_bytes + b.tile_bytes);
    Picture picture;
    for (std::int64_t i = begin; i < end; ++i) {
      address(picture, plan, args, i / items);
      run_item(plan, b, picture, i % items / b.n_blocks, i % b.n_blocks, mine);
    }
    if (plan.kernel->thread_end) plan.kernel->thread_end();
  });
}

}  // namespace thimble::kernels
