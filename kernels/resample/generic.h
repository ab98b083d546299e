// The channel loops of resize and pooling, once, over simd.h's vector. Each ISA file includes this and names its rows.
#pragma once

#include "kernels/resample/resample.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {

#define THIMBLE_RESAMPLE(isa, type, name) extern const ResampleKernels name;
#include "kernels/resample/kernels.inc"
#undef THIMBLE_RESAMPLE

namespace {

// f(c, read) gives the result of one vector of channels, where read(p) loads it.
template <class T, class F>
THIMBLE_INLINE void per_channel(T* y, std::int64_t n, F f) {
  for_vectors(
      n, [&](std::int64_t c) { store(f(c, [](const T* p) { return load(p); }), y + c); },
      [&](std::int64_t c, std::int64_t left) {
        store_n(f(c, [left](const T* p) { return load_n(p, left); }), y + c, left);
      });
}

template <class T>
void blend_loop(const void* const* taps, const float* weights, int count, void* y, std::int64_t n) {
  per_channel(static_cast<T*>(y), n, [&](std::int64_t c, auto read) {
    Vec sum = hn::Mul(read(static_cast<const T*>(taps[0]) + c), set(weights[0]));
    for (int t = 1; t < count; ++t) sum = hn::MulAdd(read(static_cast<const T*>(taps[t]) + c), set(weights[t]), sum);
    return sum;
  });
}

template <class T>
void pool_max_loop(const void* source, std::int64_t rows, std::int64_t row_step, std::int64_t columns,
                   std::int64_t column_step, void* y, std::int64_t n) {
  const T* x = static_cast<const T*>(source);
  per_channel(static_cast<T*>(y), n, [&](std::int64_t c, auto read) {
    Vec top = read(x + c);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        const Vec v = read(x + i * row_step + j * column_step + c);
        top = hn::IfThenElse(hn::Or(hn::Gt(v, top), hn::IsNaN(v)), v, top);  // a NaN stays: nothing is greater
      }
    }
    return top;
  });
}

template <class T>
void pool_sum_loop(const void* source, std::int64_t rows, std::int64_t row_step, std::int64_t columns,
                   std::int64_t column_step, float factor, void* y, std::int64_t n) {
  const T* x = static_cast<const T*>(source);
  per_channel(static_cast<T*>(y), n, [&](std::int64_t c, auto read) {
    Vec sum = set(0);
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) sum = hn::Add(sum, read(x + i * row_step + j * column_step + c));
    }
    return hn::Mul(sum, set(factor));
  });
}

template <class T>
constexpr ResampleKernels resample_row(Isa isa, DType type, std::string_view name) {
  return {isa, type, name, blend_loop<T>, pool_max_loop<T>, pool_sum_loop<T>};
}

}  // namespace
}  // namespace thimble::kernels
