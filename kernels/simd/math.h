// exp, log, sin, cos, tanh, erf and kin for one vector of f32. Per-ISA code like simd.h. Polynomials are minimax fits
// (relative error of the function) made for these ranges; errors against double are measured by elementwise_test.
#pragma once

#include <cmath>

#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

constexpr float kInfinity = __builtin_inff();
constexpr float kLog2e = 1.44269502f;

// c0 + x (c1 + x (c2 + ...))
THIMBLE_INLINE Vec poly(Vec, float c) { return set(c); }
template <class... C>
THIMBLE_INLINE Vec poly(Vec x, float c0, C... rest) {
  return hn::MulAdd(x, poly(x, rest...), set(c0));
}

// Adding 1.5 * 2^23 rounds to an integer, which then sits in the low bits.
THIMBLE_INLINE Vec shifted_round(Vec x) { return hn::Add(x, set(12582912.0f)); }
THIMBLE_INLINE Vec unshift(Vec t) { return hn::Sub(t, set(12582912.0f)); }
THIMBLE_INLINE Vec scale_by_power(Vec v, Vec shifted) {  // v * 2^n by adding n to the exponent
  return hn::BitCast(kF, hn::Add(hn::BitCast(kI, v), hn::ShiftLeft<23>(hn::BitCast(kI, shifted))));
}

// 2^x for x <= 1 or so, 0 under -126; 3e-9 plus rounding. The body of a softmax.
THIMBLE_INLINE Vec exp2_negative(Vec x) {
  const Vec t = shifted_round(x), f = hn::Sub(x, unshift(t));
  const Vec p =
      poly(f, 1.0f, 0.693147242f, 0.240226522f, 0.0555031039f, 0.00961769279f, 0.00134066446f, 0.000155947171f);
  return hn::IfThenZeroElse(hn::Lt(x, set(-126.0f)), scale_by_power(p, t));
}

// The same within 2^-18, for results that are rounded to bf16.
THIMBLE_INLINE Vec exp2_negative_coarse(Vec x) {
  const Vec t = shifted_round(x), f = hn::Sub(x, unshift(t));
  const Vec p = poly(f, 0.999999285f, 0.693121791f, 0.240247443f, 0.0559178703f, 0.00957010034f);
  return hn::IfThenZeroElse(hn::Lt(x, set(-126.0f)), scale_by_power(p, t));
}

// exp(r) - 1 for |r| <= ln2 / 2, without cancellation.
THIMBLE_INLINE Vec expm1_reduced(Vec r) {
  const Vec q = poly(r, 0.49999994f, 0.166665196f, 0.0416684002f, 0.00836885069f, 0.00138143287f);
  return hn::MulAdd(hn::Mul(r, r), q, r);
}

// x - n ln 2 in two steps; the first product is exact.
THIMBLE_INLINE Vec reduce_ln2(Vec x, Vec n) {
  return hn::NegMulAdd(n, set(3.19461833e-05f), hn::NegMulAdd(n, set(0.693115234f), x));
}

// 0 under the smallest normal number.
THIMBLE_INLINE Vec exp(Vec x) {
  const Vec t = shifted_round(hn::Mul(x, set(kLog2e)));
  const Vec p = hn::Add(set(1.0f), expm1_reduced(reduce_ln2(x, unshift(t))));
  Vec y = scale_by_power(p, t);
  y = hn::IfThenZeroElse(hn::Lt(x, set(-87.3365402f)), y);
  y = hn::IfThenElse(hn::Gt(x, set(88.7228394f)), set(kInfinity), y);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// For x <= 0 (elu).
THIMBLE_INLINE Vec expm1_negative(Vec x) {
  x = hn::IfThenElse(hn::Lt(x, set(-30.0f)), set(-30.0f), x);
  const Vec t = shifted_round(hn::Mul(x, set(kLog2e)));
  const Vec m = expm1_reduced(reduce_ln2(x, unshift(t)));
  const Vec s = scale_by_power(set(1.0f), t);
  const Vec y = hn::MulAdd(s, m, hn::Sub(s, set(1.0f)));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

THIMBLE_INLINE Vec log(Vec x) {
  const auto tiny = hn::Lt(x, set(1.17549435e-38f));
  const Vec scaled = hn::IfThenElse(tiny, hn::Mul(x, set(8388608.0f)), x);
  // m in [sqrt(1/2), sqrt(2)): the exponent field is counted from the bits of sqrt(1/2).
  const auto bits = hn::BitCast(kI, scaled), base = hn::Set(kI, 0x3f3504f3);
  const auto e = hn::ShiftRight<23>(hn::Sub(bits, base));
  const Vec m = hn::BitCast(kF, hn::Sub(bits, hn::ShiftLeft<23>(e)));
  const Vec n = hn::Sub(hn::ConvertTo(kF, e), hn::IfThenElseZero(tiny, set(23.0f)));
  const Vec f = hn::Sub(m, set(1.0f)), ff = hn::Mul(f, f);
  const Vec p = poly(f, 0.333333135f, -0.250000089f, 0.200021178f, -0.166679949f, 0.142195538f, -0.124056093f,
                     0.118881688f, -0.116755471f, 0.067465052f);
  const Vec low = hn::MulAdd(hn::Mul(ff, f), p, hn::NegMulAdd(ff, set(0.5f), hn::Mul(n, set(3.19461833e-05f))));
  Vec y = hn::MulAdd(n, set(0.693115234f), hn::Add(f, low));
  y = hn::IfThenElse(hn::Eq(x, set(kInfinity)), x, y);
  y = hn::IfThenElse(hn::Eq(x, set(0.0f)), set(-kInfinity), y);
  y = hn::IfThenElse(hn::Lt(x, set(0.0f)), set(__builtin_nanf("")), y);
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// For 0 <= u <= 1: the rounding error of 1 + u is put back.
THIMBLE_INLINE Vec log1p_unit(Vec u) {
  const Vec w = hn::Add(set(1.0f), u);
  const Vec lost = hn::Sub(u, hn::Sub(w, set(1.0f)));
  return hn::Add(log(w), hn::Div(lost, w));
}

THIMBLE_INLINE Vec sigmoid(Vec x) { return hn::Div(set(1.0f), hn::Add(set(1.0f), exp(hn::Neg(x)))); }

THIMBLE_INLINE Vec tanh(Vec x) {
  const Vec a = hn::Abs(x), s = hn::Mul(x, x);
  const Vec small =
      hn::MulAdd(hn::Mul(x, s), poly(s, -0.333333164f, 0.13332586f, -0.0538523123f, 0.0210716836f, -0.00627424661f), x);
  const Vec e = exp(hn::Add(a, a));
  const Vec large = hn::Sub(set(1.0f), hn::Div(set(2.0f), hn::Add(e, set(1.0f))));
  return hn::IfThenElse(hn::Lt(a, set(0.55f)), small, hn::CopySign(large, x));
}

// x P(x^2) / Q(x^2) up to where the result rounds to one; all coefficients are positive, so nothing cancels.
THIMBLE_INLINE Vec erf(Vec x) {
  const auto far = hn::Gt(hn::Abs(x), set(3.92f));
  const Vec t = hn::IfThenZeroElse(far, x), s = hn::Mul(t, t);
  const Vec p = poly(s, 1.12837911f, 0.191547096f, 0.0528750159f, 0.00380802038f, 0.000284683978f, 2.02592651e-06f);
  const Vec q = poly(s, 1.0f, 0.503086865f, 0.114558287f, 0.0150548099f, 0.00117069029f, 3.78317927e-05f);
  return hn::IfThenElse(far, hn::CopySign(set(1.0f), x), hn::Div(hn::Mul(t, p), q));
}

THIMBLE_INLINE Vec gelu(Vec x) {
  const Vec half = hn::Mul(set(0.5f), x);
  return hn::MulAdd(half, erf(hn::Mul(x, set(0.707106769f))), half);
}

// 0.5 x (1 + tanh(u)) = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
THIMBLE_INLINE Vec gelu_tanh(Vec x) {
  const Vec u = hn::Mul(x, hn::MulAdd(hn::Mul(x, x), set(2 * 0.797884583f * 0.044715f), set(2 * 0.797884583f)));
  const Vec y = hn::Mul(x, sigmoid(u));
  return hn::IfThenElse(hn::Eq(x, set(-kInfinity)), set(0.0f), y);  // not -inf * 0
}

// x sigmoid(ln 2 * u), for results that are rounded to bf16: within 2^-13, so that only ties move.
THIMBLE_INLINE Vec times_sigmoid_coarse(Vec x, Vec u) {
  const Vec e = exp2_negative_coarse(hn::Neg(hn::Abs(u)));
  const Vec near = hn::IfThenElse(hn::Lt(u, set(0.0f)), hn::Mul(x, e), x);
  const Vec sum = hn::Add(set(1.0f), e);
#if HWY_TARGET == HWY_AVX3
  const Vec y = hn::Mul(near, hn::ApproximateReciprocal(sum));  // 2^-14; other sets are too coarse
#else
  const Vec y = hn::Div(near, sum);
#endif
  return hn::IfThenElse(hn::Eq(x, set(-kInfinity)), set(0.0f), y);  // not -inf * 0
}
THIMBLE_INLINE Vec gelu_tanh_coarse(Vec x) {
  constexpr float kOne = 2 * 0.797884583f * kLog2e;
  return times_sigmoid_coarse(x, hn::Mul(x, hn::MulAdd(hn::Mul(x, x), set(0.044715f * kOne), set(kOne))));
}
THIMBLE_INLINE Vec silu_coarse(Vec x) { return times_sigmoid_coarse(x, hn::Mul(x, set(kLog2e))); }

THIMBLE_INLINE Vec silu(Vec x) { return hn::IfThenElse(hn::Eq(x, set(-kInfinity)), set(0.0f), hn::Mul(x, sigmoid(x))); }

THIMBLE_INLINE Vec softplus(Vec x) {
  const Vec y = hn::Add(hn::Max(x, set(0.0f)), log1p_unit(exp(hn::Neg(hn::Abs(x)))));
  return hn::IfThenElse(hn::IsNaN(x), x, y);
}

// sin(x + quarter * pi / 2). Four constants of few bits: the products with n < 2^13 are exact even without FMA.
THIMBLE_INLINE Vec sin_quarter(Vec x, int quarter) {
  const Vec t = shifted_round(hn::Mul(x, set(0.636619747f))), n = unshift(t);
  Vec r = hn::NegMulAdd(n, set(1.5703125f), x);
  r = hn::NegMulAdd(n, set(0.000483751297f), r);
  r = hn::NegMulAdd(n, set(7.54953362e-08f), r);
  r = hn::NegMulAdd(n, set(2.56334407e-12f), r);
  const Vec s = hn::Mul(r, r);
  const Vec sine =
      hn::MulAdd(hn::Mul(r, s), poly(s, -0.166666672f, 0.00833332911f, -0.000198393042f, 2.71804652e-06f), r);
  const Vec cosine =
      hn::MulAdd(hn::Mul(s, s), poly(s, 0.0416666679f, -0.00138888834f, 2.47994521e-05f, -2.72050471e-07f),
                 hn::NegMulAdd(s, set(0.5f), set(1.0f)));
  const auto k = hn::Add(hn::BitCast(kI, t), hn::Set(kI, quarter));
  const auto odd = hn::Eq(hn::And(k, hn::Set(kI, 1)), hn::Set(kI, 1));
  const Vec y = hn::IfThenElse(hn::RebindMask(kF, odd), cosine, sine);
  const auto sign = hn::ShiftLeft<30>(hn::And(k, hn::Set(kI, 2)));
  return hn::BitCast(kF, hn::Xor(hn::BitCast(kI, y), sign));
}

// Beyond 8192 the reduction above loses bits: the few vectors that go there take libm's way.
template <float (*kLibm)(float)>
THIMBLE_INLINE Vec sin_or_libm(Vec x, int quarter) {
  if (hn::AllTrue(kF, hn::Le(hn::Abs(x), set(8192.0f)))) return sin_quarter(x, quarter);
  float lane[kLanes];
  store(x, lane);
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < kLanes; ++i) lane[i] = kLibm(lane[i]);
  return load(lane);
}

THIMBLE_INLINE Vec sin(Vec x) { return sin_or_libm<::sinf>(x, 0); }
THIMBLE_INLINE Vec cos(Vec x) { return sin_or_libm<::cosf>(x, 1); }

}  // namespace
}  // namespace thimble::kernels
