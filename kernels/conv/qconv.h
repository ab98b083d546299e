// 2-D convolution of channels-last pictures by int8 weights, (B, H, W, C) -> (B, OH, OW, O), with the epilogue of gemm.
// A picture is rounded to int8 once, with one scale and zero-point for all its numbers (round_pictures), and patches of
// bytes are gathered block by block into per-thread scratch, as rows of the integer product of qgemm/.
// Not here: groups, a scale for every pixel (1x1 convolutions are products: qgemm/), weights of 4 bits.
//
//   QConvPlan plan = plan_qconv({.H = 64, .W = 64, .C = 320, .O = 320, .kh = 3, .kw = 3, .pad_top = 1, ...},
//                               pool.threads());
//   Buffer w(qconv_packed_bytes(plan));  qconv_pack(plan, weights, scales, w.data());
//   Buffer x8(rounded_bytes(plan)), scratch(qconv_scratch_bytes(plan));
//   round_pictures(plan, {.x = x, .type = DType::bf16}, pool, x8.data());
//   qconv(plan, {.x = x8.data(), .w = w.data(), .y = y}, pool, scratch.data());
//
// Meaning: x = s (q - z) as in qgemm.h, with s and z of a picture; padding is exactly zero. The sums are exact integers
// for kh * kw * C <= kMaxQgemmK, equal on every ISA and for any number of threads.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/qgemm/qgemm.h"

namespace thimble::kernels {

struct RoundOps;  // round.h

// A plain value; refers to kernel tables of static storage only.
struct QConvPlan {
  ConvShape shape;
  int threads = 1;
  const QgemmKernel* kernel = nullptr;
  const RoundOps* round = nullptr;
  std::int64_t M = 0, N = 0, K = 0;  // pixels of one picture, outputs, taps * inputs
};

// Errors: bad_input for sizes that do not fit together, unsupported for groups and for K above kMaxQgemmK.
QConvPlan plan_qconv(const ConvShape& shape, int threads, Isa cap = best_isa());
QConvPlan plan_qconv_with(const ConvShape& shape, const QgemmKernel& kernel, int threads);  // for tests

// ---- weights: (O, C, kh, kw) int8 and scale (O)
std::size_t qconv_packed_bytes(const QConvPlan& plan);
void qconv_pack(const QConvPlan& plan, const std::int8_t* weights, const float* scale, void* dst);

// ---- pictures, rounded in two passes: range, then bytes
struct RoundArgs {
  const void* x = nullptr;  // (B, H, W, C) of f32 or bf16, pixels x_ld elements apart (0: C)
  DType type = DType::f32;
  std::int64_t x_ld = 0;
  bool asymmetric = false;  // as Quantize::symmetric and asymmetric; the range is that of a picture
};
// 64-byte aligned memory. Plans with one panel type and one B, H, W, C read the same rounded pictures.
std::size_t rounded_bytes(const QConvPlan& plan);
void round_pictures(const QConvPlan& plan, const RoundArgs& args, ThreadPool& pool, void* dst) noexcept;

// ---- running
struct QConvArgs {
  const void* x = nullptr;  // from round_pictures
  const void* w = nullptr;  // from qconv_pack
  void* y = nullptr;        // (B, OH, OW, O), pixels y_ld elements apart (0: O)
  std::int64_t y_ld = 0;
  DType y_type = DType::f32;  // f32 or bf16; of the residual too
  Epilogue epilogue;          // as in ConvArgs
};

std::size_t qconv_scratch_bytes(const QConvPlan& plan);

// Does not allocate. pool.threads() must not exceed plan.threads.
void qconv(const QConvPlan& plan, const QConvArgs& args, ThreadPool& pool, void* scratch) noexcept;

}  // namespace thimble::kernels
