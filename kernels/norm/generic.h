// The loops of the norms and of softmax, once, over simd.h's vector. Each ISA file includes this and names its rows.
#pragma once

#include "kernels/norm/norm.h"
#include "kernels/simd/math.h"

namespace thimble::kernels {

#define THIMBLE_NORM(isa, type, name) extern const NormKernels name;
#include "kernels/norm/kernels.inc"
#undef THIMBLE_NORM

namespace {

constexpr std::int64_t kBlock = 512 * kLanes;  // elements summed in f32 before they join a double

struct Sums {
  double plain, squares;
};

// Sums of v = term(i, left) and (if asked for) of v^2 over the vectors of [0, n). Four running sums keep the adders
// busy and the rounding small. In the tail, lanes behind `left` must be zero: see `valid`.
template <bool kSquares, class F>
THIMBLE_INLINE Sums sums_over(std::int64_t n, F term) {
  Sums total{0, 0};
  for (std::int64_t begin = 0; begin < n; begin += kBlock) {
    const std::int64_t end = n - begin < kBlock ? n : begin + kBlock;
    Vec s[4] = {set(0), set(0), set(0), set(0)}, q[4] = {set(0), set(0), set(0), set(0)};
    const auto step = [&](int k, std::int64_t i, std::int64_t left) __attribute__((always_inline)) {
      const Vec v = term(i, left);
      s[k] = hn::Add(s[k], v);
      if constexpr (kSquares) q[k] = hn::MulAdd(v, v, q[k]);
    };
    std::int64_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) step(k, i + k * kLanes, kLanes);
    }
    for (; i + kLanes <= end; i += kLanes) step(0, i, kLanes);
    if (i < end) step(1, i, end - i);
    total.plain += static_cast<double>(sum_lanes(hn::Add(hn::Add(s[0], s[1]), hn::Add(s[2], s[3]))));
    if constexpr (kSquares) {
      total.squares += static_cast<double>(sum_lanes(hn::Add(hn::Add(q[0], q[1]), hn::Add(q[2], q[3]))));
    }
  }
  return total;
}

template <class T>
THIMBLE_INLINE Vec read(const T* p, std::int64_t left) {
  return left == kLanes ? load(p) : load_n(p, left);
}
template <class T>
THIMBLE_INLINE void write(Vec v, T* p, std::int64_t left) {
  if (left == kLanes) {
    store(v, p);
  } else {
    store_n(v, p, left);
  }
}

// v with the lanes behind the tail set to zero.
THIMBLE_INLINE Vec valid(Vec v, std::int64_t left) {
  return left == kLanes ? v : hn::IfThenElseZero(hn::FirstN(kF, static_cast<std::size_t>(left)), v);
}

// x, or x + residual: stored first when the caller wants it, so that it is read back as one tensor.
template <class T>
struct Source {
  const T* x;
  const T* residual;

  explicit Source(const NormRow& row) : x(static_cast<const T*>(row.x)), residual(static_cast<const T*>(row.residual)) {
    if (row.residual_out == nullptr) return;
    T* out = static_cast<T*>(row.residual_out);
    for (std::int64_t i = 0; i < row.channels; i += kLanes) {
      const std::int64_t left = row.channels - i < kLanes ? row.channels - i : kLanes;
      write((*this)(i, left), out + i, left);
    }
    x = out;
    residual = nullptr;
  }

  THIMBLE_INLINE Vec operator()(std::int64_t i, std::int64_t left) const {
    const Vec v = read(x + i, left);
    return residual == nullptr ? v : hn::Add(v, read(residual + i, left));
  }
};

template <class T, bool kAffine, bool kModulated>
THIMBLE_INLINE void finish(const NormRow& row, const Source<T>& source, float mean, float rest, float factor) {
  T* y = static_cast<T*>(row.y);
  const T* scale = static_cast<const T*>(row.scale);
  const T* shift = static_cast<const T*>(row.shift);
  const Vec m = set(mean), f = set(factor), start = set(-rest * factor), one = set(1.0f);
  const auto step = [&](std::int64_t i, std::int64_t left) __attribute__((always_inline)) {
    Vec v = hn::MulAdd(hn::Sub(source(i, left), m), f, start);
    if constexpr (kAffine) {
      if (row.weight != nullptr) v = hn::Mul(v, read(row.weight + i, left));
      if (row.bias != nullptr) v = hn::Add(v, read(row.bias + i, left));
    }
    if constexpr (kModulated) {
      if (scale != nullptr) v = hn::Mul(v, hn::Add(one, read(scale + i, left)));
      if (shift != nullptr) v = hn::Add(v, read(shift + i, left));
    }
    write(v, y + i, left);
  };
  for_vectors(
      row.channels, [&](std::int64_t i) { step(i, kLanes); }, step);
}

template <class T>
THIMBLE_INLINE void finish_any(const NormRow& row, const Source<T>& source, float mean, float rest, float factor) {
  const bool affine = row.weight != nullptr || row.bias != nullptr;
  const bool modulated = row.scale != nullptr || row.shift != nullptr;
  if (affine && modulated) return finish<T, true, true>(row, source, mean, rest, factor);
  if (affine) return finish<T, true, false>(row, source, mean, rest, factor);
  if (modulated) return finish<T, false, true>(row, source, mean, rest, factor);
  finish<T, false, false>(row, source, mean, rest, factor);
}

// The second pass corrects the mean of the first, which matters for data far from zero.
template <class T>
void layer_norm_row(const NormRow& row) {
  const Source<T> source(row);
  const double n = static_cast<double>(row.channels);
  const float mean = static_cast<float>(sums_over<false>(row.channels, source).plain / n);
  const Vec m = set(mean);
  const Sums about = sums_over<true>(
      row.channels, [&](std::int64_t i, std::int64_t left)
                        __attribute__((always_inline)) { return valid(hn::Sub(source(i, left), m), left); });
  const double rest = about.plain / n, spread = about.squares / n - rest * rest;
  const float variance = static_cast<float>(spread < 0 ? 0 : spread);  // NaN stays NaN
  finish_any<T>(row, source, mean, static_cast<float>(rest), 1.0f / __builtin_sqrtf(variance + row.eps));
}

template <class T>
void rms_norm_row(const NormRow& row) {
  const Source<T> source(row);
  const double mean_square = sums_over<true>(row.channels, source).squares / static_cast<double>(row.channels);
  finish_any<T>(row, source, 0.0f, 0.0f, 1.0f / __builtin_sqrtf(static_cast<float>(mean_square) + row.eps));
}

template <class T>
void softmax_row(const void* source, void* target, std::int64_t n, float scale) {
  const T* x = static_cast<const T*>(source);
  T* y = static_cast<T*>(target);
  Vec top = set(-kInfinity);
  for_vectors(
      n, [&](std::int64_t i) { top = hn::Max(top, load(x + i)); },
      [&](std::int64_t i, std::int64_t left) {
        const auto in = hn::FirstN(kF, static_cast<std::size_t>(left));
        top = hn::Max(top, hn::IfThenElse(in, load_n(x + i, left), top));
      });
  const float largest = max_lanes(top);
  const Vec m = set(largest == -kInfinity ? 0.0f : largest), s = set(scale);
  const auto weight = [&](std::int64_t i, std::int64_t left) __attribute__((always_inline)) {
    return exp(hn::Mul(hn::Sub(read(x + i, left), m), s));
  };
  // Exponentials are kept in y, or for bf16, which would round twice, beside it; very long rows take them again.
  constexpr std::int64_t kKept = 4096;
  constexpr bool kInPlace = sizeof(T) == 4;
  float beside[kInPlace ? 1 : kKept];
  float* kept = beside;
  if constexpr (kInPlace) kept = y;
  const bool keeps = kInPlace || n <= kKept;
  const double sum = sums_over<false>(
                         n,
                         [&](std::int64_t i, std::int64_t left) __attribute__((always_inline)) {
                           const Vec e = valid(weight(i, left), left);
                           if (keeps) write(e, kept + i, left);
                           return e;
                         })
                         .plain;
  const Vec f = set(sum == 0 ? 0.0f : static_cast<float>(1 / sum));
  const auto step = [&](std::int64_t i, std::int64_t left) __attribute__((always_inline)) {
    write(hn::Mul(keeps ? read(kept + i, left) : weight(i, left), f), y + i, left);
  };
  for_vectors(
      n, [&](std::int64_t i) { step(i, kLanes); }, step);
}

// sums[c] over rows of x[r, c], in the order of memory: this pass brings the rows into the cache.
template <class T>
void sum_rows(const T* x, std::int64_t rows, std::int64_t channels, float* sums) {
  for (std::int64_t c = 0; c < channels; ++c) sums[c] = 0;
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * channels) {
    const auto step = [&](std::int64_t c, std::int64_t left) __attribute__((always_inline)) {
      const Vec low = hn::Add(read(x + c, left), read(x + channels + c, left));
      const Vec high = hn::Add(read(x + 2 * channels + c, left), read(x + 3 * channels + c, left));
      write(hn::Add(read(sums + c, left), hn::Add(low, high)), sums + c, left);
    };
    for_vectors(
        channels, [&](std::int64_t c) { step(c, kLanes); }, step);
  }
  for (; r < rows; ++r, x += channels) {
    const auto step = [&](std::int64_t c, std::int64_t left) __attribute__((always_inline)) {
      write(hn::Add(read(sums + c, left), read(x + c, left)), sums + c, left);
    };
    for_vectors(
        channels, [&](std::int64_t c) { step(c, kLanes); }, step);
  }
}

// sums[c] and squares[c] over rows of d = x[r, c] - mean[c], and of d^2; columns in blocks that stay in registers.
template <class T>
void sum_columns(const T* x, std::int64_t rows, std::int64_t channels, const float* mean, float* sums, float* squares) {
  const auto block = [&]<int kVectors>(std::int64_t c, std::int64_t left) __attribute__((always_inline)) {
    Vec m[kVectors], s[kVectors], q[kVectors];
#pragma GCC unroll 4
    for (int k = 0; k < kVectors; ++k) {
      m[k] = read(mean + c + k * kLanes, left);
      s[k] = q[k] = set(0);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
      for (int k = 0; k < kVectors; ++k) {
        const Vec d = hn::Sub(read(x + r * channels + c + k * kLanes, left), m[k]);
        s[k] = hn::Add(s[k], d);
        q[k] = hn::MulAdd(d, d, q[k]);
      }
    }
#pragma GCC unroll 4
    for (int k = 0; k < kVectors; ++k) {
      write(s[k], sums + c + k * kLanes, left);
      write(q[k], squares + c + k * kLanes, left);
    }
  };
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) block.template operator()<4>(c, kLanes);
  for (; c + kLanes <= channels; c += kLanes) block.template operator()<1>(c, kLanes);
  if (c < channels) block.template operator()<1>(c, channels - c);
}

double sum_plain(const float* x, std::int64_t n) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += static_cast<double>(x[i]);
  return total;
}

template <class T>
void group_stats_rows(const void* source, std::int64_t rows, std::int64_t channels, std::int64_t groups, double* mean,
                      double* squares, float* scratch) {
  const T* x = static_cast<const T*>(source);
  float* sums = scratch;
  float* about = scratch + channels;
  float* second = scratch + 2 * channels;
  const std::int64_t size = channels / groups;
  const double count = static_cast<double>(rows * size);
  sum_rows(x, rows, channels, sums);
  for (std::int64_t g = 0; g < groups; ++g) {
    const float m = static_cast<float>(sum_plain(sums + g * size, size) / count);
    for (std::int64_t c = 0; c < size; ++c) about[g * size + c] = m;
  }
  sum_columns(x, rows, channels, about, sums, second);
  for (std::int64_t g = 0; g < groups; ++g) {
    const double rest = sum_plain(sums + g * size, size) / count;
    mean[g] = static_cast<double>(about[g * size]) + rest;
    squares[g] = sum_plain(second + g * size, size) - rest * rest * count;
  }
}

template <class T, class F>
THIMBLE_INLINE void apply_rows(const T* x, T* y, std::int64_t rows, std::int64_t channels, const float* mean,
                               const float* factor, const float* bias, F act) {
  for (std::int64_t r = 0; r < rows; ++r, x += channels, y += channels) {
    const auto step = [&](std::int64_t c, std::int64_t left) __attribute__((always_inline)) {
      const Vec d = hn::Sub(read(x + c, left), read(mean + c, left));
      write(act(hn::MulAdd(d, read(factor + c, left), read(bias + c, left))), y + c, left);
    };
    for_vectors(
        channels, [&](std::int64_t c) { step(c, kLanes); }, step);
  }
}

template <class T>
void group_apply_rows(const void* source, void* target, std::int64_t rows, std::int64_t channels, const float* mean,
                      const float* factor, const float* bias, NormActivation activation) {
  const T* x = static_cast<const T*>(source);
  T* y = static_cast<T*>(target);
  switch (activation) {
    case NormActivation::none: return apply_rows(x, y, rows, channels, mean, factor, bias, [](Vec v) { return v; });
    case NormActivation::silu:
      return apply_rows(x, y, rows, channels, mean, factor, bias, [](Vec v) { return silu(v); });
    case NormActivation::relu:
      return apply_rows(x, y, rows, channels, mean, factor, bias,
                        [](Vec v) { return hn::IfThenElse(hn::Lt(v, set(0)), set(0), v); });
  }
}

template <class T>
constexpr NormKernels norm_row(Isa isa, DType type, std::string_view name) {
  return {
      isa, type, name, layer_norm_row<T>, rms_norm_row<T>, softmax_row<T>, group_stats_rows<T>, group_apply_rows<T>};
}

}  // namespace
}  // namespace thimble::kernels
