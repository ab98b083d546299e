// Weights into the order in which micro-kernels read them (WeightLayout in gemm.h).
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/error.h"
#include "base/memory.h"
#include "kernels/gemm/gemm.h"

namespace thimble::kernels {
namespace {

constexpr std::int64_t kChunk = 64;  // k at a time: a multiple of every kr, small enough to stay in L1

std::int64_t padded_k(const GemmKernel& kernel, std::int64_t K) {
  return static_cast<std::int64_t>(round_up(static_cast<std::size_t>(K), static_cast<std::size_t>(kernel.kr)));
}

// Place of weight (k, column j) inside a panel, in elements.
template <WeightLayout layout>
std::int64_t place(std::int64_t k, std::int64_t j, std::int64_t nr) {
  if constexpr (layout == WeightLayout::bf16_split) return (k * (nr / 2) + j % (nr / 2)) * 2 + j / (nr / 2);
  if constexpr (layout == WeightLayout::bf16_pair) return ((k / 2) * nr + j) * 2 + k % 2;
  if constexpr (layout == WeightLayout::bf16_amx) {
    return (k / 32) * 32 * nr + (j / 16) * 512 + (k % 32) / 2 * 32 + (j % 16) * 2 + k % 2;
  }
  return k * nr + j;
}

constexpr bool in_pairs(WeightLayout layout) {
  return layout == WeightLayout::bf16_pair || layout == WeightLayout::bf16_amx;
}

template <WeightLayout layout, class Out>
void pack_panel(std::int64_t nr, std::int64_t columns, std::int64_t K, std::int64_t k_padded, const std::byte* src,
                DType src_type, std::int64_t ld_bytes, Out* dst) {
  constexpr DType kType = std::is_same_v<Out, float> ? DType::f32 : DType::bf16;
  const auto element = static_cast<std::int64_t>(size_of(src_type));
  Out values[kChunk];
  for (std::int64_t k0 = 0; k0 < k_padded; k0 += kChunk) {
    const std::int64_t n = std::min(kChunk, k_padded - k0), real = std::clamp<std::int64_t>(K - k0, 0, n);
    for (std::int64_t j = 0; j < nr; ++j) {
      const std::int64_t given = j < columns ? real : 0;
      if (given > 0) {
        convert(src_type, src + j * ld_bytes + k0 * element, kType, values, static_cast<std::size_t>(given));
      }
      std::fill(values + given, values + n, Out{});
      if constexpr (in_pairs(layout)) {  // n is even, and numbers 2 i and 2 i + 1 lie side by side
        for (std::int64_t k = 0; k < n; k += 2) {
          std::memcpy(dst + place<layout>(k0 + k, j, nr), values + k, 2 * sizeof(Out));
        }
      } else {
        for (std::int64_t k = 0; k < n; ++k) dst[place<layout>(k0 + k, j, nr)] = values[k];
      }
    }
  }
}

}  // namespace

std::size_t packed_bytes(const GemmKernel& kernel, std::int64_t N, std::int64_t K) {
  const std::size_t columns = round_up(static_cast<std::size_t>(N), static_cast<std::size_t>(kernel.nr));
  return columns * static_cast<std::size_t>(padded_k(kernel, K) * kernel.w_element_bytes());
}

void pack_weights(const GemmKernel& kernel, std::int64_t N, std::int64_t K, const void* src, DType src_type,
                  std::int64_t ldw, void* dst) {
  pack_weight_panels(kernel, N, K, src, src_type, ldw, dst, 0, (N + kernel.nr - 1) / kernel.nr);
}

void pack_weight_panels(const GemmKernel& kernel, std::int64_t N, std::int64_t K, const void* src, DType src_type,
                        std::int64_t ldw, void* dst, std::int64_t begin, std::int64_t end) {
  if (src_type != DType::f32 && src_type != DType::bf16 && src_type != DType::f16) {
    fail(ErrorKind::unsupported, "[gemm] weights of type {} cannot be packed for {}; f32, bf16 or f16 are wanted",
         to_string(src_type), kernel.name);
  }
  const std::int64_t k_padded = padded_k(kernel, K), nr = kernel.nr;
  const std::int64_t ld_bytes = ldw * static_cast<std::int64_t>(size_of(src_type));
  for (std::int64_t panel = begin; panel < end; ++panel) {
    const auto* from = static_cast<const std::byte*>(src) + panel * nr * ld_bytes;
    auto* to = static_cast<std::byte*>(dst) + panel * nr * k_padded * kernel.w_element_bytes();
    const std::int64_t columns = std::min(nr, N - panel * nr);
    const auto pack = [&]<WeightLayout layout, class Out>() {
      pack_panel<layout>(nr, columns, K, k_padded, from, src_type, ld_bytes, reinterpret_cast<Out*>(to));
    };
    switch (kernel.layout) {
      case WeightLayout::f32_panel: pack.operator()<WeightLayout::f32_panel, float>(); break;
      case WeightLayout::bf16_split: pack.operator()<WeightLayout::bf16_split, bf16>(); break;
      case WeightLayout::bf16_pair: pack.operator()<WeightLayout::bf16_pair, bf16>(); break;
      case WeightLayout::bf16_amx: pack.operator()<WeightLayout::bf16_amx, bf16>(); break;
    }
  }
}

}  // namespace thimble::kernels
