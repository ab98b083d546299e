// The epilogue over vectors, once, on kernels/simd: included by the ISA files only.
#pragma once

#include <cstdint>

#include "kernels/gemm/epilogue.h"
#include "kernels/simd/math.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

// The coarse forms are for results that are rounded to bf16 with nothing added: their relative error hides there.
template <Activation act, bool coarse = false>
THIMBLE_INLINE Vec activate(Vec x) {
  if constexpr (act == Activation::relu) {
    return hn::IfThenElse(hn::Lt(x, set(0.0f)), set(0.0f), x);  // NaN passes through
  } else if constexpr (act == Activation::gelu_erf) {
    return gelu(x);
  } else if constexpr (act == Activation::gelu_tanh) {
    return coarse ? gelu_tanh_coarse(x) : gelu_tanh(x);
  } else if constexpr (act == Activation::gelu_quick) {
    return hn::Mul(x, sigmoid(hn::Mul(x, set(1.702f))));
  } else if constexpr (act == Activation::silu) {
    return coarse ? silu_coarse(x) : silu(x);
  } else if constexpr (act == Activation::sigmoid) {
    return sigmoid(x);
  } else if constexpr (act == Activation::tanh) {
    return tanh(x);
  } else if constexpr (act == Activation::hard_swish) {
    const Vec ramp = hn::MulAdd(x, set(1.0f / 6), set(0.5f));
    return hn::Mul(x, hn::IfThenElse(hn::Lt(ramp, set(0.0f)), set(0.0f),
                                     hn::IfThenElse(hn::Gt(ramp, set(1.0f)), set(1.0f), ramp)));
  } else {
    return x;
  }
}

template <class T>
inline constexpr bool kCoarse = sizeof(T) == 2;

// Whole vectors, or the first n elements.
struct Whole {
  template <class T>
  THIMBLE_INLINE Vec read(const T* p) const {
    return load(p);
  }
  template <class T>
  THIMBLE_INLINE void write(Vec v, T* p) const {
    store(v, p);
  }
};
struct Part {
  std::int64_t n;
  template <class T>
  THIMBLE_INLINE Vec read(const T* p) const {
    return load_n(p, n);
  }
  template <class T>
  THIMBLE_INLINE void write(Vec v, T* p) const {
    store_n(v, p, n);
  }
};

// f of epilogue.h. NaN passes through.
template <Activation act, bool coarse = false, class Access>
THIMBLE_INLINE Vec shaped(Vec v, const float* slope, float most, std::int64_t j, Access access) {
  if (slope) v = hn::IfThenElse(hn::Lt(v, set(0.0f)), hn::Mul(v, access.read(slope + j)), v);
  v = activate<act, coarse>(v);
  if (most < 3.4e38f) v = hn::IfThenElse(hn::Gt(v, set(most)), set(most), v);
  return v;
}

// Operands of one row, at column n0; null where absent.
template <class T>
struct RowOperands {
  const float* acc;
  const float* bias;
  const float* gate_f32;
  const bf16* gate_bf16;
  const T* residual;
  T* c;
  const float* slope;
  float most;
  bool act_last;
};

template <Activation act, class T, class Access>
THIMBLE_INLINE void epilogue_vector(const RowOperands<T>& o, std::int64_t j, Access access) {
  Vec v = access.read(o.acc + j);
  if (o.bias) v = hn::Add(v, access.read(o.bias + j));
  if (!o.act_last) v = shaped<act>(v, o.slope, o.most, j, access);
  if (o.gate_f32) v = hn::Mul(v, access.read(o.gate_f32 + j));
  if (o.gate_bf16) v = hn::Mul(v, access.read(o.gate_bf16 + j));
  if (o.residual) v = hn::Add(v, access.read(o.residual + j));
  if (o.act_last) v = shaped<act>(v, o.slope, o.most, j, access);
  access.write(v, o.c + j);
}

// What a column of two vectors adds and multiplies with, the same for all rows of a batch.
struct ColumnPair {
  Vec bias[2], gate[2];

  THIMBLE_INLINE ColumnPair(const Epilogue& e, std::int64_t batch, std::int64_t n) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v, n += kLanes) {
      bias[v] = e.bias ? load(e.bias + batch * e.bias_batch_stride + n) : set(0.0f);
      const std::int64_t at = batch * e.gate_batch_stride + n;
      gate[v] = !e.gate                     ? set(1.0f)
                : e.gate_type == DType::f32 ? load(static_cast<const float*>(e.gate) + at)
                                            : load(static_cast<const bf16*>(e.gate) + at);
    }
  }
};

// Columns [n0, n0 + 2 * kLanes) of all rows: vectors over columns stay in registers.
template <Activation act, class T, bool kResidual>
THIMBLE_INLINE void epilogue_pair(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows,
                                  const Epilogue& e, T* c, std::int64_t ldc) {
  std::int64_t batch = m0 / e.rows_per_batch, left = e.rows_per_batch - m0 % e.rows_per_batch;
  const T* residual = kResidual ? static_cast<const T*>(e.residual) + m0 * e.residual_ld + n0 : nullptr;
  c += m0 * ldc + n0;
  for (int r = 0; r < rows; left = e.rows_per_batch, ++batch) {
    const ColumnPair column(e, batch, n0);
    const int end = left < rows - r ? r + static_cast<int>(left) : rows;
    for (; r < end; ++r, tile += ld_tile, c += ldc) {
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) {
        Vec x = activate < act, kCoarse<T> && !kResidual > (hn::Add(load(tile + v * kLanes), column.bias[v]));
        x = hn::Mul(x, column.gate[v]);
        if constexpr (kResidual) x = hn::Add(x, load(residual + v * kLanes));
        store(x, c + v * kLanes);
      }
      if constexpr (kResidual) residual += e.residual_ld;
    }
  }
}

// Without gate and slope, within one batch: most layers of small networks, whose rows are short.
template <Activation act, class T>
void plain_rows(const float* tile, int ld_tile, int rows, int cols, const float* bias, const T* residual,
                const Epilogue& e, T* c, std::int64_t ldc) {
  const auto one = [&](std::int64_t j, auto access) {
    const Vec add = bias ? access.read(bias + j) : set(0.0f);
    const float* acc = tile + j;
    T* out = c + j;
    const bool first = residual && e.act_last, after = residual && !e.act_last;
    for (int r = 0; r < rows; ++r, acc += ld_tile, out += ldc) {
      Vec v = hn::Add(access.read(acc), add);
      if (first) v = hn::Add(v, access.read(residual + r * e.residual_ld + j));
      v = activate<act>(v);
      if (e.most < 3.4e38f) v = hn::IfThenElse(hn::Gt(v, set(e.most)), set(e.most), v);
      if (after) v = hn::Add(v, access.read(residual + r * e.residual_ld + j));
      access.write(v, out);
    }
  };
  std::int64_t j = 0;
  for (; j + kLanes <= cols; j += kLanes) one(j, Whole());
  if (j < cols) one(j, Part{cols - j});
}

template <Activation act, class T>
void epilogue_rows(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                   const Epilogue& e, void* c, std::int64_t ldc) {
  const bool in_pairs = !e.slope && !e.act_last && e.most >= 3.4e38f;
  for (; in_pairs && cols >= 2 * kLanes; cols -= 2 * kLanes, tile += 2 * kLanes, n0 += 2 * kLanes) {
    (e.residual ? epilogue_pair<act, T, true> : epilogue_pair<act, T, false>)(tile, ld_tile, m0, n0, rows, e,
                                                                              static_cast<T*>(c), ldc);
  }
  if (cols == 0) return;
  // One division a tile, not a row.
  std::int64_t batch = m0 / e.rows_per_batch, row_in_batch = m0 % e.rows_per_batch;
  if (!e.gate && !e.slope && row_in_batch + rows <= e.rows_per_batch) {
    return plain_rows<act>(tile, ld_tile, rows, cols, e.bias ? e.bias + batch * e.bias_batch_stride + n0 : nullptr,
                           e.residual ? static_cast<const T*>(e.residual) + m0 * e.residual_ld + n0 : nullptr, e,
                           static_cast<T*>(c) + m0 * ldc + n0, ldc);
  }
  for (int r = 0; r < rows; ++r, ++row_in_batch) {
    if (row_in_batch == e.rows_per_batch) {
      row_in_batch = 0;
      ++batch;
    }
    const std::int64_t m = m0 + r, gate_at = batch * e.gate_batch_stride + n0;
    RowOperands<T> o{tile + r * ld_tile,
                     nullptr,
                     nullptr,
                     nullptr,
                     nullptr,
                     static_cast<T*>(c) + m * ldc + n0,
                     e.slope ? e.slope + n0 : nullptr,
                     e.most,
                     e.act_last};
    if (e.bias) o.bias = e.bias + batch * e.bias_batch_stride + n0;
    if (e.gate && e.gate_type == DType::f32) o.gate_f32 = static_cast<const float*>(e.gate) + gate_at;
    if (e.gate && e.gate_type == DType::bf16) o.gate_bf16 = static_cast<const bf16*>(e.gate) + gate_at;
    if (e.residual) o.residual = static_cast<const T*>(e.residual) + m * e.residual_ld + n0;
    std::int64_t j = 0;
    for (; j + kLanes <= cols; j += kLanes) epilogue_vector<act>(o, j, Whole());
    if (j < cols) epilogue_vector<act>(o, j, Part{cols - j});
  }
}

template <Activation act>
void epilogue_typed(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                    const Epilogue& e, void* c, std::int64_t ldc, DType c_type) {
  (c_type == DType::f32 ? epilogue_rows<act, float> : epilogue_rows<act, bf16>)(tile, ld_tile, m0, n0, rows, cols, e, c,
                                                                                ldc);
}

// GemmKernel::epilogue.
[[maybe_unused]] void epilogue_tile(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows,
                                    int cols, const Epilogue& e, void* c, std::int64_t ldc, DType c_type) {
  static constexpr decltype(&epilogue_typed<Activation::none>) kByActivation[] = {
      epilogue_typed<Activation::none>,       epilogue_typed<Activation::relu>,
      epilogue_typed<Activation::gelu_erf>,   epilogue_typed<Activation::gelu_tanh>,
      epilogue_typed<Activation::gelu_quick>, epilogue_typed<Activation::silu>,
      epilogue_typed<Activation::sigmoid>,    epilogue_typed<Activation::tanh>,
      epilogue_typed<Activation::hard_swish>,
  };
  kByActivation[static_cast<int>(e.act)](tile, ld_tile, m0, n0, rows, cols, e, c, ldc, c_type);
}

}  // namespace
}  // namespace thimble::kernels
