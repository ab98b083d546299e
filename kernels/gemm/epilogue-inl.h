// The epilogue over vectors, once, on kernels/simd: included by the ISA files only.
#pragma once

#include <cstdint>

#include "kernels/gemm/epilogue.h"
#include "kernels/simd/math.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

template <Activation act>
THIMBLE_INLINE Vec activate(Vec x) {
  if constexpr (act == Activation::relu) {
    return hn::IfThenElse(hn::Lt(x, set(0.0f)), set(0.0f), x);  // NaN passes through
  } else if constexpr (act == Activation::gelu_erf) {
    return gelu(x);
  } else if constexpr (act == Activation::gelu_tanh) {
    return gelu_tanh(x);
  } else if constexpr (act == Activation::gelu_quick) {
    return hn::Mul(x, sigmoid(hn::Mul(x, set(1.702f))));
  } else if constexpr (act == Activation::silu) {
    return silu(x);
  } else if constexpr (act == Activation::sigmoid) {
    return sigmoid(x);
  } else if constexpr (act == Activation::tanh) {
    return tanh(x);
  } else {
    return x;
  }
}

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

// Operands of one row, at column n0; null where absent.
template <class T>
struct RowOperands {
  const float* acc;
  const float* bias;
  const float* gate_f32;
  const bf16* gate_bf16;
  const T* residual;
  T* c;
};

template <Activation act, class T, class Access>
THIMBLE_INLINE void epilogue_vector(const RowOperands<T>& o, std::int64_t j, Access access) {
  Vec v = access.read(o.acc + j);
  if (o.bias) v = hn::Add(v, access.read(o.bias + j));
  v = activate<act>(v);
  if (o.gate_f32) v = hn::Mul(v, access.read(o.gate_f32 + j));
  if (o.gate_bf16) v = hn::Mul(v, access.read(o.gate_bf16 + j));
  if (o.residual) v = hn::Add(v, access.read(o.residual + j));
  access.write(v, o.c + j);
}

template <Activation act, class T>
void epilogue_rows(const float* tile, int ld_tile, std::int64_t m0, std::int64_t n0, int rows, int cols,
                   const Epilogue& e, void* c, std::int64_t ldc) {
  // One division a tile, not a row.
  std::int64_t batch = m0 / e.rows_per_batch, row_in_batch = m0 % e.rows_per_batch;
  for (int r = 0; r < rows; ++r, ++row_in_batch) {
    if (row_in_batch == e.rows_per_batch) {
      row_in_batch = 0;
      ++batch;
    }
    const std::int64_t m = m0 + r, gate_at = batch * e.gate_batch_stride + n0;
    RowOperands<T> o{tile + r * ld_tile, nullptr, nullptr, nullptr, nullptr, static_cast<T*>(c) + m * ldc + n0};
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
  };
  kByActivation[static_cast<int>(e.act)](tile, ld_tile, m0, n0, rows, cols, e, c, ldc, c_type);
}

}  // namespace
}  // namespace thimble::kernels
