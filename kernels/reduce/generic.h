// The loops of the reductions, once, over simd.h's vector. Each ISA file includes this and names its rows.
#pragma once

#include "kernels/reduce/reduce.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {

#define THIMBLE_REDUCE(isa, type, name) extern const ReduceKernels name;
#include "kernels/reduce/kernels.inc"
#undef THIMBLE_REDUCE

namespace {

struct SumOp {
  static constexpr float kStart = 0;
  static THIMBLE_INLINE Vec join(Vec a, Vec b) { return hn::Add(a, b); }
  static THIMBLE_INLINE double join(double a, double b) { return a + b; }
};
struct ProdOp {
  static constexpr float kStart = 1;
  static THIMBLE_INLINE Vec join(Vec a, Vec b) { return hn::Mul(a, b); }
  static THIMBLE_INLINE double join(double a, double b) { return a * b; }
};
struct MaxOp {  // NaN wins
  static constexpr float kStart = -__builtin_inff();
  static THIMBLE_INLINE Vec join(Vec a, Vec b) {
    return hn::IfThenElse(hn::Gt(a, b), a, hn::IfThenElse(hn::IsNaN(a), a, b));
  }
  static THIMBLE_INLINE double join(double a, double b) { return a > b || a != a ? a : b; }
};
struct MinOp {
  static constexpr float kStart = __builtin_inff();
  static THIMBLE_INLINE Vec join(Vec a, Vec b) {
    return hn::IfThenElse(hn::Lt(a, b), a, hn::IfThenElse(hn::IsNaN(a), a, b));
  }
  static THIMBLE_INLINE double join(double a, double b) { return a < b || a != a ? a : b; }
};

constexpr std::int64_t kRun = 4 * 64 * kLanes;  // elements joined in f32 before they join a double

template <class T, class Op>
double reduce_run(const T* x, std::int64_t n) {
  double total = static_cast<double>(Op::kStart);
  const Vec start = set(Op::kStart);
  for (std::int64_t begin = 0; begin < n; begin += kRun) {
    const std::int64_t end = n - begin < kRun ? n : begin + kRun;
    Vec s[4] = {start, start, start, start};
    std::int64_t i = begin;
    for (; i + 4 * kLanes <= end; i += 4 * kLanes) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) s[k] = Op::join(s[k], load(x + i + k * kLanes));
    }
    for (; i + kLanes <= end; i += kLanes) s[0] = Op::join(s[0], load(x + i));
    if (i < end) {
      const auto in = hn::FirstN(kF, static_cast<std::size_t>(end - i));
      s[1] = Op::join(s[1], hn::IfThenElse(in, load_n(x + i, end - i), start));
    }
    float lane[kLanes];
    store(Op::join(Op::join(s[0], s[1]), Op::join(s[2], s[3])), lane);
    for (std::int64_t k = 0; k < kLanes; ++k) total = Op::join(total, static_cast<double>(lane[k]));
  }
  return total;
}

template <class T, class Op>
void reduce_columns(const T* x, std::int64_t rows, std::int64_t stride, float* acc, std::int64_t n) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4, x += 4 * stride) {
    const auto joined = [&](std::int64_t c, auto read) __attribute__((always_inline)) {
      return Op::join(Op::join(read(x + c), read(x + stride + c)),
                      Op::join(read(x + 2 * stride + c), read(x + 3 * stride + c)));
    };
    for_vectors(
        n,
        [&](std::int64_t c) { store(Op::join(load(acc + c), joined(c, [](const T* p) { return load(p); })), acc + c); },
        [&](std::int64_t c, std::int64_t left) {
          const Vec four = joined(c, [left](const T* p) { return load_n(p, left); });
          store_n(Op::join(load_n(acc + c, left), four), acc + c, left);
        });
  }
  for (; r < rows; ++r, x += stride) {
    for_vectors(
        n, [&](std::int64_t c) { store(Op::join(load(acc + c), load(x + c)), acc + c); },
        [&](std::int64_t c, std::int64_t left) {
          store_n(Op::join(load_n(acc + c, left), load_n(x + c, left)), acc + c, left);
        });
  }
}

template <class T>
double row_loop(ReduceOp op, const void* x, std::int64_t n) {
  const T* p = static_cast<const T*>(x);
  switch (op) {
    case ReduceOp::max: return reduce_run<T, MaxOp>(p, n);
    case ReduceOp::min: return reduce_run<T, MinOp>(p, n);
    case ReduceOp::prod: return reduce_run<T, ProdOp>(p, n);
    default: return reduce_run<T, SumOp>(p, n);
  }
}

template <class T>
void columns_loop(ReduceOp op, const void* x, std::int64_t rows, std::int64_t stride, float* acc, std::int64_t n) {
  const T* p = static_cast<const T*>(x);
  switch (op) {
    case ReduceOp::max: return reduce_columns<T, MaxOp>(p, rows, stride, acc, n);
    case ReduceOp::min: return reduce_columns<T, MinOp>(p, rows, stride, acc, n);
    case ReduceOp::prod: return reduce_columns<T, ProdOp>(p, rows, stride, acc, n);
    default: return reduce_columns<T, SumOp>(p, rows, stride, acc, n);
  }
}

template <class T>
constexpr ReduceKernels reduce_row(Isa isa, DType type, std::string_view name) {
  return {isa, type, name, row_loop<T>, columns_loop<T>};
}

}  // namespace
}  // namespace thimble::kernels
