// Weights and activations into the order in which micro-kernels read them.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "kernels/qgemm/driver.h"

namespace thimble::kernels {
namespace {

using namespace internal;

// Place of weight (k, column j) inside a panel of nr columns, in int8.
template <QLayout layout>
std::int64_t place(std::int64_t k, std::int64_t j, std::int64_t nr) {
  if constexpr (layout == QLayout::amx) {
    return (k / 64) * 64 * nr + (j / 16) * 1024 + (k % 64) / 4 * 64 + (j % 16) * 4 + k % 4;
  }
  constexpr std::int64_t g = layout == QLayout::k8 ? 8 : layout == QLayout::k4 ? 4 : layout == QLayout::k2 ? 2 : 1;
  return (k / g) * g * nr + j * g + k % g;
}

// How many consecutive k of a column lie side by side.
template <QLayout layout>
constexpr std::int64_t kRun = layout == QLayout::k1   ? 1
                              : layout == QLayout::k2 ? 2
                              : layout == QLayout::k8 ? 8
                                                      : 4;

// Row n as int8: where it lies, or unpacked into `own`.
const std::int8_t* row_of(const QWeights& w, std::int64_t n, std::int64_t K, std::vector<std::int8_t>& own) {
  const auto* bytes = static_cast<const std::uint8_t*>(w.q);
  if (!w.nibbles) return reinterpret_cast<const std::int8_t*>(bytes) + n * w.ld;
  const std::uint8_t* from = bytes + n * w.ld / 2;
  own.resize(static_cast<std::size_t>(K + 1));
  for (std::int64_t i = 0; i < (K + 1) / 2; ++i) {
    own[static_cast<std::size_t>(2 * i)] = static_cast<std::int8_t>(((from[i] & 15) ^ 8) - 8);
    own[static_cast<std::size_t>(2 * i + 1)] = static_cast<std::int8_t>(((from[i] >> 4) ^ 8) - 8);
  }
  return own.data();
}

// Column j of a panel in int8, whose memory was zero.
template <QLayout layout>
void put_column(const std::int8_t* row, std::int64_t K, std::int64_t j, std::int64_t nr, std::int8_t* panel) {
  constexpr std::int64_t run = kRun<layout>;
  std::int64_t k = 0;
  for (; k + run <= K; k += run) std::memcpy(panel + place<layout>(k, j, nr), row + k, run);
  for (; k < K; ++k) panel[place<layout>(k, j, nr)] = row[k];
}

void put_column(QLayout layout, const std::int8_t* row, std::int64_t K, std::int64_t j, std::int64_t nr,
                std::int8_t* panel) {
  switch (layout) {
    case QLayout::k1: return put_column<QLayout::k1>(row, K, j, nr, panel);
    case QLayout::k2: return put_column<QLayout::k2>(row, K, j, nr, panel);
    case QLayout::k4: return put_column<QLayout::k4>(row, K, j, nr, panel);
    case QLayout::k8: return put_column<QLayout::k8>(row, K, j, nr, panel);
    case QLayout::amx: return put_column<QLayout::amx>(row, K, j, nr, panel);
  }
}

// Of every 128 numbers the first 64 go to the low and the last 64 to the high halves of 64 bytes, plus 8.
void join_nibbles(const std::int8_t* panel, std::int64_t n, std::uint8_t* dst) {
  for (std::int64_t at = 0; at < n; at += 128, dst += 64, panel += 128) {
    for (std::int64_t i = 0; i < 64; ++i) {
      dst[i] = static_cast<std::uint8_t>((panel[i] + 8) | (panel[i + 64] + 8) << 4);
    }
  }
}

void check_group(const QgemmKernel& kernel, std::int64_t K, std::int64_t group) {
  if (group != 0 && ((group != 32 && group != 64 && group != 128) || group < kernel.min_group)) {
    fail(ErrorKind::unsupported, "[qgemm] {} takes no groups of {}; pick_qgemm knows which kernel does", kernel.name,
         group);
  }
  if (K > kMaxQgemmK) {
    fail(ErrorKind::unsupported, "[qgemm] {} inputs: a sum could overflow beyond {}; split K", K, kMaxQgemmK);
  }
}

}  // namespace

std::size_t qgemm_weight_bytes(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group) {
  return weights_layout(kernel, N, K, group).bytes;
}

void pack_qweights(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group, const QWeights& w,
                   void* dst) {
  pack_qweight_panels(kernel, N, K, group, w, dst, 0, ceil_div(N, kernel.nr));
}

void pack_qweight_panels(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group,
                         const QWeights& w, void* dst, std::int64_t begin, std::int64_t end) {
  check_group(kernel, K, group);
  if (w.nibbles && kernel.weight_bits != 4) {
    fail(ErrorKind::unsupported, "[qgemm] {} takes weights of int8, not of two int4 a byte", kernel.name);
  }
  const WeightsLayout layout = weights_layout(kernel, N, K, group);
  const std::int64_t nr = kernel.nr, k_padded = padded(K, kernel.kr),
                     group_k = group ? group : std::max<std::int64_t>(1, K);
  auto* bytes = static_cast<std::byte*>(dst);
  auto* scales = reinterpret_cast<float*>(bytes + layout.scale_at);
  const bool joined = kernel.weight_bits == 4;
  std::vector<std::int8_t> own, wide(joined ? static_cast<std::size_t>(k_padded * nr) : 0);
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const std::int64_t n0 = panel * nr, columns = std::min(nr, N - n0);
    auto* to = reinterpret_cast<std::uint8_t*>(bytes + panel * layout.panel_bytes);
    auto* numbers = joined ? wide.data() : reinterpret_cast<std::int8_t*>(to);
    std::memset(numbers, 0, static_cast<std::size_t>(k_padded * nr));
    for (std::int64_t j = 0; j < nr; ++j) {
      const std::int64_t n = n0 + j;
      const std::int8_t* row = j < columns ? row_of(w, n, K, own) : nullptr;
      if (row != nullptr) put_column(kernel.layout, row, K, j, nr, numbers);
      std::int64_t sum = 0;
      double scaled_sum = 0;
      for (std::int64_t g = 0; g < layout.groups; ++g) {
        const float scale = row != nullptr ? w.scale[n * layout.groups + g] : 0.0f;
        scales[(panel * layout.groups + g) * nr + j] = scale;
        std::int32_t part = 0;  // exact: at most 128 * kMaxQgemmK
        if (row != nullptr) {
          for (std::int64_t k = g * group_k; k < std::min(K, (g + 1) * group_k); ++k) part += row[k];
        }
        sum = part;
        scaled_sum += static_cast<double>(scale) * static_cast<double>(part);
      }
      if (group) {
        reinterpret_cast<float*>(bytes + layout.sum_at)[n] = static_cast<float>(scaled_sum);
      } else {
        reinterpret_cast<std::int32_t*>(bytes + layout.sum_at)[n] = static_cast<std::int32_t>(sum);
      }
    }
    if (joined) join_nibbles(numbers, k_padded * nr, to);
  }
}

void quantize_weights(std::int64_t N, std::int64_t K, std::int64_t group, int weight_bits, const float* w,
                      std::int64_t ldw, std::int8_t* q, float* scale) {
  const float most = weight_bits == 4 ? 7.0f : 127.0f;
  const std::int64_t group_k = group ? group : std::max<std::int64_t>(1, K), groups = group ? ceil_div(K, group) : 1;
  for (std::int64_t n = 0; n < N; ++n) {
    for (std::int64_t g = 0; g < groups; ++g) {
      const std::int64_t begin = g * group_k, end = std::min(K, begin + group_k);
      float largest = 0;
      for (std::int64_t k = begin; k < end; ++k) largest = std::max(largest, std::abs(w[n * ldw + k]));
      const float s = largest / most, inverse = s > 0 ? 1.0f / s : 0.0f;
      scale[n * groups + g] = s;
      for (std::int64_t k = begin; k < end; ++k) {
        const float v = std::clamp(std::nearbyint(w[n * ldw + k] * inverse), -most, most);
        q[n * K + k] = static_cast<std::int8_t>(v);
      }
    }
  }
}

std::size_t qgemm_activation_bytes(const QgemmKernel& kernel, std::int64_t M, std::int64_t K, std::int64_t group) {
  return activation_layout(kernel, M, split_k(kernel, K, group)).bytes;
}

void pack_activations(const QgemmKernel& kernel, std::int64_t M, std::int64_t K, std::int64_t group,
                      const QActivations& x, ThreadPool& pool, void* dst) noexcept {
  const SplitK k = split_k(kernel, K, group);
  const ActivationLayout layout = activation_layout(kernel, M, k);
  auto* bytes = static_cast<std::byte*>(dst);
  const auto x_row = x.ld * static_cast<std::int64_t>(size_of(x.type));
  const std::int64_t grain = std::max<std::int64_t>(1, ceil_div(M, 4 * pool.threads()));
  pool.parallel_for(M, grain, [&](std::int64_t begin, std::int64_t end, int) {
    QuantizeRows job{.source = x,
                     .rows = end - begin,
                     .K = K,
                     .panel = kernel.a_panel,
                     .kc = k.kc,
                     .row_stride = kernel.a_stride,
                     .block_stride = M * kernel.a_stride,
                     .out = bytes + begin * kernel.a_stride,
                     .scale = reinterpret_cast<float*>(bytes + layout.scale_at) + begin,
                     .zero = reinterpret_cast<std::int32_t*>(bytes + layout.zero_at) + begin};
    job.source.x = K ? static_cast<const std::byte*>(x.x) + begin * x_row : nullptr;
    kernel.ops->quantize(job);
  });
}

}  // namespace thimble::kernels
