// Internal to conv/: one filter per channel. A kernel computes one row of output pixels, all channels.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "kernels/gemm/epilogue.h"

namespace thimble::kernels {

// Weights are f32, (kh, kw, channel_step), zero-padded from C to channel_step.
inline constexpr std::int64_t kDepthwiseChannelStep = 16;

struct DepthwiseRow {
  const void* x;  // picture b: (H, W, C), pixels x_ld elements apart
  const float* w;
  std::int64_t H, W, C, x_ld;
  std::int64_t channel_step;
  std::int64_t kh, kw, dilation_h, dilation_w;
  std::int64_t iy0;  // first input row of this output row, may be negative
  std::int64_t stride_w, pad_left;
  std::int64_t OW;
  std::int64_t m0;  // index of the first output pixel among all, for the epilogue
  bool upsample;
  const Epilogue* epilogue;
  void* y;
  std::int64_t y_ld;
  DType y_type;
};

struct DepthwiseKernel {
  std::string_view name;
  Isa isa;
  DType type;
  void (*row)(const DepthwiseRow& r);
};

namespace internal {
#define THIMBLE_DEPTHWISE(isa, type) void depthwise_##type##_##isa(const DepthwiseRow& r);
#define THIMBLE_DIRECT(kind, isa, type, nr)
#include "kernels/conv/kernels.inc"
#undef THIMBLE_DIRECT
#undef THIMBLE_DEPTHWISE
}  // namespace internal

}  // namespace thimble::kernels
