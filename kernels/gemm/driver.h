// Internal to gemm/ and conv/: cache blocking and threads around a micro-kernel, with rows of A from any source.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace thimble::kernels::internal {

// Where rows of A come from: memory (gemm) or patches of a picture (conv). Writes `rows` rows of elements [k0, k0 + kc)
// in the kernel's a_panel type, `stride` bytes apart.
struct RowSource {
  const void* context;
  void (*gather)(const void* context, std::int64_t m0, std::int64_t rows, std::int64_t k0, std::int64_t kc,
                 std::byte* out, std::int64_t stride);
};

// Copies n elements of an activation of `type` into a panel of `panel` type (equal, or bf16 widened to f32).
using CopyElements = void (*)(const void* src, std::int64_t n, std::byte* out);
CopyElements copy_elements(DType type, DType panel);

// Rows are spread evenly over the panels, and panels over the blocks, so there is no short last one. Which rows share
// a panel, and the order of sums over k, follow from M, N, K and the kernel alone; only the blocks know the threads.
struct Blocking {
  std::int64_t M, N, K;
  std::int64_t m_panels, n_panels;  // of mr rows at most, of nr columns
  std::int64_t m_blocks, n_blocks;  // work items: m_blocks * n_blocks
  std::int64_t k_blocks, kc;        // kc: a multiple of kr
  std::size_t a_bytes, tile_bytes;  // scratch of one thread

  std::int64_t panel_row(std::int64_t panel) const { return panel * M / m_panels; }
  std::int64_t block_m(std::int64_t block) const { return block * m_panels / m_blocks; }  // first panel
  std::int64_t block_n(std::int64_t block) const { return block * n_panels / n_blocks; }
};

Blocking make_blocking(const GemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, int threads);

struct DriverArgs {
  RowSource rows;
  const void* W;
  void* C;
  std::int64_t ldc;
  DType c_type;
  const Epilogue* epilogue;
};

void drive(const GemmKernel& kernel, const Blocking& blocking, const DriverArgs& args, ThreadPool& pool, void* scratch);

}  // namespace thimble::kernels::internal
