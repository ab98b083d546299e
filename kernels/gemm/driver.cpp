// Cache blocking. One work item is a block of rows times a block of columns; per block of k, A is gathered into the
// thread's L2 once, then each panel of W (near L1) meets every panel of A. Sums of unfinished k blocks wait in scratch.
// A thread whose next item has the rows of the last one keeps them where K is one block.
#include "kernels/gemm/driver.h"

#include <algorithm>
#include <cstring>

#include "base/memory.h"

namespace thimble::kernels {
namespace internal {
namespace {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// An item with fewer rows than this many panels reads W too often; with fewer columns it gathers A too often.
constexpr std::int64_t kMinPanelsM = 4, kMinColumns = 256;
// Columns of one item when its sums wait in scratch between blocks of k.
constexpr std::int64_t kMaxWaitingColumns = 768;
// Columns of one item where every thread holds all rows: below, the first touch of each panel of W shows.
constexpr std::int64_t kMinSharedColumns = 128;

// The block of rows whose gathered panels lie in a thread's scratch; behind its tiles.
std::int64_t& gathered(const Blocking& b, std::byte* scratch) {
  return *reinterpret_cast<std::int64_t*>(scratch + b.a_bytes + b.tile_bytes - 64);
}

template <std::size_t element>
void copy_same(const void* src, std::int64_t n, std::byte* out) {
  std::memcpy(out, src, static_cast<std::size_t>(n) * element);
}

void copy_widened(const void* src, std::int64_t n, std::byte* out) {
  const auto* in = static_cast<const std::uint16_t*>(src);
  auto* to = reinterpret_cast<std::uint32_t*>(out);
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int j = 0; j < 16; ++j) to[i + j] = std::uint32_t{in[i + j]} << 16;
  }
  for (; i < n; ++i) to[i] = std::uint32_t{in[i]} << 16;
}

// Halves the blocks of `panels` while there are too few work items and no block falls under `min_panels`.
void split(std::int64_t& blocks, std::int64_t panels, std::int64_t min_panels, std::int64_t others,
           std::int64_t wanted) {
  while (blocks * others < wanted && panels / (blocks + 1) >= min_panels) ++blocks;
}

void run_item(const GemmKernel& kernel, const Blocking& b, const DriverArgs& args, std::int64_t item,
              std::byte* scratch) {
  const std::int64_t bm = item / b.n_blocks, bn = item % b.n_blocks;
  const std::int64_t p0 = b.block_m(bm), p1 = b.block_m(bm + 1), q0 = b.block_n(bn), q1 = b.block_n(bn + 1);
  const std::int64_t row0 = b.panel_row(p0), rows = b.panel_row(p1) - row0;
  const std::int64_t k_padded = static_cast<std::int64_t>(round_up(static_cast<std::size_t>(b.K), kernel.kr));
  const std::int64_t panel_element = static_cast<std::int64_t>(size_of(kernel.a_panel));
  const std::int64_t w_step = kernel.nr * kernel.w_element_bytes();
  std::byte* const a = scratch;
  auto* const tiles = reinterpret_cast<float*>(scratch + b.a_bytes);
  for (std::int64_t kb = 0; kb < b.k_blocks; ++kb) {
    const std::int64_t k0 = kb * b.kc, kc = std::min(b.kc, b.K - k0), kc_padded = std::min(b.kc, k_padded - k0);
    if (b.k_blocks > 1 || gathered(b, scratch) != bm) {
      gathered(b, scratch) = bm;
      args.rows.gather(args.rows.context, row0, rows, k0, kc, a, kernel.a_stride);
      if (kc_padded > kc) {
        const auto pad = static_cast<std::size_t>((kc_padded - kc) * panel_element);
        for (std::int64_t r = 0; r < rows; ++r) std::memset(a + r * kernel.a_stride + kc * panel_element, 0, pad);
      }
    }
    for (std::int64_t q = q0; q < q1; ++q) {
      const auto* w = static_cast<const std::byte*>(args.W) + (q * k_padded + k0) * w_step;
      const int cols = static_cast<int>(std::min<std::int64_t>(kernel.nr, b.N - q * kernel.nr));
      for (std::int64_t p = p0; p < p1; ++p) {
        const std::int64_t row = b.panel_row(p);
        const int panel_rows = static_cast<int>(b.panel_row(p + 1) - row);
        float* tile = tiles;
        if (b.k_blocks > 1) tile += ((q - q0) * (p1 - p0) + (p - p0)) * kernel.mr * kernel.nr;
        kernel.micro(a + (row - row0) * kernel.a_stride, w, kc_padded, panel_rows, cols, tile, kb > 0);
        if (kb + 1 == b.k_blocks) {
          kernel.epilogue(tile, kernel.nr, row, q * kernel.nr, panel_rows, cols, *args.epilogue, args.C, args.ldc,
                          args.c_type);
        }
      }
    }
  }
}

struct MatrixRows {
  const std::byte* A;
  std::int64_t ld_bytes, element;
  CopyElements copy;
};

void gather_matrix(const void* context, std::int64_t m0, std::int64_t rows, std::int64_t k0, std::int64_t kc,
                   std::byte* out, std::int64_t stride) {
  const auto& m = *static_cast<const MatrixRows*>(context);
  if (kc == 0) return;  // A may be null
  for (std::int64_t r = 0; r < rows; ++r) m.copy(m.A + (m0 + r) * m.ld_bytes + k0 * m.element, kc, out + r * stride);
}

}  // namespace

CopyElements copy_elements(DType type, DType panel) {
  if (type != panel) return copy_widened;
  return type == DType::f32 ? copy_same<4> : copy_same<2>;
}

Blocking make_blocking(const GemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, int threads) {
  Blocking b{};
  b.M = M;
  b.N = N;
  b.K = K;
  b.m_panels = std::max<std::int64_t>(1, ceil_div(M, kernel.mr));
  b.n_panels = std::max<std::int64_t>(1, ceil_div(N, kernel.nr));
  b.k_blocks = std::max<std::int64_t>(1, ceil_div(K, kernel.kc));
  b.kc = ceil_div(ceil_div(K, b.k_blocks), kernel.kr) * kernel.kr;
  b.k_blocks = b.kc ? std::max<std::int64_t>(1, ceil_div(K, b.kc)) : 1;

  // The gathered block of A takes half of the L2.
  const std::int64_t l2 = static_cast<std::int64_t>(cpu().l2_bytes);
  const std::int64_t most_m = std::max<std::int64_t>(1, l2 / 2 / (kernel.a_stride * kernel.mr));
  const std::int64_t most_n = b.k_blocks > 1 ? std::max<std::int64_t>(1, kMaxWaitingColumns / kernel.nr) : b.n_panels;
  b.m_blocks = ceil_div(b.m_panels, most_m);
  b.n_blocks = ceil_div(b.n_panels, most_n);
  if (threads > 1) {
    // Several items a thread even out uneven cores; below the comfortable sizes only until every thread has one.
    const std::int64_t comfortable = 4 * threads;
    const std::int64_t shared_panels = ceil_div(kMinSharedColumns, kernel.nr);
    if (b.m_blocks == 1 && b.k_blocks == 1 && M <= N && b.n_panels >= shared_panels * threads) {
      split(b.n_blocks, b.n_panels, shared_panels, 1, comfortable);  // all threads gather all of A; W is read once
    } else {
      split(b.m_blocks, b.m_panels, kMinPanelsM, b.n_blocks, comfortable);
      split(b.n_blocks, b.n_panels, ceil_div(kMinColumns, kernel.nr), b.m_blocks, comfortable);
    }
    split(b.n_blocks, b.n_panels, 1, b.m_blocks, threads);
    split(b.m_blocks, b.m_panels, 1, b.n_blocks, threads);
  }

  const std::int64_t block_panels_m = ceil_div(b.m_panels, b.m_blocks);
  const std::int64_t block_panels_n = b.k_blocks > 1 ? ceil_div(b.n_panels, b.n_blocks) : 1;
  const std::int64_t tiles = b.k_blocks > 1 ? block_panels_m * block_panels_n : 1;
  // mr spare rows: AMX reads whole tiles.
  b.a_bytes = static_cast<std::size_t>((block_panels_m + 1) * kernel.mr * kernel.a_stride);
  b.tile_bytes = round_up(static_cast<std::size_t>(tiles * kernel.mr * kernel.nr) * sizeof(float), 64) + 64;
  return b;
}

void drive(const GemmKernel& kernel, const Blocking& b, const DriverArgs& args, ThreadPool& pool, void* scratch) {
  if (b.M <= 0 || b.N <= 0) return;
  for (int t = 0; t < pool.threads(); ++t) {
    gathered(b, static_cast<std::byte*>(scratch) + static_cast<std::size_t>(t) * (b.a_bytes + b.tile_bytes)) = -1;
  }
  pool.parallel_for(b.m_blocks * b.n_blocks, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    if (kernel.thread_begin) kernel.thread_begin();
    auto* mine = static_cast<std::byte*>(scratch) + static_cast<std::size_t>(thread) * (b.a_bytes + b.tile_bytes);
    for (std::int64_t item = begin; item < end; ++item) run_item(kernel, b, args, item, mine);
    if (kernel.thread_end) kernel.thread_end();
  });
}

}  // namespace internal

std::size_t gemm_scratch_bytes(const GemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, int threads) {
  std::size_t most = 0;
  for (int t = 1; t <= threads; ++t) {  // fewer threads can mean larger blocks
    const internal::Blocking b = internal::make_blocking(kernel, M, N, K, t);
    most = std::max(most, static_cast<std::size_t>(t) * (b.a_bytes + b.tile_bytes));
  }
  return most;
}

void gemm(const GemmKernel& kernel, const GemmArgs& args, ThreadPool& pool, void* scratch) noexcept {
  const auto element = static_cast<std::int64_t>(size_of(kernel.type));
  const internal::MatrixRows rows{static_cast<const std::byte*>(args.A), args.lda * element, element,
                                  internal::copy_elements(kernel.type, kernel.a_panel)};
  internal::drive(kernel, internal::make_blocking(kernel, args.M, args.N, args.K, pool.threads()),
                  {{&rows, internal::gather_matrix}, args.W, args.C, args.ldc, args.c_type, &args.epilogue}, pool,
                  scratch);
}

}  // namespace thimble::kernels
