// Layer norm, RMS norm, group norm and softmax, each with what usually stands next to it fused in: residual add,
// weight and bias, per-batch modulation (adaptive norms of diffusion transformers), activation.
// Statistics are taken in two passes in f32 over the widened input, the second one correcting the first: the variance
// is within 2e-6 relative of double and the mean within 2e-7 standard deviations, also for data far from zero. Group
// norm joins the statistics of chunks in double. Results do not depend on the number of threads.
//
// x and y have the kernel's type (f32 or bf16); weight and bias are f32. y may be x. Rows are contiguous inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/threads.h"

namespace thimble::kernels {

// Where row r starts: (r / group) * group_stride + (r % group) * stride elements. group = 0: r * stride.
// Groups reach heads inside a fused (T, 3 * H * D) tensor: group = H, stride = D, group_stride = 3 * H * D.
struct RowLayout {
  std::int64_t stride = 0;  // 0: the row's length
  std::int64_t group = 0, group_stride = 0;
};

// t = x + residual;  n = normalise(t) * weight + bias;  y = n * (1 + scale[b]) + shift[b], b = r / rows_per_batch.
// Every pointer but x and y may be null. RMS norm ignores no part: it takes bias, scale and shift as well.
struct RowNormArgs {
  std::int64_t rows = 0, channels = 0;  // channels 1..65536
  const void* x = nullptr;
  void* y = nullptr;
  RowLayout x_rows{}, y_rows{};
  float eps = 1e-5f;
  const float* weight = nullptr;  // (channels)
  const float* bias = nullptr;    // (channels)

  const void* scale = nullptr;  // kernel's type; vector b starts at b * modulation_stride
  const void* shift = nullptr;
  std::int64_t modulation_stride = 0;
  std::int64_t rows_per_batch = 1;

  const void* residual = nullptr;  // kernel's type, laid out as residual_rows
  void* residual_out = nullptr;    // t, rounded to the kernel's type, laid out as residual_rows; may be residual
  RowLayout residual_rows{};
};

enum class NormActivation : std::uint8_t { none, silu, relu };

// x, y (batch, positions, channels), contiguous; statistics over positions and the channels of a group.
struct GroupNormArgs {
  std::int64_t batch = 1, positions = 1, channels = 1, groups = 1;  // channels is a multiple of groups
  const void* x = nullptr;
  void* y = nullptr;
  float eps = 1e-5f;
  const float* weight = nullptr;  // (channels), may be null
  const float* bias = nullptr;
  NormActivation activation = NormActivation::none;
};

// y = softmax(scale * x) over rows of n, scale > 0. -inf entries give 0; a row of -inf gives zeros.
struct SoftmaxArgs {
  std::int64_t rows = 0, n = 0;
  const void* x = nullptr;
  void* y = nullptr;
  RowLayout x_rows{}, y_rows{};
  float scale = 1.0f;
};

// One row of a layer or RMS norm; the pointers of RowNormArgs moved to that row.
struct NormRow {
  std::int64_t channels;
  const void* x;
  void* y;
  float eps;
  const float* weight;
  const float* bias;
  const void* scale;
  const void* shift;
  const void* residual;
  void* residual_out;
};

struct NormKernels {
  Isa isa;
  DType type;  // f32 or bf16
  std::string_view name;
  void (*layer_norm)(const NormRow&);
  void (*rms_norm)(const NormRow&);
  void (*softmax)(const void* x, void* y, std::int64_t n, float scale);
  // Mean of each group over `rows` rows of x, and the sum of squares about it. scratch: 3 * channels floats.
  void (*group_stats)(const void* x, std::int64_t rows, std::int64_t channels, std::int64_t groups, double* mean,
                      double* squares, float* scratch);
  // y = act((x - mean[c]) * factor[c] + bias[c]) over rows.
  void (*group_apply)(const void* x, void* y, std::int64_t rows, std::int64_t channels, const float* mean,
                      const float* factor, const float* bias, NormActivation activation);
};

std::span<const NormKernels* const> norm_kernels();  // rows of this build, best first
const NormKernels* pick_norm(DType type, Isa cap);   // nullptr for other types

void layer_norm(const NormKernels& kernels, const RowNormArgs& args, ThreadPool& pool) noexcept;
void rms_norm(const NormKernels& kernels, const RowNormArgs& args, ThreadPool& pool) noexcept;
void softmax(const NormKernels& kernels, const SoftmaxArgs& args, ThreadPool& pool) noexcept;

// Scratch for the whole call, 64-aligned.
std::size_t group_norm_scratch_bytes(const GroupNormArgs& args, int threads);
void group_norm(const NormKernels& kernels, const GroupNormArgs& args, ThreadPool& pool, void* scratch) noexcept;

}  // namespace thimble::kernels
