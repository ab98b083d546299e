// The blocking of gemm/, with one step more: a panel of int4 becomes floats before it meets the panels of A.
#include "kernels/qgemm/w4a16.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"
#include "kernels/gemm/driver.h"
#include "kernels/qgemm/driver.h"

namespace thimble::kernels {
namespace {

using namespace internal;

decltype(W4A16Kernel::dequantize) dequantize_of(const GemmKernel& kernel) {
#if defined(__x86_64__)
  if (kernel.isa >= Isa::avx512_bf16 && kernel.a_panel == DType::bf16) return dequantize_avx512_bf16;
  if (kernel.isa >= Isa::avx512) return dequantize_avx512;
  if (kernel.isa == Isa::avx2) return dequantize_avx2;
#elif defined(__aarch64__)
  if (kernel.isa >= Isa::neon && kernel.isa <= Isa::neon_i8mm) return dequantize_neon;
#endif
  return dequantize_scalar;
}

// Panels [k][nr / 2] of bytes, then scales [panel][group][nr].
struct Layout {
  std::int64_t k_padded, panel_bytes, group, groups;
  std::size_t scale_at, bytes;
};
Layout layout_of(const GemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group) {
  const std::int64_t k_padded = padded(K, kernel.kr), panels = ceil_div(N, kernel.nr);
  // Padding of k lies in the last group.
  const std::int64_t group_k = group ? group : std::max<std::int64_t>(2, k_padded);
  const std::int64_t groups = std::max<std::int64_t>(1, ceil_div(k_padded, group_k));
  const std::size_t at = round_up(static_cast<std::size_t>(panels * k_padded * kernel.nr / 2), 64);
  return {k_padded, k_padded * kernel.nr / 2,
          group_k,  groups,
          at,       at + static_cast<std::size_t>(panels * groups * kernel.nr) * 4};
}

struct Scratch {
  std::size_t weights, thread;  // bytes: of the panel of floats, of all that a thread needs
};
Scratch scratch_of(const GemmKernel& kernel, const Blocking& b) {
  const auto weights = static_cast<std::size_t>(b.kc * kernel.nr * kernel.w_element_bytes());
  return {weights, round_up(weights, 64) + b.a_bytes + b.tile_bytes};
}

void run_item(const W4A16Kernel& w4, const Blocking& b, const GemmArgs& args, const Layout& layout, std::int64_t item,
              std::byte* scratch) {
  const GemmKernel& kernel = *w4.gemm;
  const std::int64_t bm = item / b.n_blocks, bn = item % b.n_blocks;
  const std::int64_t p0 = b.block_m(bm), p1 = b.block_m(bm + 1), q0 = b.block_n(bn), q1 = b.block_n(bn + 1);
  const std::int64_t row0 = b.panel_row(p0), rows = b.panel_row(p1) - row0, nr = kernel.nr;
  const auto element = static_cast<std::int64_t>(size_of(kernel.type));
  const auto panel_element = static_cast<std::int64_t>(size_of(kernel.a_panel));
  const CopyElements copy = copy_elements(kernel.type, kernel.a_panel);
  std::byte* const floats = scratch;
  std::byte* const a = floats + round_up(scratch_of(kernel, b).weights, 64);
  auto* const tiles = reinterpret_cast<float*>(a + b.a_bytes);
  const auto* W = static_cast<const std::byte*>(args.W);
  for (std::int64_t kb = 0; kb < b.k_blocks; ++kb) {
    const std::int64_t k0 = kb * b.kc, k = std::min(b.kc, b.K - k0), k_padded = std::min(b.kc, layout.k_padded - k0);
    for (std::int64_t r = 0; r < rows && k > 0; ++r) {
      std::byte* to = a + r * kernel.a_stride;
      copy(static_cast<const std::byte*>(args.A) + ((row0 + r) * args.lda + k0) * element, k, to);
      std::memset(to + k * panel_element, 0, static_cast<std::size_t>((k_padded - k) * panel_element));
    }
    for (std::int64_t q = q0; q < q1; ++q) {
      w4.dequantize(reinterpret_cast<const std::uint8_t*>(W + q * layout.panel_bytes),
                    reinterpret_cast<const float*>(W + layout.scale_at) + q * layout.groups * nr, layout.group, k0,
                    k_padded, kernel.nr, kernel.layout, floats);
      const int cols = static_cast<int>(std::min(nr, b.N - q * nr));
      for (std::int64_t p = p0; p < p1; ++p) {
        const std::int64_t row = b.panel_row(p);
        const int panel_rows = static_cast<int>(b.panel_row(p + 1) - row);
        float* tile = tiles;
        if (b.k_blocks > 1) tile += ((q - q0) * (p1 - p0) + (p - p0)) * kernel.mr * nr;
        kernel.micro(a + (row - row0) * kernel.a_stride, floats, k_padded, panel_rows, cols, tile, kb > 0);
        if (kb + 1 == b.k_blocks) {
          kernel.epilogue(tile, kernel.nr, row, q * nr, panel_rows, cols, args.epilogue, args.C, args.ldc, args.c_type);
        }
      }
    }
  }
}

}  // namespace

W4A16Kernel w4a16_kernel(const GemmKernel& gemm) { return {&gemm, dequantize_of(gemm)}; }
W4A16Kernel pick_w4a16(DType type, Isa cap) { return w4a16_kernel(pick_gemm(type, cap)); }

std::size_t w4a16_weight_bytes(const W4A16Kernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group) {
  return layout_of(*kernel.gemm, N, K, group).bytes;
}

void pack_w4a16(const W4A16Kernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group, const QWeights& w,
                void* dst) {
  if (group < 0 || group % 2) fail(ErrorKind::unsupported, "[w4a16] groups of {}; an even number is wanted", group);
  const Layout layout = layout_of(*kernel.gemm, N, K, group);
  const std::int64_t nr = kernel.gemm->nr, half = nr / 2, given = group ? ceil_div(K, group) : 1;
  auto* bytes = static_cast<std::uint8_t*>(dst);
  auto* scales = reinterpret_cast<float*>(bytes + layout.scale_at);
  for (std::int64_t panel = 0; panel < ceil_div(N, nr); ++panel) {
    std::uint8_t* to = bytes + panel * layout.panel_bytes;
    const auto value = [&](std::int64_t k, std::int64_t j) {
      const std::int64_t n = panel * nr + j;
      return k < K && n < N ? qweight_at(w, n, k) + 8 : 8;
    };
    for (std::int64_t k = 0; k < layout.k_padded; ++k) {
      for (std::int64_t j = 0; j < half; ++j) {
        to[k * half + j] = static_cast<std::uint8_t>(value(k, j) | value(k, j + half) << 4);
      }
    }
    for (std::int64_t g = 0; g < layout.groups; ++g) {
      for (std::int64_t j = 0; j < nr; ++j) {
        const std::int64_t n = panel * nr + j;
        scales[(panel * layout.groups + g) * nr + j] = n < N && g < given ? w.scale[n * given + g] : 0.0f;
      }
    }
  }
}

std::size_t w4a16_scratch_bytes(const W4A16Kernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K,
                                int threads) {
  std::size_t most = 0;
  for (int t = 1; t <= threads; ++t) {
    const Blocking b = make_blocking(*kernel.gemm, M, N, K, t);
    most = std::max(most, static_cast<std::size_t>(t) * scratch_of(*kernel.gemm, b).thread);
  }
  return most;
}

void w4a16(const W4A16Kernel& kernel, const GemmArgs& args, std::int64_t group, ThreadPool& pool,
           void* scratch) noexcept {
  if (args.M <= 0 || args.N <= 0) return;
  const GemmKernel& gemm = *kernel.gemm;
  const Blocking b = make_blocking(gemm, args.M, args.N, args.K, pool.threads());
  const Layout layout = layout_of(gemm, args.N, args.K, group);
  const std::size_t thread_bytes = scratch_of(gemm, b).thread;
  pool.parallel_for(b.m_blocks * b.n_blocks, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    if (gemm.thread_begin) gemm.thread_begin();
    auto* mine = static_cast<std::byte*>(scratch) + static_cast<std::size_t>(thread) * thread_bytes;
    for (std::int64_t item = begin; item < end; ++item) run_item(kernel, b, args, layout, item, mine);
    if (gemm.thread_end) gemm.thread_end();
  });
}

}  // namespace thimble::kernels
