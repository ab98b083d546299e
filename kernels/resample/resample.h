// Changes of spatial size: resize, pooling, pixel shuffle; and permuted copies. Pictures are (B, H, W, C), channels
// last; a (B, C, H, W) tensor is served as batch B * C with one channel, correct and slower.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/threads.h"

namespace thimble::kernels {

enum class ResizeMode : std::uint8_t { nearest, bilinear };

// Where output pixel o reads, with s = in / out (align_corners: (in - 1) / (out - 1)):
//   half_pixel (o + 0.5) s - 0.5,  align_corners o s,  asymmetric o s.
// nearest takes floor(o s) for asymmetric, floor((o + 0.5) s) for half_pixel, round half up for align_corners, all in
// exact integers; bilinear clamps at the border and does not smooth when shrinking.
enum class ResizeGrid : std::uint8_t { half_pixel, align_corners, asymmetric };

// x (batch, in_h, in_w, channels) to y (batch, out_h, out_w, channels), both contiguous and apart.
struct ResizeArgs {
  std::int64_t batch = 1, in_h = 1, in_w = 1, out_h = 1, out_w = 1, channels = 1;
  const void* x = nullptr;
  void* y = nullptr;
  ResizeMode mode = ResizeMode::nearest;
  ResizeGrid grid = ResizeGrid::half_pixel;
};

enum class PoolMode : std::uint8_t { max, average };

// Output (batch, out_h, out_w, channels); window of output (i, j) starts at (i stride_h - pad_top, j stride_w -
// pad_left). Every window must touch the picture. Average divides by the pixels inside, or by the window's padded size
// when count_pad is set (windows reaching past in + pad_bottom/right count what lies inside that, as PyTorch does).
struct PoolArgs {
  std::int64_t batch = 1, in_h = 1, in_w = 1, out_h = 1, out_w = 1, channels = 1;
  const void* x = nullptr;
  void* y = nullptr;
  PoolMode mode = PoolMode::max;
  std::int64_t kernel_h = 1, kernel_w = 1, stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  bool count_pad = false;
};

// How the r * r sub-pixels lie in the channel axis: channel_first as PyTorch (c r r + i r + j), space_first as
// depth-to-space of TFLite and ONNX's DCR ((i r + j) C + c).
enum class ShuffleOrder : std::uint8_t { channel_first, space_first };

struct ResampleKernels {
  Isa isa;
  DType type;  // f32 or bf16
  std::string_view name;
  // y = sum over taps of weight[t] * x[t], t < 4, n contiguous channels; sums in f32.
  void (*blend)(const void* const* taps, const float* weights, int count, void* y, std::int64_t n);
  // y = max over, or `factor` times the sum of, the pixels x + r * row_step + c * column_step (elements) of a window.
  void (*pool_max)(const void* x, std::int64_t rows, std::int64_t row_step, std::int64_t columns,
                   std::int64_t column_step, void* y, std::int64_t n);
  void (*pool_sum)(const void* x, std::int64_t rows, std::int64_t row_step, std::int64_t columns,
                   std::int64_t column_step, float factor, void* y, std::int64_t n);
};

std::span<const ResampleKernels* const> resample_kernels();  // rows of this build, best first
const ResampleKernels* pick_resample(DType type, Isa cap);   // nullptr for other types

void resize(const ResampleKernels& kernels, const ResizeArgs& args, ThreadPool& pool) noexcept;
void pool2d(const ResampleKernels& kernels, const PoolArgs& args, ThreadPool& pool) noexcept;

// Movements of whole elements of 1, 2, 4 or 8 bytes; no ISA choice is needed, they are bound by memory.
// y axis i is x axis order[i]; x contiguous of `shape` (rank <= 8), y contiguous, apart from x.
void permute(int rank, const std::int64_t* shape, const int* order, const void* x, void* y, std::size_t element_size,
             ThreadPool& pool) noexcept;
// x (batch, h, w, channels * r * r) to y (batch, h * r, w * r, channels).
void pixel_shuffle(std::int64_t batch, std::int64_t h, std::int64_t w, std::int64_t channels, std::int64_t r,
                   ShuffleOrder order, const void* x, void* y, std::size_t element_size, ThreadPool& pool) noexcept;
// x (batch, h * r, w * r, channels) to y (batch, h, w, channels * r * r).
void pixel_unshuffle(std::int64_t batch, std::int64_t h, std::int64_t w, std::int64_t channels, std::int64_t r,
                     ShuffleOrder order, const void* x, void* y, std::size_t element_size, ThreadPool& pool) noexcept;

}  // namespace thimble::kernels
