// Internal to qgemm/: how packed operands lie in memory, and the cache blocking.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/memory.h"
#include "kernels/qgemm/functions.h"

namespace thimble::kernels::internal {

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t padded(std::int64_t n, std::int64_t to) { return ceil_div(n, to) * to; }

// k in blocks of equal size, whole groups each. A group is a multiple of kr where the kernel takes it.
struct SplitK {
  std::int64_t k_padded, kc, blocks;
};
inline SplitK split_k(const QgemmKernel& kernel, std::int64_t K, std::int64_t group) {
  const std::int64_t step = group ? group : kernel.kr, wanted = ceil_div(K, kernel.kc);
  if (wanted == 0) return {0, kernel.kc, 1};
  const std::int64_t kc = padded(ceil_div(K, wanted), step);
  return {padded(K, kernel.kr), kc, ceil_div(K, kc)};
}

// Weight (n, k) of either form.
inline int qweight_at(const QWeights& w, std::int64_t n, std::int64_t k) {
  const auto* bytes = static_cast<const std::uint8_t*>(w.q);
  if (!w.nibbles) return static_cast<std::int8_t>(bytes[n * w.ld + k]);
  const int u = bytes[(n * w.ld + k) / 2] >> (k % 2 * 4) & 15;
  return (u ^ 8) - 8;
}

// Packed activations: panels [k block][row] of a_stride bytes, then scales and zero-points of the rows.
struct ActivationLayout {
  std::size_t scale_at, zero_at, bytes;
};
inline ActivationLayout activation_layout(const QgemmKernel& kernel, std::int64_t M, const SplitK& k) {
  // Micro-kernels read up to mr rows from the first of a panel.
  const auto panels = static_cast<std::size_t>((k.blocks * M + kernel.mr) * kernel.a_stride);
  const std::size_t rows = round_up(static_cast<std::size_t>(M) * 4, 64), at = round_up(panels, 64);
  return {at, at + rows, at + 2 * rows};
}

// Packed weights: panels, then per panel and group the scales (groups), or per column the scale (one group), then per
// column the sum (int32), or the scaled sum (f32, groups).
struct WeightsLayout {
  std::int64_t panel_bytes, groups;
  std::size_t scale_at, sum_at, bytes;
};
inline WeightsLayout weights_layout(const QgemmKernel& kernel, std::int64_t N, std::int64_t K, std::int64_t group) {
  const std::int64_t columns = padded(N, kernel.nr), groups = group ? ceil_div(K, group) : 1;
  const std::int64_t panel = padded(K, kernel.kr) * kernel.nr * kernel.weight_bits / 8;
  const std::size_t at = round_up(static_cast<std::size_t>(panel * (columns / kernel.nr)), 64);
  const std::size_t scales = round_up(static_cast<std::size_t>(columns * groups) * 4, 64);
  return {panel, groups, at, at + scales, at + scales + round_up(static_cast<std::size_t>(columns) * 4, 64)};
}

}  // namespace thimble::kernels::internal
