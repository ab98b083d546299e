// One head after the other: its keys or values are packed as the weights of a product, whose rows are shared between
// threads. Scores of a run of queries stay in scratch until their softmax is taken.
#include "kernels/attention/map.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/memory.h"

namespace thimble::kernels {
namespace {

// Scores of one run, in elements: they should stay in the L2 until the softmax reads them.
constexpr std::int64_t kRunScores = 1 << 17, kLeastRun = 32;

std::int64_t run_rows(const AttentionMapArgs& a) {
  return std::min(a.q_len, std::max(kLeastRun, kRunScores / a.k_len));
}

struct MapScratch {
  std::size_t packed, scores, gemm;
  std::size_t bytes() const { return packed + scores + gemm; }
};

MapScratch scratch_of(const MapKernels& kernels, const AttentionMapArgs& a, int threads) {
  const std::int64_t rows = run_rows(a);
  return {round_up(packed_bytes(*kernels.gemm, a.k_len, a.head_size), 64),
          round_up(static_cast<std::size_t>(rows * a.k_len) * sizeof(float), 64),
          std::max(gemm_scratch_bytes(*kernels.gemm, rows, a.k_len, a.head_size, threads),
                   gemm_scratch_bytes(*kernels.gemm, a.q_len % rows, a.k_len, a.head_size, threads))};
}

struct ApplyScratch {
  std::size_t packed, turned, gemm;
  std::size_t bytes() const { return packed + turned + gemm; }
};

ApplyScratch scratch_of(const MapKernels& kernels, const AttentionApplyArgs& a, int threads) {
  return {round_up(packed_bytes(*kernels.gemm, a.value_size, a.k_len), 64),
          round_up(static_cast<std::size_t>(a.value_size * a.k_len) * size_of(kernels.gemm->type), 64),
          gemm_scratch_bytes(*kernels.gemm, a.q_len, a.value_size, a.k_len, threads)};
}

const std::byte* head(const void* base, const HeadStrides& s, std::int64_t b, std::int64_t h, std::size_t element) {
  return static_cast<const std::byte*>(base) + (b * s.batch + h * s.head) * static_cast<std::int64_t>(element);
}

void pack(const GemmKernel& kernel, std::int64_t N, std::int64_t K, const void* src, std::int64_t ld, void* to,
          ThreadPool& pool) {
  pool.parallel_for((N + kernel.nr - 1) / kernel.nr, 4, [&](std::int64_t begin, std::int64_t end, int) {
    pack_weight_panels(kernel, N, K, src, kernel.type, ld, to, begin, end);
  });
}

// Scale, mask and causality of one row of scores, and its softmax, in place.
void finish_row(const MapKernels& kernels, const AttentionMapArgs& a, std::int64_t b, std::int64_t h, std::int64_t q,
                float* row) {
  float scale = a.scale;
  if (a.mask != nullptr || a.causal || !(scale > 0)) {
    const float* mask = a.mask ? a.mask + b * a.mask_stride_b + h * a.mask_stride_h + q * a.mask_stride_q : nullptr;
    const std::int64_t seen = a.causal ? std::min(a.k_len, q + 1) : a.k_len;
    for (std::int64_t k = 0; k < seen; ++k) row[k] = row[k] * scale + (mask ? mask[k * a.mask_stride_k] : 0.0f);
    std::fill(row + seen, row + a.k_len, -std::numeric_limits<float>::infinity());
    scale = 1;
  }
  kernels.softmax->softmax(row, row, a.k_len, scale);
}

// (Tk, Dv) to (Dv, Tk), whatever the strides.
template <class T>
void turn(const AttentionApplyArgs& a, const void* v, T* to, ThreadPool& pool) {
  pool.parallel_for(a.value_size, 8, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t t = 0; t < a.k_len; ++t) {
      const T* row = static_cast<const T*>(v) + t * a.v_strides.token;
      for (std::int64_t d = begin; d < end; ++d) to[d * a.k_len + t] = row[d];
    }
  });
}

}  // namespace

MapKernels pick_attention_map(DType type, Isa cap) { return {&pick_gemm(type, cap), pick_norm(DType::f32, cap)}; }

std::size_t attention_map_scratch_bytes(const MapKernels& kernels, const AttentionMapArgs& args, int threads) {
  return scratch_of(kernels, args, threads).bytes();
}

void attention_map(const MapKernels& kernels, const AttentionMapArgs& a, ThreadPool& pool, void* scratch) noexcept {
  const GemmKernel& gemm_kernel = *kernels.gemm;
  const std::size_t element = size_of(gemm_kernel.type);
  const MapScratch parts = scratch_of(kernels, a, pool.threads());
  auto* packed = static_cast<std::byte*>(scratch);
  auto* scores = reinterpret_cast<float*>(packed + parts.packed);
  std::byte* rest = packed + parts.packed + parts.scores;
  const std::int64_t sharing = a.heads / a.kv_heads, most = run_rows(a);
  for (std::int64_t i = 0; i < a.batch * a.heads; ++i) {
    const std::int64_t b = i / a.heads, h = i % a.heads;
    if (h % sharing == 0) {
      pack(gemm_kernel, a.k_len, a.head_size, head(a.k, a.k_strides, b, h / sharing, element), a.k_strides.token,
           packed, pool);
    }
    for (std::int64_t first = 0; first < a.q_len; first += most) {
      const std::int64_t rows = std::min(most, a.q_len - first);
      GemmArgs product;
      product.M = rows;
      product.N = product.ldc = a.k_len;
      product.K = a.head_size;
      product.A =
          head(a.q, a.q_strides, b, h, element) + first * a.q_strides.token * static_cast<std::int64_t>(element);
      product.lda = a.q_strides.token;
      product.W = packed;
      product.C = scores;
      gemm(gemm_kernel, product, pool, rest);
      auto* map = static_cast<std::byte*>(a.map) + static_cast<std::size_t>((i * a.q_len + first) * a.k_len) * element;
      pool.parallel_for(rows, 4, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t r = begin; r < end; ++r) {
          float* row = scores + r * a.k_len;
          finish_row(kernels, a, b, h, first + r, row);
          convert(DType::f32, row, gemm_kernel.type, map + static_cast<std::size_t>(r * a.k_len) * element,
                  static_cast<std::size_t>(a.k_len));
        }
      });
    }
  }
}

std::size_t attention_apply_scratch_bytes(const MapKernels& kernels, const AttentionApplyArgs& args, int threads) {
  return scratch_of(kernels, args, threads).bytes();
}

void attention_apply(const MapKernels& kernels, const AttentionApplyArgs& a, ThreadPool& pool, void* scratch) noexcept {
  const GemmKernel& gemm_kernel = *kernels.gemm;
  const std::size_t element = size_of(gemm_kernel.type);
  const ApplyScratch parts = scratch_of(kernels, a, pool.threads());
  auto* packed = static_cast<std::byte*>(scratch);
  std::byte *turned = packed + parts.packed, *rest = turned + parts.turned;
  const std::int64_t sharing = a.heads / a.kv_heads;
  for (std::int64_t i = 0; i < a.batch * a.heads; ++i) {
    const std::int64_t b = i / a.heads, h = i % a.heads;
    if (h % sharing == 0) {
      const std::byte* v = head(a.v, a.v_strides, b, h / sharing, element);
      if (element == 4) {
        turn(a, v, reinterpret_cast<float*>(turned), pool);
      } else {
        turn(a, v, reinterpret_cast<bf16*>(turned), pool);
      }
      pack(gemm_kernel, a.value_size, a.k_len, turned, a.k_len, packed, pool);
    }
    GemmArgs product;
    product.M = a.q_len;
    product.N = a.value_size;
    product.K = product.lda = a.k_len;
    product.A = static_cast<const std::byte*>(a.map) + static_cast<std::size_t>(i * a.q_len * a.k_len) * element;
    product.W = packed;
    product.C = const_cast<std::byte*>(head(a.out, a.out_strides, b, h, element));
    product.ldc = a.out_strides.token;
    product.c_type = gemm_kernel.type;
    gemm(gemm_kernel, product, pool, rest);
  }
}

}  // namespace thimble::kernels
