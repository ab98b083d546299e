#include "train/elementwise_kernels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "train/rows.h"

namespace thimble::train {

THIMBLE_CLONES void widen(const bf16* x, float* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = std::bit_cast<float>(std::uint32_t{x[i].bits} << 16);
}
THIMBLE_CLONES void narrow(const float* x, bf16* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t u = std::bit_cast<std::uint32_t>(x[i]);
    out[i].bits = static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
  }
}

namespace {

constexpr std::int64_t kPiece = 2048;                                // elements that stay in the first cache
constexpr std::int64_t kGrain = 16 * kPiece;                         // of a thread
constexpr float kCubic = 0.044715f, kTwoRoot = 1.5957691216057308f;  // 2 sqrt(2 / pi)

// e^-v for v in about [-87, 87], 2e-7 relative: 2^n times a polynomial on [-ln2/2, ln2/2]. Adding 1.5 * 2^23 rounds.
inline float exp_minus(float v) {
  const float x = std::clamp(-v, -87.0f, 87.0f);
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float value = p * r * r + r + 1;
  return value * std::bit_cast<float>((std::bit_cast<std::int32_t>(shifted) - 0x4b400000 + 127) << 23);
}

THIMBLE_CLONES void gelu_values(const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] / (1 + exp_minus(kTwoRoot * (x[i] + kCubic * x[i] * x[i] * x[i])));
}
THIMBLE_CLONES void silu_values(const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] / (1 + exp_minus(x[i]));
}
THIMBLE_CLONES void gelu_slopes(const float* x, const float* dy, float* dx, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float s = 1 / (1 + exp_minus(kTwoRoot * (x[i] + kCubic * x[i] * x[i] * x[i])));
    dx[i] = dy[i] * (s + x[i] * s * (1 - s) * kTwoRoot * (1 + 3 * kCubic * x[i] * x[i]));
  }
}
THIMBLE_CLONES void silu_slopes(const float* x, const float* dy, float* dx, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float s = 1 / (1 + exp_minus(x[i]));
    dx[i] = dy[i] * (s + x[i] * s * (1 - s));
  }
}
THIMBLE_CLONES void modulated(const float* x, const float* shift, const float* scale, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] + x[i] * scale[i] + shift[i];
}
THIMBLE_CLONES void modulated_slopes(const float* x, const float* dy, const float* scale, float* dx, float* dshift,
                                     float* dscale, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    dshift[i] += dy[i];
    dscale[i] += dy[i] * x[i];
    dx[i] = dy[i] + dy[i] * scale[i];
  }
}

template <class F>
void in_pieces(std::int64_t n, F&& f) {
  at::parallel_for(0, n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += kPiece) f(at, std::min(kPiece, end - at));
  });
}

}  // namespace

template <class T>
void gate_forward(Gate gate, const T* x, T* y, std::int64_t n) noexcept {
  in_pieces(n, [&](std::int64_t at, std::int64_t count) {
    float a[kPiece], b[kPiece];
    const float* in = load(x + at, a, count);
    float* out = target(y + at, b);
    gate == Gate::silu ? silu_values(in, out, count) : gelu_values(in, out, count);
    store(y + at, out, count);
  });
}

template <class T>
void gate_backward(Gate gate, const T* x, const T* dy, T* dx, std::int64_t n) noexcept {
  in_pieces(n, [&](std::int64_t at, std::int64_t count) {
    float a[kPiece], b[kPiece], c[kPiece];
    const float *in = load(x + at, a, count), *gradient = load(dy + at, b, count);
    float* out = target(dx + at, c);
    gate == Gate::silu ? silu_slopes(in, gradient, out, count) : gelu_slopes(in, gradient, out, count);
    store(dx + at, out, count);
  });
}

template <class T>
void modulate_forward(const ModulateShape& s, const T* x, const float* shift, const float* scale, T* y) noexcept {
  const std::int64_t c = s.channels;
  at::parallel_for(0, s.batch, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> a(static_cast<std::size_t>(c)), b(a);
    for (std::int64_t i = begin * s.rows; i < end * s.rows; ++i) {
      const std::int64_t n = i / s.rows;
      float* out = target(y + i * c, b.data());
      modulated(load(x + i * c, a.data(), c), shift + n * c, scale + n * c, out, c);
      store(y + i * c, out, c);
    }
  });
}

template <class T>
void modulate_backward(const ModulateShape& s, const T* x, const T* dy, const float* scale, T* dx, float* dshift,
                       float* dscale) noexcept {
  const std::int64_t c = s.channels;
  at::parallel_for(0, s.batch, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> a(static_cast<std::size_t>(c)), b(a), d(a);
    std::fill(dshift + begin * c, dshift + end * c, 0.0f);
    std::fill(dscale + begin * c, dscale + end * c, 0.0f);
    for (std::int64_t i = begin * s.rows; i < end * s.rows; ++i) {
      const std::int64_t n = i / s.rows;
      float* out = target(dx + i * c, d.data());
      modulated_slopes(load(x + i * c, a.data(), c), load(dy + i * c, b.data(), c), scale + n * c, out, dshift + n * c,
                       dscale + n * c, c);
      store(dx + i * c, out, c);
    }
  });
}

#define THIMBLE_INSTANCES(T)                                                                                  \
  template void gate_forward<T>(Gate, const T*, T*, std::int64_t) noexcept;                                   \
  template void gate_backward<T>(Gate, const T*, const T*, T*, std::int64_t) noexcept;                        \
  template void modulate_forward<T>(const ModulateShape&, const T*, const float*, const float*, T*) noexcept; \
  template void modulate_backward<T>(const ModulateShape&, const T*, const T*, const float*, T*, float*,      \
                                     float*) noexcept;
THIMBLE_INSTANCES(float)
THIMBLE_INSTANCES(bf16)
#undef THIMBLE_INSTANCES

}  // namespace thimble::train
