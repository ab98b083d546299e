// Shared by the tests of the families: values, distances and rows that this machine can run. Not for libraries.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/rng.h"

namespace thimble::kernels::testing {

// Distance in units in the last place of the f32 number next to `expected`; equal infinities and NaNs are 0.
inline double ulps(float got, double expected) {
  const float near = static_cast<float>(expected);
  if (std::isnan(near)) return std::isnan(got) ? 0 : 1e30;
  if (std::isinf(near) || std::isinf(got)) return got == near ? 0 : 1e30;
  const float magnitude = std::max(std::abs(near), std::numeric_limits<float>::min());
  const double unit = static_cast<double>(std::nextafter(magnitude, HUGE_VALF)) - magnitude;
  return std::abs(static_cast<double>(got) - expected) / unit;
}

// n values of one type, starting `shift` elements into their buffer: loads and stores must not need alignment.
// Guards on both sides show writes outside.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t n, std::int64_t shift = 0) : n_(n), shift_(shift), data_(n + shift + kGuard, guard()) {}
  T* data() { return data_.data() + shift_; }
  const T* data() const { return data_.data() + shift_; }
  T& operator[](std::int64_t i) { return data_[shift_ + i]; }
  const T& operator[](std::int64_t i) const { return data_[shift_ + i]; }
  std::int64_t size() const { return n_; }
  bool guards_hold() const {
    for (std::int64_t i = 0; i < shift_; ++i) {
      if (std::memcmp(&data_[i], &kPattern, sizeof(T)) != 0) return false;
    }
    for (std::int64_t i = n_ + shift_; i < n_ + shift_ + kGuard; ++i) {
      if (std::memcmp(&data_[i], &kPattern, sizeof(T)) != 0) return false;
    }
    return true;
  }

 private:
  static constexpr std::uint64_t kPattern = 0x5a5a5a5a5a5a5a5aull;
  static constexpr std::int64_t kGuard = 64;
  static T guard() {
    T v;
    std::memcpy(static_cast<void*>(&v), &kPattern, sizeof(T));
    return v;
  }
  std::int64_t n_, shift_;
  std::vector<T> data_;
};

inline double value_of(float v) { return v; }
inline double value_of(bf16 v) { return to_f32(v); }
inline void assign(float& to, double v) { to = static_cast<float>(v); }
inline void assign(bf16& to, double v) { to = to_bf16(static_cast<float>(v)); }

// Normal values times `size` plus `offset`, the same for every seed.
template <class T>
void fill_random(Buffer<T>& b, std::uint64_t seed, double size = 1, double offset = 0) {
  std::vector<float> v(static_cast<std::size_t>(b.size()));
  fill_normal(v, seed);
  for (std::int64_t i = 0; i < b.size(); ++i) assign(b[i], offset + size * static_cast<double>(v[i]));
}

// Relative step of a type: results are within `rounding<T>` of the unrounded value.
template <class T>
constexpr double rounding = 6e-8;
template <>
inline constexpr double rounding<bf16> = 1.0 / 256;

}  // namespace thimble::kernels::testing
