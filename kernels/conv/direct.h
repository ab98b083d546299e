// Internal to conv/: convolutions that the matrix kernels serve badly, computed on the picture where it lies, one row
// of output pixels at a time. `direct`: few inputs, where gathering patches would take as long as multiplying them;
// `narrow`: few outputs of many channels, where a tile of the matrix kernel would stay empty.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "kernels/gemm/epilogue.h"

namespace thimble::kernels {

// Weights are f32. direct: [O / nr][kh][kw][C][nr], zero-padded. narrow: [kh][kw][kNarrowOutputs][channel_step].
inline constexpr std::int64_t kNarrowOutputs = 4;

struct DirectRow {
  const void* x;  // picture b: (H, W, C), pixels x_ld elements apart
  const float* w;
  std::int64_t H, W, C, O, x_ld;
  std::int64_t channel_step;  // C to a multiple of kDepthwiseChannelStep
  std::int64_t kh, kw, dilation_h, dilation_w;
  std::int64_t iy0;  // first input row of this output row, may be negative
  std::int64_t stride_w, pad_left;
  std::int64_t OW;
  std::int64_t m0;  // index of the first output pixel among all, for the epilogue
  const Epilogue* epilogue;
  void* y;
  std::int64_t y_ld;
  DType y_type;
};

struct DirectKernel {
  std::string_view name;
  bool narrow;
  Isa isa;
  DType type;
  int nr;  // columns of a panel of weights; 0 for narrow
  void (*row)(const DirectRow& r);
};

namespace internal {
#define THIMBLE_DIRECT(kind, isa, type, nr) void kind##_##type##_##isa(const DirectRow& r);
#define THIMBLE_DEPTHWISE(isa, type)
#include "kernels/conv/kernels.inc"
#undef THIMBLE_DIRECT
#undef THIMBLE_DEPTHWISE
}  // namespace internal

}  // namespace thimble::kernels
