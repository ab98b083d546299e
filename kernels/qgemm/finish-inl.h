// Sums to outputs: correction for zero-points, scales, the epilogue of gemm/, and the output's type, in one pass over a
// tile. Over vectors, once, on kernels/simd: included by the ISA files only.
#pragma once

#include <cstdint>

#include "kernels/gemm/epilogue-inl.h"
#include "kernels/qgemm/functions.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

// One row at column n0; null where absent. Exactly one of c_* is set.
struct FinishRow {
  const std::int32_t* sum;
  const float* scaled_sum;  // with groups
  const std::int32_t* col_sum;
  const float* col_scale;
  const float* col_scaled_sum;
  std::int32_t zero;  // z + offset
  float scale;
  const float* bias;
  const float* slope;
  float most;
  bool act_last;
  const float* gate_f32;
  const bf16* gate_bf16;
  const float* residual_f32;
  const bf16* residual_bf16;
  float* c_f32;
  bf16* c_bf16;
  std::int8_t* c_i8;
  float c_inverse, c_low, c_high;  // of a requantised output: 1 / scale, limits less the zero-point
  std::int32_t c_zero;
};

constexpr hn::Rebind<std::int8_t, FloatTag> kOut8{};

THIMBLE_INLINE void write_bytes(IntVec q, std::int8_t* p, Whole) { hn::StoreU(hn::DemoteTo(kOut8, q), kOut8, p); }
THIMBLE_INLINE void write_bytes(IntVec q, std::int8_t* p, Part part) {
  std::int8_t bytes[kLanes];
  write_bytes(q, bytes, Whole());
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < part.n; ++i) p[i] = bytes[i];
}

// Tiles and arrays over columns are padded, so these are read whole.
THIMBLE_INLINE Vec dequantized(const FinishRow& o, std::int64_t j) {
  if (o.scaled_sum) {
    const Vec zero = set(static_cast<float>(o.zero));
    return hn::Mul(hn::NegMulAdd(zero, load(o.col_scaled_sum + j), load(o.scaled_sum + j)), set(o.scale));
  }
  const IntVec zero = hn::Set(kI, o.zero);
  const IntVec acc = hn::Sub(hn::LoadU(kI, o.sum + j), hn::Mul(zero, hn::LoadU(kI, o.col_sum + j)));
  return hn::Mul(hn::Mul(hn::ConvertTo(kF, acc), load(o.col_scale + j)), set(o.scale));
}

template <Activation act, class Access>
THIMBLE_INLINE void finish_vector(const FinishRow& o, std::int64_t j, Access access) {
  Vec v = dequantized(o, j);
  if (o.bias) v = hn::Add(v, access.read(o.bias + j));
  if (!o.act_last) {
    const bool coarse = o.c_bf16 && !o.residual_f32 && !o.residual_bf16;
    v = coarse ? shaped<act, true>(v, o.slope, o.most, j, access) : shaped<act>(v, o.slope, o.most, j, access);
  }
  if (o.gate_f32) v = hn::Mul(v, access.read(o.gate_f32 + j));
  if (o.gate_bf16) v = hn::Mul(v, access.read(o.gate_bf16 + j));
  if (o.residual_f32) v = hn::Add(v, access.read(o.residual_f32 + j));
  if (o.residual_bf16) v = hn::Add(v, access.read(o.residual_bf16 + j));
  if (o.act_last) v = shaped<act>(v, o.slope, o.most, j, access);
  if (o.c_f32) access.write(v, o.c_f32 + j);
  if (o.c_bf16) access.write(v, o.c_bf16 + j);
  if (o.c_i8) {
    const Vec q = hn::Min(hn::Max(hn::Mul(v, set(o.c_inverse)), set(o.c_low)), set(o.c_high));
    write_bytes(hn::Add(hn::NearestInt(q), hn::Set(kI, o.c_zero)), o.c_i8 + j, access);
  }
}

template <Activation act>
void finish_rows(const void* tile, int nr, std::int64_t m0, std::int64_t n0, int rows, int cols, const Finish& f) {
  const QgemmArgs& args = *f.args;
  const Epilogue& e = args.epilogue;
  std::int64_t batch = m0 / e.rows_per_batch, row_in_batch = m0 % e.rows_per_batch;
  FinishRow o{};
  if (f.col_scale) {
    o.col_sum = f.col_sum + n0;
    o.col_scale = f.col_scale + n0;
  } else {
    o.col_scaled_sum = f.col_scaled_sum + n0;
  }
  if (e.slope) o.slope = e.slope + n0;
  o.most = e.most;
  o.act_last = e.act_last;
  o.c_inverse = 1.0f / args.c_scale;
  o.c_low = static_cast<float>(-128 - args.c_zero);
  o.c_high = static_cast<float>(127 - args.c_zero);
  o.c_zero = args.c_zero;
  for (int r = 0; r < rows; ++r, ++row_in_batch) {
    if (row_in_batch == e.rows_per_batch) {
      row_in_batch = 0;
      ++batch;
    }
    const std::int64_t m = m0 + r, gate_at = batch * e.gate_batch_stride + n0, residual_at = m * e.residual_ld + n0;
    const std::int64_t c_at = m * args.ldc + n0;
    if (f.col_scale) {
      o.sum = static_cast<const std::int32_t*>(tile) + r * nr;
    } else {
      o.scaled_sum = static_cast<const float*>(tile) + r * nr;
    }
    o.zero = f.row_zero[m * f.row_step] + f.offset;
    o.scale = f.row_scale[m * f.row_step];
    if (e.bias) o.bias = e.bias + batch * e.bias_batch_stride + n0;
    if (e.gate && e.gate_type == DType::f32) o.gate_f32 = static_cast<const float*>(e.gate) + gate_at;
    if (e.gate && e.gate_type == DType::bf16) o.gate_bf16 = static_cast<const bf16*>(e.gate) + gate_at;
    if (e.residual && args.residual_type == DType::f32) {
      o.residual_f32 = static_cast<const float*>(e.residual) + residual_at;
    }
    if (e.residual && args.residual_type == DType::bf16) {
      o.residual_bf16 = static_cast<const bf16*>(e.residual) + residual_at;
    }
    if (args.c_type == DType::f32) o.c_f32 = static_cast<float*>(args.C) + c_at;
    if (args.c_type == DType::bf16) o.c_bf16 = static_cast<bf16*>(args.C) + c_at;
    if (args.c_type == DType::i8) o.c_i8 = static_cast<std::int8_t*>(args.C) + c_at;
    std::int64_t j = 0;
    for (; j + kLanes <= cols; j += kLanes) finish_vector<act>(o, j, Whole());
    if (j < cols) finish_vector<act>(o, j, Part{cols - j});
  }
}

// QgemmOps::finish.
void finish_tile(const void* tile, int nr, std::int64_t m0, std::int64_t n0, int rows, int cols, const Finish& f) {
  static constexpr decltype(&finish_rows<Activation::none>) kByActivation[] = {
      finish_rows<Activation::none>,      finish_rows<Activation::relu>,       finish_rows<Activation::gelu_erf>,
      finish_rows<Activation::gelu_tanh>, finish_rows<Activation::gelu_quick>, finish_rows<Activation::silu>,
      finish_rows<Activation::sigmoid>,   finish_rows<Activation::tanh>,       finish_rows<Activation::hard_swish>,
  };
  kByActivation[static_cast<int>(f.args->epilogue.act)](tile, nr, m0, n0, rows, cols, f);
}

}  // namespace
}  // namespace thimble::kernels
