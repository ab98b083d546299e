// Activations to int8 while they are packed, over vectors, once, on kernels/simd: included by the ISA files only.
// Every operation rounds alike on every ISA, so all give the same bytes.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/qgemm/functions.h"
#include "kernels/simd/simd.h"

namespace thimble::kernels {
namespace {

constexpr float kSmallestRow = 7.88860905e-31f;  // 2^-100: 255 / range stays finite

struct RowRange {
  float low, high;  // with zero inside
  float poison;     // 0, or NaN where x has a NaN or an infinity
};

template <class T>
RowRange row_range(const T* x, std::int64_t n) {
  const Vec nothing = set(0.0f);
  Vec low[2] = {nothing, nothing}, high[2] = {nothing, nothing}, poison[2] = {nothing, nothing};
  const auto take = [&](Vec v, int i) {
    low[i] = hn::Min(low[i], v);
    high[i] = hn::Max(high[i], v);
    poison[i] = hn::MulAdd(v, nothing, poison[i]);
  };
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    take(load(x + i), 0);
    take(load(x + i + kLanes), 1);
  }
  for (; i + kLanes <= n; i += kLanes) take(load(x + i), 0);
  if (i < n) take(load_n(x + i, n - i), 0);
  return {-max_lanes(hn::Neg(hn::Min(low[0], low[1]))), max_lanes(hn::Max(high[0], high[1])),
          sum_lanes(hn::Add(poison[0], poison[1]))};
}

// The step 1 / s, and z and the limits of q - z as f32, which hold them exactly.
struct Scaling {
  float inverse, low, high;
  std::int32_t zero;
};

[[maybe_unused]] Scaling scaling(float scale, std::int32_t zero) {
  return {1.0f / scale, static_cast<float>(-128 - zero), static_cast<float>(127 - zero), zero};
}

THIMBLE_INLINE IntVec quantize(Vec x, const Scaling& s) {
  const Vec v = hn::Min(hn::Max(hn::Mul(x, set(s.inverse)), set(s.low)), set(s.high));
  return hn::Add(hn::NearestInt(v), hn::Set(kI, s.zero));
}

constexpr hn::Rebind<std::int8_t, FloatTag> kI8{};
constexpr hn::Rebind<std::uint8_t, FloatTag> kU8{};
constexpr hn::Rebind<std::int16_t, FloatTag> kI16{};

THIMBLE_INLINE void put(IntVec q, std::int8_t* p) { hn::StoreU(hn::DemoteTo(kI8, q), kI8, p); }
THIMBLE_INLINE void put(IntVec q, std::uint8_t* p) {
  hn::StoreU(hn::DemoteTo(kU8, hn::Add(q, hn::Set(kI, 128))), kU8, p);
}
THIMBLE_INLINE void put(IntVec q, std::int16_t* p) { hn::StoreU(hn::DemoteTo(kI16, q), kI16, p); }

// Behind the last element lies whatever the last vector held: the weights there are zero.
template <class T, class Out>
void quantize_row(const T* x, const QuantizeRows& job, const Scaling& s, std::byte* out) {
  for (std::int64_t k0 = 0; k0 < job.K; k0 += job.kc, out += job.block_stride) {
    const std::int64_t n = job.K - k0 < job.kc ? job.K - k0 : job.kc;
    auto* to = reinterpret_cast<Out*>(out);
    for_vectors(
        n, [&](std::int64_t i) { put(quantize(load(x + k0 + i), s), to + i); },
        [&](std::int64_t i, std::int64_t rest) { put(quantize(load_n(x + k0 + i, rest), s), to + i); });
  }
}

// Quantised already: only the form of the panel changes.
template <class Out>
void copy_row(const std::int8_t* x, const QuantizeRows& job, std::byte* out) {
  constexpr int offset = Out(-1) > Out(0) ? 128 : 0;  // u8
  for (std::int64_t k0 = 0; k0 < job.K; k0 += job.kc, out += job.block_stride) {
    const std::int64_t n = job.K - k0 < job.kc ? job.K - k0 : job.kc;
    auto* to = reinterpret_cast<Out*>(out);
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<Out>(x[k0 + i] + offset);
  }
}

template <class T, class Out>
void quantize_typed(const QuantizeRows& job) {
  const QActivations& a = job.source;
  for (std::int64_t r = 0; r < job.rows; ++r) {
    const T* x = static_cast<const T*>(a.x) + r * a.ld;
    const RowRange range = row_range(x, job.K);
    float scale = a.scale;
    std::int32_t zero = a.zero;
    if (a.how != Quantize::fixed) {
      const float most = range.high > -range.low ? range.high : -range.low;
      zero = 0;
      if (range.poison != 0 || most < kSmallestRow) {
        scale = 0;
      } else if (a.how == Quantize::symmetric) {
        scale = most / 127.0f;
      } else {
        scale = (range.high * 0.5f - range.low * 0.5f) / 127.5f;  // halves: the range of finite values can be infinite
        zero = static_cast<std::int32_t>(__builtin_rintf(-128.0f - range.low / scale));
      }
    }
    const Scaling s = scale > 0 ? scaling(scale, zero) : Scaling{0, 0, 0, 0};
    scale += range.poison;
    job.scale[r] = scale;
    job.zero[r] = zero;
    quantize_row<T, Out>(x, job, s, job.out + r * job.row_stride);
  }
}

template <class Out>
void quantize_panel(const QuantizeRows& job) {
  const QActivations& a = job.source;
  if (a.type == DType::f32) return quantize_typed<float, Out>(job);
  if (a.type == DType::bf16) return quantize_typed<bf16, Out>(job);
  for (std::int64_t r = 0; r < job.rows; ++r) {
    job.scale[r] = a.scale;
    job.zero[r] = a.zero;
    copy_row<Out>(static_cast<const std::int8_t*>(a.x) + r * a.ld, job, job.out + r * job.row_stride);
  }
}

// QgemmOps::quantize.
[[maybe_unused]] void quantize_rows(const QuantizeRows& job) {
  switch (job.panel) {
    case QPanel::s8: return quantize_panel<std::int8_t>(job);
    case QPanel::u8: return quantize_panel<std::uint8_t>(job);
    case QPanel::s16: return quantize_panel<std::int16_t>(job);
  }
}

}  // namespace
}  // namespace thimble::kernels
