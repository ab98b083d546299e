// Work is cut into chunks of fixed size whatever the thread count, and partial sums are added in chunk order: results
// do not depend on the number of threads.
#include "train/norm_kernels.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "train/rows.h"

namespace thimble::train {
namespace {

constexpr std::int64_t kChunk = 512;  // positions or rows a chunk

// About `origin`, so that squares of a large mean do not drown a small variance.
THIMBLE_CLONES void add_moments(const float* x, const float* origin, float* sum, float* squares, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float d = x[i] - origin[i];
    sum[i] += d;
    squares[i] += d * d;
  }
}
THIMBLE_CLONES void add_products(const float* x, const float* dy, float* dy_sum, float* product, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    dy_sum[i] += dy[i];
    product[i] += dy[i] * x[i];
  }
}
THIMBLE_CLONES void affine(const float* x, const float* a, const float* b, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] * a[i] + b[i];
}
THIMBLE_CLONES void affine_pair(const float* dy, const float* a, const float* x, const float* b, const float* c,
                                float* dx, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * a[i] + x[i] * b[i] + c[i];
}
THIMBLE_CLONES float sum_of(const float* x, std::int64_t n) {
  float s = 0;
#pragma omp simd reduction(+ : s)
  for (std::int64_t i = 0; i < n; ++i) s += x[i];
  return s;
}
THIMBLE_CLONES float squares_of(const float* x, float mean, std::int64_t n) {
  float s = 0;
#pragma omp simd reduction(+ : s)
  for (std::int64_t i = 0; i < n; ++i) s += (x[i] - mean) * (x[i] - mean);
  return s;
}
THIMBLE_CLONES void standardise(const float* x, float mean, float rstd, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * rstd;
}
THIMBLE_CLONES void scale_by(float* y, const float* weight, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] *= weight[i];
}
THIMBLE_CLONES void add_to(float* y, const float* bias, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += bias[i];
}
THIMBLE_CLONES float dot(const float* a, const float* b, std::int64_t n) {
  float s = 0;
#pragma omp simd reduction(+ : s)
  for (std::int64_t i = 0; i < n; ++i) s += a[i] * b[i];
  return s;
}
// dx = rstd * (g - m1 - xhat * m2)
THIMBLE_CLONES void row_gradient(const float* g, const float* xhat, float rstd, float m1, float m2, float* dx,
                                 std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) dx[i] = rstd * (g[i] - m1 - xhat[i] * m2);
}
THIMBLE_CLONES void multiply_add(const float* a, const float* b, float* out, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] += a[i] * b[i];
}

std::int64_t chunks_of(std::int64_t n) { return (n + kChunk - 1) / kChunk; }

// Calls f(batch, chunk, first position, positions) for all chunks of all pictures, in parallel.
template <class F>
void for_chunks(const GroupNormShape& s, F&& f) {
  const std::int64_t chunks = chunks_of(s.positions);
  at::parallel_for(0, s.batch * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % chunks * kChunk;
      f(i / chunks, i % chunks, first, std::min(kChunk, s.positions - first));
    }
  });
}

// Per picture and channel two sums over positions: (B, 2, C), added up in double from the chunks' f32 sums.
template <class Add>
std::vector<double> channel_sums(const GroupNormShape& s, Add&& add) {
  const std::int64_t chunks = chunks_of(s.positions), c = s.channels;
  std::vector<float> partial(static_cast<std::size_t>(s.batch * chunks * 2 * c), 0.0f);
  for_chunks(s, [&](std::int64_t b, std::int64_t chunk, std::int64_t first, std::int64_t n) {
    float* sums = partial.data() + (b * chunks + chunk) * 2 * c;
    for (std::int64_t p = first; p < first + n; ++p) add((b * s.positions + p) * c, sums, sums + c);
  });
  std::vector<double> total(static_cast<std::size_t>(s.batch * 2 * c), 0.0);
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t k = 0; k < chunks; ++k) {
      for (std::int64_t i = 0; i < 2 * c; ++i) total[b * 2 * c + i] += partial[(b * chunks + k) * 2 * c + i];
    }
  }
  return total;
}

}  // namespace

template <class T>
void group_norm_forward(const GroupNormShape& s, const T* x, const float* weight, const float* bias, T* y, float* mean,
                        float* rstd) noexcept {
  const std::int64_t c = s.channels, width = c / s.groups;
  // Every picture's first position is the origin of its moments.
  std::vector<float> origins(static_cast<std::size_t>(s.batch * c));
  for (std::int64_t n = 0; n < s.batch; ++n) {
    const float* first = load(x + n * s.positions * c, origins.data() + n * c, c);
    if (first != origins.data() + n * c) std::copy_n(first, c, origins.data() + n * c);
  }
  const auto sums = channel_sums(s, [&](std::int64_t at, float* sum, float* squares) {
    thread_local std::vector<float> buffer;
    buffer.resize(static_cast<std::size_t>(c));
    add_moments(load(x + at, buffer.data(), c), origins.data() + at / (s.positions * c) * c, sum, squares, c);
  });
  std::vector<float> a(static_cast<std::size_t>(s.batch * c)), b(a.size());
  const double count = static_cast<double>(width * s.positions);
  for (std::int64_t i = 0; i < s.batch * s.groups; ++i) {
    const std::int64_t n = i / s.groups, first = i % s.groups * width;
    const auto channel_mean = [&](std::int64_t k) {
      return static_cast<double>(origins[n * c + k]) + sums[n * 2 * c + k] / static_cast<double>(s.positions);
    };
    double m = 0, squares = 0;
    for (std::int64_t k = first; k < first + width; ++k) m += channel_mean(k) / static_cast<double>(width);
    for (std::int64_t k = first; k < first + width; ++k) {
      const double sum = sums[n * 2 * c + k], apart = channel_mean(k) - m;
      squares += sums[n * 2 * c + c + k] - sum * sum / static_cast<double>(s.positions) +
                 static_cast<double>(s.positions) * apart * apart;
    }
    const double variance = std::max(0.0, squares / count);
    mean[i] = static_cast<float>(m);
    rstd[i] = static_cast<float>(1 / std::sqrt(variance + s.eps));
    for (std::int64_t k = first; k < first + width; ++k) {
      a[n * c + k] = rstd[i] * weight[k];
      b[n * c + k] = bias[k] - mean[i] * a[n * c + k];
    }
  }
  for_chunks(s, [&](std::int64_t n, std::int64_t, std::int64_t first, std::int64_t count_here) {
    std::vector<float> buffer(static_cast<std::size_t>(c));
    for (std::int64_t p = first; p < first + count_here; ++p) {
      const std::int64_t at = (n * s.positions + p) * c;
      float* out = target(y + at, buffer.data());
      affine(load(x + at, buffer.data(), c), a.data() + n * c, b.data() + n * c, out, c);
      store(y + at, out, c);
    }
  });
}

template <class T>
void group_norm_backward(const GroupNormShape& s, const T* x, const T* dy, const float* weight, const float* mean,
                         const float* rstd, T* dx, float* dweight, float* dbias) noexcept {
  const std::int64_t c = s.channels, width = c / s.groups;
  const auto sums = channel_sums(s, [&](std::int64_t at, float* dy_sum, float* product) {
    thread_local std::vector<float> buffer;
    buffer.resize(static_cast<std::size_t>(2 * c));
    add_products(load(x + at, buffer.data(), c), load(dy + at, buffer.data() + c, c), dy_sum, product, c);
  });
  // dx = rstd (g - m1 - xhat m2), g = dy weight, written as dy A + x B + D per channel.
  std::vector<float> a(static_cast<std::size_t>(s.batch * c)), b(a.size()), d(a.size());
  std::vector<double> weight_sum(static_cast<std::size_t>(c), 0.0), bias_sum(weight_sum);
  const double count = static_cast<double>(width * s.positions);
  for (std::int64_t i = 0; i < s.batch * s.groups; ++i) {
    const std::int64_t n = i / s.groups, first = i % s.groups * width;
    double m1 = 0, m2 = 0;
    for (std::int64_t k = first; k < first + width; ++k) {
      const double dy_sum = sums[n * 2 * c + k];
      const double dy_xhat = (sums[n * 2 * c + c + k] - mean[i] * dy_sum) * rstd[i];
      bias_sum[k] += dy_sum;
      weight_sum[k] += dy_xhat;
      m1 += weight[k] * dy_sum / count;
      m2 += weight[k] * dy_xhat / count;
    }
    const double r = rstd[i];
    for (std::int64_t k = first; k < first + width; ++k) {
      a[n * c + k] = static_cast<float>(r * weight[k]);
      b[n * c + k] = static_cast<float>(-r * r * m2);
      d[n * c + k] = static_cast<float>(-r * m1 + mean[i] * r * r * m2);
    }
  }
  for (std::int64_t k = 0; k < c; ++k) {
    dweight[k] = static_cast<float>(weight_sum[k]);
    dbias[k] = static_cast<float>(bias_sum[k]);
  }
  for_chunks(s, [&](std::int64_t n, std::int64_t, std::int64_t first, std::int64_t count_here) {
    std::vector<float> buffer(static_cast<std::size_t>(2 * c));
    for (std::int64_t p = first; p < first + count_here; ++p) {
      const std::int64_t at = (n * s.positions + p) * c;
      float* out = target(dx + at, buffer.data());
      affine_pair(load(dy + at, buffer.data(), c), a.data() + n * c, load(x + at, buffer.data() + c, c),
                  b.data() + n * c, d.data() + n * c, out, c);
      store(dx + at, out, c);
    }
  });
}

template <class T>
void row_norm_forward(const RowNormShape& s, const T* x, const float* weight, const float* bias, T* y, float* mean,
                      float* rstd) noexcept {
  const std::int64_t c = s.channels;
  at::parallel_for(0, s.rows, kChunk, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> in(static_cast<std::size_t>(c)), out(in);
    for (std::int64_t i = begin; i < end; ++i) {
      const float* row = load(x + i * c, in.data(), c);
      const float m = s.centre ? sum_of(row, c) / static_cast<float>(c) : 0.0f;
      const float r = 1 / std::sqrt(squares_of(row, m, c) / static_cast<float>(c) + static_cast<float>(s.eps));
      if (s.centre) mean[i] = m;
      rstd[i] = r;
      float* result = target(y + i * c, out.data());
      standardise(row, m, r, result, c);
      if (weight) scale_by(result, weight, c);
      if (bias) add_to(result, bias, c);
      store(y + i * c, result, c);
    }
  });
}

template <class T>
void row_norm_backward(const RowNormShape& s, const T* x, const T* dy, const float* weight, const float* mean,
                       const float* rstd, T* dx, float* dweight, float* dbias) noexcept {
  const std::int64_t c = s.channels, chunks = chunks_of(s.rows);
  std::vector<float> partial(static_cast<std::size_t>(chunks * 2 * c), 0.0f);
  at::parallel_for(0, chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> in(static_cast<std::size_t>(c)), gradient(in), xhat(in), g(in), out(in);
    for (std::int64_t chunk = begin; chunk < end; ++chunk) {
      float* weight_sum = partial.data() + chunk * 2 * c;
      for (std::int64_t i = chunk * kChunk; i < std::min(s.rows, (chunk + 1) * kChunk); ++i) {
        const float* row = load(x + i * c, in.data(), c);
        const float* d = load(dy + i * c, gradient.data(), c);
        standardise(row, s.centre ? mean[i] : 0.0f, rstd[i], xhat.data(), c);
        if (dweight) multiply_add(d, xhat.data(), weight_sum, c);
        if (dbias) add_to(weight_sum + c, d, c);
        std::copy_n(d, c, g.data());
        if (weight) scale_by(g.data(), weight, c);
        const float m1 = s.centre ? sum_of(g.data(), c) / static_cast<float>(c) : 0.0f;
        const float m2 = dot(g.data(), xhat.data(), c) / static_cast<float>(c);
        float* result = target(dx + i * c, out.data());
        row_gradient(g.data(), xhat.data(), rstd[i], m1, m2, result, c);
        store(dx + i * c, result, c);
      }
    }
  });
  for (std::int64_t k = 0; k < c; ++k) {
    double weight_sum = 0, bias_sum = 0;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      weight_sum += partial[chunk * 2 * c + k];
      bias_sum += partial[chunk * 2 * c + c + k];
    }
    if (dweight) dweight[k] = static_cast<float>(weight_sum);
    if (dbias) dbias[k] = static_cast<float>(bias_sum);
  }
}

#define THIMBLE_INSTANCES(T)                                                                                   \
  template void group_norm_forward<T>(const GroupNormShape&, const T*, const float*, const float*, T*, float*, \
                                      float*) noexcept;                                                        \
  template void group_norm_backward<T>(const GroupNormShape&, const T*, const T*, const float*, const float*,  \
                                       const float*, T*, float*, float*) noexcept;                             \
  template void row_norm_forward<T>(const RowNormShape&, const T*, const float*, const float*, T*, float*,     \
                                    float*) noexcept;                                                          \
  template void row_norm_backward<T>(const RowNormShape&, const T*, const T*, const float*, const float*,      \
                                     const float*, T*, float*, float*) noexcept;
THIMBLE_INSTANCES(float)
THIMBLE_INSTANCES(bf16)
#undef THIMBLE_INSTANCES

}  // namespace thimble::train
