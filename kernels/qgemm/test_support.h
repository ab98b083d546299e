// For the tests of qgemm/ only: an emulated AMX row, all rows that can run here, and values.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/memory.h"
#include "base/rng.h"
#include "kernels/gemm/amx_emulated.h"
#include "kernels/qgemm/amx_bytes.h"
#include "kernels/qgemm/functions.h"

namespace thimble::kernels {
namespace {

struct EmulatedBytes : EmulatedTiles {
  template <int c, int a, int w>
  static void multiply(Tile<c>, Tile<a>, Tile<w>) {
    std::int32_t sums[16][16];
    std::int8_t left[16][64], right[16][64];
    std::memcpy(sums, registers().bytes[c], kTileSize);
    std::memcpy(left, registers().bytes[a], kTileSize);
    std::memcpy(right, registers().bytes[w], kTileSize);
    for (int m = 0; m < 16; ++m) {
      for (int k = 0; k < 64; ++k) {
        for (int n = 0; n < 16; ++n) sums[m][n] += left[m][k] * right[k / 4][4 * n + k % 4];
      }
    }
    std::memcpy(registers().bytes[c], sums, kTileSize);
  }
};

constexpr std::int64_t kEmulatedStride = internal::q_stride(2048, QPanel::s8);

inline const QgemmKernel& emulated_amx(int bits) {
  static const auto make = [](std::string_view name, int weight_bits) {
    return QgemmKernel{name,
                       weight_bits,
                       Isa::scalar,
                       [](const CpuInfo&) { return true; },
                       QPanel::s8,
                       QLayout::amx,
                       32,
                       32,
                       64,
                       2048,
                       kEmulatedStride,
                       64,
                       amx_bytes_micro<EmulatedBytes, kEmulatedStride>,
                       &internal::qops_scalar,
                       nullptr,
                       nullptr};
  };
  static const QgemmKernel eight = make("qgemm_w8a8_amx_emulated", 8), four = make("qgemm_w4a8_amx_emulated", 4);
  return bits == 8 ? eight : four;
}

inline std::vector<const QgemmKernel*> all_kernels() {
  std::vector<const QgemmKernel*> kernels;
  for (int bits : {8, 4}) {
    for (const QgemmChoice& choice : explain_qgemm(bits)) {
      if (choice.refused.empty()) kernels.push_back(choice.kernel);
    }
    kernels.push_back(&emulated_amx(bits));
  }
  return kernels;
}

// Integers in [low, high].
inline std::vector<std::int8_t> random_bytes(std::int64_t n, int low, int high, std::uint64_t seed) {
  std::vector<std::int8_t> v(static_cast<std::size_t>(n));
  Rng rng(seed);
  for (auto& x : v) x = static_cast<std::int8_t>(std::lround(rng.uniform(low - 0.499, high + 0.499)));
  return v;
}

inline std::vector<float> random_floats(std::int64_t n, std::uint64_t seed) {
  std::vector<float> v(static_cast<std::size_t>(n));
  fill_normal(v, seed);
  return v;
}

inline double read(const void* p, DType type, std::int64_t i) {
  if (type == DType::i8) return static_cast<const std::int8_t*>(p)[i];
  return type == DType::f32 ? static_cast<const float*>(p)[i] : to_f32(static_cast<const bf16*>(p)[i]);
}

// Memory full of NaN and -1: what scratch and padding held must not matter.
inline Buffer dirty(std::size_t bytes) {
  Buffer b(bytes);
  if (bytes) std::memset(b.data(), 0xff, bytes);
  return b;
}

}  // namespace
}  // namespace thimble::kernels
