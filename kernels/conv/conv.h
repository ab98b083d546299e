// 2-D convolution of channels-last pictures, (B, H, W, C) -> (B, OH, OW, O), with the epilogue of gemm.
// Implicit matrix product: patches are gathered block by block into per-thread scratch, on the kernels of gemm/.
// 1x1 with stride 1 is a plain product; depthwise ones, those of few inputs and those of few outputs have kernels of
// their own that read the picture where it lies. Not here: transposed convolution, Winograd.
//
//   ConvPlan plan = plan_conv({.B = 1, .H = 64, .W = 64, .C = 320, .O = 320, .kh = 3, .kw = 3, .pad_top = 1, ...},
//                             DType::bf16, pool.threads());
//   Buffer w(conv_packed_bytes(plan));  conv_pack(plan, src, DType::f16, pool, w.data());
//   Buffer scratch(conv_scratch_bytes(plan));
//   conv(plan, {.x = x, .w = w.data(), .y = y}, pool, scratch.data());
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/gemm/gemm.h"

namespace thimble::kernels {

struct ConvShape {
  std::int64_t B = 1, H = 1, W = 1, C = 1;  // input
  std::int64_t O = 1;                       // output channels
  std::int64_t kh = 1, kw = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;  // zeros, >= 0
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;  // divides C and O; groups == C == O is depthwise
  bool upsample = false;    // the input is first doubled in H and W by repetition (never written out)

  std::int64_t out_h() const;
  std::int64_t out_w() const;
};

struct DepthwiseKernel;  // rows of conv/kernels.inc
struct DirectKernel;

// How one convolution will run. A plain value; refers to kernel tables of static storage only.
struct ConvPlan {
  enum class Kind : std::uint8_t { gemm, implicit, depthwise, direct };
  ConvShape shape;
  DType type = DType::f32;  // of x; y and residual have this type, or f32
  int threads = 1;
  Kind kind = Kind::gemm;
  const GemmKernel* gemm = nullptr;
  const DepthwiseKernel* depthwise = nullptr;
  const DirectKernel* direct = nullptr;
  std::int64_t M = 0, N = 0, K = 0;    // per group: pixels, outputs, taps * inputs
  std::size_t group_packed_bytes = 0;  // packed weights of one group
};

// Errors: bad_input for sizes that do not fit together, unsupported for other types than f32 and bf16.
ConvPlan plan_conv(const ConvShape& shape, DType type, int threads, Isa cap = best_isa());
// With a kernel of the caller's choice (tests, --explain); depthwise shapes go through it too.
ConvPlan plan_conv_with(const ConvShape& shape, const GemmKernel& kernel, int threads);

std::string_view conv_kernel_name(const ConvPlan& plan);

// ---- packing: src is (O, C / groups, kh, kw), dense, of f32, bf16 or f16
std::size_t conv_packed_bytes(const ConvPlan& plan);
void conv_pack(const ConvPlan& plan, const void* src, DType src_type, ThreadPool& pool, void* dst);

// ---- running
struct ConvArgs {
  const void* x = nullptr;  // (B, H, W, C), pixels x_ld elements apart (0: C)
  std::int64_t x_ld = 0;
  const void* w = nullptr;  // from conv_pack of the same plan
  void* y = nullptr;        // (B, OH, OW, O), pixels y_ld elements apart (0: O); must not overlap x
  std::int64_t y_ld = 0;
  DType y_type = DType::f32;  // plan.type or f32
  // Rows of the epilogue are output pixels, columns output channels; rows_per_batch is OH * OW for per-picture vectors.
  Epilogue epilogue;
};

std::size_t conv_scratch_bytes(const ConvPlan& plan);  // for plan.threads

// Does not allocate. pool.threads() must not exceed plan.threads.
void conv(const ConvPlan& plan, const ConvArgs& args, ThreadPool& pool, void* scratch) noexcept;

}  // namespace thimble::kernels
