// The elementwise loops, once, over simd.h's vector. Each ISA file includes this and names its table rows.
#pragma once

#include "kernels/elementwise/elementwise.h"
#include "kernels/simd/math.h"

namespace thimble::kernels {

#define THIMBLE_ELEMENTWISE(isa, type, name) extern const ElementwiseKernels name;
#include "kernels/elementwise/kernels.inc"
#undef THIMBLE_ELEMENTWISE

namespace {

template <class T, class F>
THIMBLE_INLINE void map(const T* x, T* y, std::int64_t n, F f) {
  for_vectors(
      n, [&](std::int64_t i) { store(f(load(x + i)), y + i); },
      [&](std::int64_t i, std::int64_t left) { store_n(f(load_n(x + i, left)), y + i, left); });
}

template <class T>
void unary_loop(UnaryOp op, const void* source, void* target, std::int64_t n, UnaryParams params) {
  const T* x = static_cast<const T*>(source);
  T* y = static_cast<T*>(target);
  const Vec zero = set(0.0f), one = set(1.0f), alpha = set(params.alpha), beta = set(params.beta);
  switch (op) {
    case UnaryOp::neg: return map(x, y, n, [](Vec v) { return hn::Neg(v); });
    case UnaryOp::abs: return map(x, y, n, [](Vec v) { return hn::Abs(v); });
    case UnaryOp::sign:
      return map(x, y, n, [=](Vec v) {
        return hn::IfThenElse(hn::Gt(v, zero), one, hn::IfThenElse(hn::Lt(v, zero), hn::Neg(one), v));
      });
    case UnaryOp::square: return map(x, y, n, [](Vec v) { return hn::Mul(v, v); });
    case UnaryOp::sqrt: return map(x, y, n, [](Vec v) { return hn::Sqrt(v); });
    case UnaryOp::rsqrt: return map(x, y, n, [=](Vec v) { return hn::Div(one, hn::Sqrt(v)); });
    case UnaryOp::reciprocal: return map(x, y, n, [=](Vec v) { return hn::Div(one, v); });
    case UnaryOp::exp: return map(x, y, n, [](Vec v) { return exp(v); });
    case UnaryOp::log: return map(x, y, n, [](Vec v) { return log(v); });
    case UnaryOp::sin: return map(x, y, n, [](Vec v) { return sin(v); });
    case UnaryOp::cos: return map(x, y, n, [](Vec v) { return cos(v); });
    case UnaryOp::tanh: return map(x, y, n, [](Vec v) { return tanh(v); });
    case UnaryOp::erf: return map(x, y, n, [](Vec v) { return erf(v); });
    case UnaryOp::sigmoid: return map(x, y, n, [](Vec v) { return sigmoid(v); });
    case UnaryOp::relu: return map(x, y, n, [=](Vec v) { return hn::IfThenElse(hn::Lt(v, zero), zero, v); });
    case UnaryOp::silu: return map(x, y, n, [](Vec v) { return silu(v); });
    case UnaryOp::gelu: return map(x, y, n, [](Vec v) { return gelu(v); });
    case UnaryOp::gelu_tanh: return map(x, y, n, [](Vec v) { return gelu_tanh(v); });
    case UnaryOp::softplus: return map(x, y, n, [](Vec v) { return softplus(v); });
    case UnaryOp::elu:
      return map(x, y, n, [=](Vec v) { return hn::IfThenElse(hn::Lt(v, zero), hn::Mul(alpha, expm1_negative(v)), v); });
    case UnaryOp::leaky_relu:
      return map(x, y, n, [=](Vec v) { return hn::IfThenElse(hn::Lt(v, zero), hn::Mul(alpha, v), v); });
    case UnaryOp::hard_swish:
    case UnaryOp::hard_sigmoid: {
      const Vec first = op == UnaryOp::hard_swish ? zero : one;
      return map(x, y, n, [=](Vec v) {
        const Vec ramp = hn::MulAdd(v, set(1.0f / 6), set(0.5f));
        const Vec gate = hn::IfThenElse(hn::Lt(ramp, zero), zero, hn::IfThenElse(hn::Gt(ramp, one), one, ramp));
        return hn::Mul(hn::IfThenElse(hn::Eq(first, zero), v, one), gate);
      });
    }
    case UnaryOp::floor: return map(x, y, n, [](Vec v) { return hn::Floor(v); });
    case UnaryOp::ceil: return map(x, y, n, [](Vec v) { return hn::Ceil(v); });
    case UnaryOp::round: return map(x, y, n, [](Vec v) { return hn::Round(v); });
    case UnaryOp::clamp:
      return map(x, y, n, [=](Vec v) {
        return hn::IfThenElse(hn::Lt(v, alpha), alpha, hn::IfThenElse(hn::Gt(v, beta), beta, v));
      });
  }
}

// g(i, left, a, b) with a and b loaded; left < kLanes means a tail.
template <class T, class G>
THIMBLE_INLINE void zip(const T* a, bool a_scalar, const T* b, bool b_scalar, std::int64_t n, G g) {
  if (n == 0) return;
  const auto run = [&](auto load_a, auto load_b) __attribute__((always_inline)) {
    for_vectors(
        n, [&](std::int64_t i) { g(i, kLanes, load_a(i, kLanes), load_b(i, kLanes)); },
        [&](std::int64_t i, std::int64_t left) { g(i, left, load_a(i, left), load_b(i, left)); });
  };
  const auto from = [](const T* p) {
    return [p](std::int64_t i, std::int64_t left) { return left == kLanes ? load(p + i) : load_n(p + i, left); };
  };
  const auto same = [](const T* p) {
    const Vec v = set(to_float(*p));
    return [v](std::int64_t, std::int64_t) { return v; };
  };
  if (a_scalar && b_scalar) return run(same(a), same(b));
  if (a_scalar) return run(same(a), from(b));
  if (b_scalar) return run(from(a), same(b));
  run(from(a), from(b));
}

template <class T, class F>
THIMBLE_INLINE void map2(const T* a, bool a_scalar, const T* b, bool b_scalar, void* target, std::int64_t n, F f) {
  T* y = static_cast<T*>(target);
  zip(a, a_scalar, b, b_scalar, n, [&](std::int64_t i, std::int64_t left, Vec u, Vec v) {
    if (left == kLanes) {
      store(f(u, v), y + i);
    } else {
      store_n(f(u, v), y + i, left);
    }
  });
}

// f gives a mask; y holds bytes.
template <class T, class F>
THIMBLE_INLINE void compare(const T* a, bool a_scalar, const T* b, bool b_scalar, void* target, std::int64_t n, F f) {
  constexpr hn::Rebind<std::uint8_t, FloatTag> kBytes{};
  std::uint8_t* y = static_cast<std::uint8_t*>(target);
  zip(a, a_scalar, b, b_scalar, n, [&](std::int64_t i, std::int64_t left, Vec u, Vec v) {
    const auto ones = hn::IfThenElseZero(hn::RebindMask(kI, f(u, v)), hn::Set(kI, 1));
    const auto bytes = hn::DemoteTo(kBytes, ones);
    if (left == kLanes) {
      hn::StoreU(bytes, kBytes, y + i);
    } else {
      std::uint8_t part[kLanes];
      hn::StoreU(bytes, kBytes, part);
      for (std::int64_t k = 0; k < left; ++k) y[i + k] = part[k];
    }
  });
}

THIMBLE_INLINE Vec power(Vec base, Vec exponent) {
  float u[kLanes], v[kLanes];
  store(base, u);
  store(exponent, v);
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < kLanes; ++i) u[i] = ::powf(u[i], v[i]);
  return load(u);
}

// A NaN on either side wins.
THIMBLE_INLINE Vec larger(Vec a, Vec b) { return hn::IfThenElse(hn::Gt(a, b), a, hn::IfThenElse(hn::IsNaN(a), a, b)); }
THIMBLE_INLINE Vec smaller(Vec a, Vec b) { return hn::IfThenElse(hn::Lt(a, b), a, hn::IfThenElse(hn::IsNaN(a), a, b)); }

template <class T>
void binary_loop(BinaryOp op, const void* left, bool as, const void* right, bool bs, void* y, std::int64_t n) {
  const T* a = static_cast<const T*>(left);
  const T* b = static_cast<const T*>(right);
  switch (op) {
    case BinaryOp::add: return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Add(u, v); });
    case BinaryOp::sub: return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Sub(u, v); });
    case BinaryOp::mul: return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Mul(u, v); });
    case BinaryOp::div: return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Div(u, v); });
    case BinaryOp::max: return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return larger(u, v); });
    case BinaryOp::min: return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return smaller(u, v); });
    case BinaryOp::pow:
      if (bs && n > 0 && to_float(*b) == 2.0f) {
        return map2(a, as, b, bs, y, n, [](Vec u, Vec) { return hn::Mul(u, u); });
      }
      return map2(a, as, b, bs, y, n, [](Vec u, Vec v) { return power(u, v); });
    case BinaryOp::eq: return compare(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Eq(u, v); });
    case BinaryOp::ne: return compare(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Ne(u, v); });
    case BinaryOp::lt: return compare(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Lt(u, v); });
    case BinaryOp::le: return compare(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Le(u, v); });
    case BinaryOp::gt: return compare(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Gt(u, v); });
    case BinaryOp::ge: return compare(a, as, b, bs, y, n, [](Vec u, Vec v) { return hn::Ge(u, v); });
  }
}

template <class T>
void glu_loop(UnaryOp activation, const void* value, const void* gate, void* y, std::int64_t n) {
  const T* a = static_cast<const T*>(value);
  const T* g = static_cast<const T*>(gate);
  switch (activation) {
    case UnaryOp::sigmoid: return map2(a, false, g, false, y, n, [](Vec u, Vec v) { return hn::Mul(u, sigmoid(v)); });
    case UnaryOp::relu:
      return map2(a, false, g, false, y, n,
                  [](Vec u, Vec v) { return hn::Mul(u, hn::IfThenElse(hn::Lt(v, set(0.0f)), set(0.0f), v)); });
    case UnaryOp::silu: return map2(a, false, g, false, y, n, [](Vec u, Vec v) { return hn::Mul(u, silu(v)); });
    case UnaryOp::gelu_tanh:
      return map2(a, false, g, false, y, n, [](Vec u, Vec v) { return hn::Mul(u, gelu_tanh(v)); });
    case UnaryOp::tanh: return map2(a, false, g, false, y, n, [](Vec u, Vec v) { return hn::Mul(u, tanh(v)); });
    default: return map2(a, false, g, false, y, n, [](Vec u, Vec v) { return hn::Mul(u, gelu(v)); });
  }
}

template <class T>
void scale_add_loop(const void* x, const void* residual, const void* gate, float factor, void* y, std::int64_t n) {
  const T* a = static_cast<const T*>(x);
  const T* r = static_cast<const T*>(residual);
  const T* g = static_cast<const T*>(gate);
  T* out = static_cast<T*>(y);
  const Vec f = set(factor);
  const auto step = [&](std::int64_t i, auto read, auto write) __attribute__((always_inline)) {
    Vec v = hn::Mul(read(a + i), f);
    if (g != nullptr) v = hn::Mul(v, read(g + i));
    if (r != nullptr) v = hn::Add(v, read(r + i));
    write(v, out + i);
  };
  for_vectors(
      n,
      [&](std::int64_t i) {
        step(
            i, [](const T* p) { return load(p); }, [](Vec v, T* p) { store(v, p); });
      },
      [&](std::int64_t i, std::int64_t left) {
        step(
            i, [left](const T* p) { return load_n(p, left); }, [left](Vec v, T* p) { store_n(v, p, left); });
      });
}

// ---- casts: everything but i32 to i32 goes through f32 lanes ----

#if HWY_TARGET == HWY_SCALAR
THIMBLE_INLINE Vec load(const f16* p) { return set(to_f32(*p)); }
THIMBLE_INLINE void store(Vec v, f16* p) { *p = to_f16(hn::GetLane(v)); }
#else
using HalfFloatTag = hn::Rebind<hwy::float16_t, FloatTag>;
THIMBLE_INLINE Vec load(const f16* p) {
  return hn::PromoteTo(kF, hn::LoadU(HalfFloatTag{}, reinterpret_cast<const hwy::float16_t*>(p)));
}
THIMBLE_INLINE void store(Vec v, f16* p) {
  hn::StoreU(hn::DemoteTo(HalfFloatTag{}, v), HalfFloatTag{}, reinterpret_cast<hwy::float16_t*>(p));
}
#endif

THIMBLE_INLINE Vec load(const std::int32_t* p) { return hn::ConvertTo(kF, hn::LoadU(kI, p)); }

// Truncates; ends of the range and NaN are set by hand, since instruction sets differ there.
THIMBLE_INLINE void store(Vec v, std::int32_t* p) {
  const auto high = hn::Ge(v, set(2147483648.0f)), low = hn::Lt(v, set(-2147483648.0f)), nan = hn::IsNaN(v);
  const Vec inside = hn::IfThenZeroElse(hn::Or(hn::Or(high, low), nan), v);
  auto i = hn::ConvertTo(kI, inside);
  i = hn::IfThenElse(hn::RebindMask(kI, high), hn::Set(kI, 0x7fffffff), i);
  i = hn::IfThenElse(hn::RebindMask(kI, low), hn::Set(kI, -0x7fffffff - 1), i);
  hn::StoreU(i, kI, p);
}

THIMBLE_INLINE Vec load(const std::uint8_t* p) {
  const hn::Rebind<std::uint8_t, FloatTag> bytes{};
  return hn::ConvertTo(kF, hn::PromoteTo(kI, hn::LoadU(bytes, p)));
}

struct Truth {  // a boolean as target
  std::uint8_t value;
};
THIMBLE_INLINE void store(Vec v, Truth* p) {
  float lane[kLanes];
  store(v, lane);
  for (std::int64_t i = 0; i < kLanes; ++i) p[i].value = lane[i] != 0.0f;
}

template <class From, class To>
void cast_run(const void* src, void* dst, std::int64_t n) {
  const From* x = static_cast<const From*>(src);
  To* y = static_cast<To*>(dst);
  for_vectors(
      n, [&](std::int64_t i) { store(load(x + i), y + i); },
      [&](std::int64_t i, std::int64_t left) {
        From in[kLanes] = {};
        To out[kLanes];
        for (std::int64_t k = 0; k < left; ++k) in[k] = x[i + k];
        store(load(in), out);
        for (std::int64_t k = 0; k < left; ++k) y[i + k] = out[k];
      });
}

template <class From>
void cast_from(const void* src, DType to, void* dst, std::int64_t n) {
  switch (to) {
    case DType::f32: return cast_run<From, float>(src, dst, n);
    case DType::bf16: return cast_run<From, bf16>(src, dst, n);
    case DType::f16: return cast_run<From, f16>(src, dst, n);
    case DType::i32: return cast_run<From, std::int32_t>(src, dst, n);
    default: return cast_run<From, Truth>(src, dst, n);
  }
}

void cast_loop(DType from, const void* src, DType to, void* dst, std::int64_t n) {
  switch (from) {
    case DType::f32: return cast_from<float>(src, to, dst, n);
    case DType::bf16: return cast_from<bf16>(src, to, dst, n);
    case DType::f16: return cast_from<f16>(src, to, dst, n);
    case DType::i32: return cast_from<std::int32_t>(src, to, dst, n);
    default: return cast_from<std::uint8_t>(src, to, dst, n);
  }
}

template <class T>
constexpr ElementwiseKernels elementwise_row(Isa isa, DType type, std::string_view name) {
  return {isa, type, name, unary_loop<T>, binary_loop<T>, glu_loop<T>, scale_add_loop<T>, cast_loop};
}

}  // namespace
}  // namespace thimble::kernels
