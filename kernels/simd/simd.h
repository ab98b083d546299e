// What the generic.h files of the families are written in: one Highway vector of f32, and loads and stores that widen
// bf16 and respect tails. Included by per-ISA source files only, never by other headers: everything here is in an
// unnamed namespace and compiled for the including file's instruction set (static dispatch). scalar.cpp files define
// HWY_COMPILE_ONLY_SCALAR first. Nothing here may instantiate templates of the standard library.
#pragma once

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"

#if HWY_TARGET == HWY_NEON
#pragma GCC target("+crypto")  // Highway's functions carry this target, and inline only into functions that do too
#endif

namespace thimble::kernels {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
using UintTag = hn::RebindToUnsigned<FloatTag>;
using HalfTag = hn::Rebind<std::uint16_t, FloatTag>;  // as many 16-bit lanes
using Vec = hn::Vec<FloatTag>;
using IntVec = hn::Vec<IntTag>;
constexpr FloatTag kF{};
constexpr IntTag kI{};
constexpr UintTag kU{};
constexpr HalfTag kH{};
constexpr std::int64_t kLanes = hn::MaxLanes(kF);

#define THIMBLE_INLINE inline __attribute__((always_inline))

THIMBLE_INLINE float to_float(float v) { return v; }
THIMBLE_INLINE float to_float(bf16 v) { return __builtin_bit_cast(float, static_cast<std::uint32_t>(v.bits) << 16); }

THIMBLE_INLINE Vec set(float v) { return hn::Set(kF, v); }

THIMBLE_INLINE Vec load(const float* p) { return hn::LoadU(kF, p); }

THIMBLE_INLINE Vec widen(hn::Vec<HalfTag> h) { return hn::BitCast(kF, hn::ShiftLeft<16>(hn::PromoteTo(kU, h))); }

THIMBLE_INLINE Vec load(const bf16* p) { return widen(hn::LoadU(kH, reinterpret_cast<const std::uint16_t*>(p))); }

THIMBLE_INLINE void store(Vec v, float* p) { hn::StoreU(v, kF, p); }

// Nearest, ties to even; NaN stays NaN. The same bits as base's to_bf16, but that the instruction flushes denormals.
#if HWY_TARGET == HWY_AVX3 && defined(__AVX512BF16__)
THIMBLE_INLINE hn::Vec<HalfTag> narrow(Vec v) { return hn::Vec<HalfTag>{(__m256i)_mm512_cvtneps_pbh(v.raw)}; }
#else
THIMBLE_INLINE hn::Vec<HalfTag> narrow(Vec v) {
  const auto u = hn::BitCast(kU, v);
  const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(kU, 1u));
  const auto rounded = hn::Add(u, hn::Add(odd, hn::Set(kU, 0x7fffu)));
  const auto quiet = hn::Or(u, hn::Set(kU, 0x400000u));
  const auto bits = hn::IfThenElse(hn::RebindMask(kU, hn::IsNaN(v)), quiet, rounded);
#if HWY_TARGET == HWY_AVX3
  return hn::Vec<HalfTag>{_mm512_maskz_cvtepi32_epi16(0xffff, hn::ShiftRight<16>(bits).raw)};
#else
  return hn::DemoteTo(kH, hn::BitCast(kI, hn::ShiftRight<16>(bits)));
#endif
}
#endif

THIMBLE_INLINE void store(Vec v, bf16* p) { hn::StoreU(narrow(v), kH, reinterpret_cast<std::uint16_t*>(p)); }

// The first n < kLanes elements; the other lanes are zero, and memory behind them is not touched.
#if HWY_TARGET == HWY_AVX3
THIMBLE_INLINE __mmask16 first(std::int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
THIMBLE_INLINE Vec load_n(const float* p, std::int64_t n) { return Vec{_mm512_maskz_loadu_ps(first(n), p)}; }
THIMBLE_INLINE void store_n(Vec v, float* p, std::int64_t n) { _mm512_mask_storeu_ps(p, first(n), v.raw); }
THIMBLE_INLINE Vec load_n(const bf16* p, std::int64_t n) {
  return widen(hn::Vec<HalfTag>{_mm256_maskz_loadu_epi16(first(n), p)});
}
THIMBLE_INLINE void store_n(Vec v, bf16* p, std::int64_t n) { _mm256_mask_storeu_epi16(p, first(n), narrow(v).raw); }
#else
template <class T>
THIMBLE_INLINE Vec load_n(const T* p, std::int64_t n) {
  T part[kLanes] = {};
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < n; ++i) part[i] = p[i];
  return load(part);
}
template <class T>
THIMBLE_INLINE void store_n(Vec v, T* p, std::int64_t n) {
  T part[kLanes];
  store(v, part);
#pragma GCC unroll 1
  for (std::int64_t i = 0; i < n; ++i) p[i] = part[i];
}
#endif

// Calls full(i) for whole vectors of [0, total), then tail(i, n) once if n > 0 elements are left.
template <class Full, class Tail>
THIMBLE_INLINE void for_vectors(std::int64_t total, Full full, Tail tail) {
  std::int64_t i = 0;
  for (; i + kLanes <= total; i += kLanes) full(i);
  if (i < total) tail(i, total - i);
}

THIMBLE_INLINE float sum_lanes(Vec v) { return hn::GetLane(hn::SumOfLanes(kF, v)); }
THIMBLE_INLINE float max_lanes(Vec v) { return hn::GetLane(hn::MaxOfLanes(kF, v)); }

}  // namespace
}  // namespace thimble::kernels
