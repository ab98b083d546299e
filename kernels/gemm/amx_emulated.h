// For tests only: AMX tiles in plain C++, so that packing, blocking, tails and tile indexing of the AMX kernel are
// judged on every machine. What stays untested without AMX is the emission of the instructions (amx.cpp).
#pragma once

#include <cstring>

#include "kernels/gemm/amx_tiles.h"
#include "kernels/gemm/functions.h"
#include "kernels/gemm/gemm.h"

namespace thimble::kernels {
namespace {

struct EmulatedTiles {
  struct Registers {
    char bytes[8][kTileSize];
  };
  static Registers& registers() {
    static thread_local Registers r;
    return r;
  }
  template <int i>
  static void zero(Tile<i>) {
    std::memset(registers().bytes[i], 0, kTileSize);
  }
  template <int i>
  static void load(Tile<i>, const void* base, std::int64_t stride) {
    for (int r = 0; r < kTileRows; ++r) {
      std::memcpy(registers().bytes[i] + r * kTileBytes, static_cast<const char*>(base) + r * stride, kTileBytes);
    }
  }
  template <int i>
  static void store(Tile<i>, void* base, std::int64_t stride) {
    for (int r = 0; r < kTileRows; ++r) {
      std::memcpy(static_cast<char*>(base) + r * stride, registers().bytes[i] + r * kTileBytes, kTileBytes);
    }
  }
  template <int c, int a, int w>
  static void multiply(Tile<c>, Tile<a>, Tile<w>) {
    float sums[16][16];
    bf16 left[16][32], right[16][32];
    std::memcpy(sums, registers().bytes[c], kTileSize);
    std::memcpy(left, registers().bytes[a], kTileSize);
    std::memcpy(right, registers().bytes[w], kTileSize);
    for (int m = 0; m < 16; ++m) {
      for (int k = 0; k < 16; ++k) {
        for (int n = 0; n < 16; ++n) {
          sums[m][n] += to_f32(left[m][2 * k]) * to_f32(right[k][2 * n]);
          sums[m][n] += to_f32(left[m][2 * k + 1]) * to_f32(right[k][2 * n + 1]);
        }
      }
    }
    std::memcpy(registers().bytes[c], sums, kTileSize);
  }
};

inline constexpr int kEmulatedKc = 512;

inline const GemmKernel kAmxEmulated{"gemm_bf16_amx_emulated",
                                     Isa::scalar,
                                     DType::bf16,
                                     DType::bf16,
                                     WeightLayout::bf16_amx,
                                     32,
                                     32,
                                     32,
                                     kEmulatedKc,
                                     internal::panel_stride(kEmulatedKc, DType::bf16),
                                     [](const CpuInfo&) { return 0.0; },
                                     amx_micro<EmulatedTiles, internal::panel_stride(kEmulatedKc, DType::bf16)>,
                                     internal::epilogue_scalar,
                                     nullptr,
                                     nullptr};

// Every row of `type` that this machine can run, and the emulated AMX.
inline std::vector<const GemmKernel*> testable_kernels(DType type) {
  std::vector<const GemmKernel*> kernels;
  for (const GemmChoice& choice : explain_gemm(type)) {
    if (choice.refused.empty()) kernels.push_back(choice.kernel);
  }
  if (type == DType::bf16) kernels.push_back(&kAmxEmulated);
  return kernels;
}

}  // namespace
}  // namespace thimble::kernels
