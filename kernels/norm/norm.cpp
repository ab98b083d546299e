// Dispatch, row addressing and threading of the norms; joins the chunk statistics of group norm.
#include "kernels/norm/norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/simd/pick.h"

namespace thimble::kernels {

#define THIMBLE_NORM(isa, type, name) extern const NormKernels name;
#include "kernels/norm/kernels.inc"
#undef THIMBLE_NORM

namespace {

constexpr const NormKernels* kRows[] = {
#define THIMBLE_NORM(isa, type, name) &name,
#include "kernels/norm/kernels.inc"
#undef THIMBLE_NORM
};

constexpr std::int64_t kTask = 16384;  // elements of one task

std::int64_t rows_per_task(std::int64_t n) { return std::max<std::int64_t>(1, kTask / std::max<std::int64_t>(1, n)); }

// The start of row r, in bytes from p; null stays null.
struct Rows {
  RowLayout layout;
  std::int64_t size;

  Rows(const RowLayout& l, std::int64_t n, DType type) : layout(l), size(static_cast<std::int64_t>(size_of(type))) {
    if (layout.stride == 0) layout.stride = n;
  }
  std::int64_t offset(std::int64_t r) const {
    const std::int64_t elements = layout.group == 0
                                      ? r * layout.stride
                                      : r / layout.group * layout.group_stride + r % layout.group * layout.stride;
    return elements * size;
  }
  const void* operator()(const void* p, std::int64_t r) const {
    return p == nullptr ? nullptr : static_cast<const std::byte*>(p) + offset(r);
  }
  void* operator()(void* p, std::int64_t r) const {
    return p == nullptr ? nullptr : static_cast<std::byte*>(p) + offset(r);
  }
};

void row_norm(DType type, void (*kernel)(const NormRow&), const RowNormArgs& args, ThreadPool& pool) {
  const Rows x(args.x_rows, args.channels, type), y(args.y_rows, args.channels, type);
  const Rows residual(args.residual_rows, args.channels, type);
  const Rows modulation({.stride = args.modulation_stride}, 0, type);
  pool.parallel_for(args.rows, rows_per_task(args.channels), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t b = r / args.rows_per_batch;
      kernel({args.channels, x(args.x, r), y(args.y, r), args.eps, args.weight, args.bias, modulation(args.scale, b),
              modulation(args.shift, b), residual(args.residual, r), residual(args.residual_out, r)});
    }
  });
}

// Chunks depend on the shape alone, so that statistics do not depend on the number of threads.
std::int64_t rows_per_chunk(const GroupNormArgs& args) {
  return std::clamp<std::int64_t>(32768 / args.channels, 8, 512);
}
std::int64_t chunks_of(const GroupNormArgs& args) {
  const std::int64_t rows = rows_per_chunk(args);
  return (args.positions + rows - 1) / rows;
}
std::int64_t padded(std::int64_t n) { return (n + 15) & ~std::int64_t{15}; }

}  // namespace

std::span<const NormKernels* const> norm_kernels() { return kRows; }

const NormKernels* pick_norm(DType type, Isa cap) { return pick_row(norm_kernels(), type, cap); }

void layer_norm(const NormKernels& kernels, const RowNormArgs& args, ThreadPool& pool) noexcept {
  row_norm(kernels.type, kernels.layer_norm, args, pool);
}

void rms_norm(const NormKernels& kernels, const RowNormArgs& args, ThreadPool& pool) noexcept {
  row_norm(kernels.type, kernels.rms_norm, args, pool);
}

void softmax(const NormKernels& kernels, const SoftmaxArgs& args, ThreadPool& pool) noexcept {
  const Rows x(args.x_rows, args.n, kernels.type), y(args.y_rows, args.n, kernels.type);
  pool.parallel_for(args.rows, rows_per_task(args.n), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t r = begin; r < end; ++r) kernels.softmax(x(args.x, r), y(args.y, r), args.n, args.scale);
  });
}

// Scratch: means and squares (double) of all chunks, then mean, factor and bias per picture, then 3 C a thread.
std::size_t group_norm_scratch_bytes(const GroupNormArgs& args, int threads) {
  const std::int64_t stats = 2 * padded(args.batch * chunks_of(args) * args.groups);
  const std::int64_t channels = 3 * padded(args.channels) * (args.batch + threads);
  return static_cast<std::size_t>(stats) * sizeof(double) + static_cast<std::size_t>(channels) * sizeof(float);
}

void group_norm(const NormKernels& kernels, const GroupNormArgs& args, ThreadPool& pool, void* scratch) noexcept {
  const std::int64_t C = args.channels, G = args.groups, chunks = chunks_of(args), step = rows_per_chunk(args);
  const std::int64_t count = padded(args.batch * chunks * G), C_padded = padded(C);
  double* means = static_cast<double*>(scratch);
  double* squares = means + count;
  float* per_channel = reinterpret_cast<float*>(squares + count);
  float* thread_scratch = per_channel + 3 * args.batch * C_padded;
  const std::int64_t size = static_cast<std::int64_t>(size_of(kernels.type));
  const auto at = [&](auto* p, std::int64_t b, std::int64_t row) { return p + (b * args.positions + row) * C * size; };
  const auto rows_in = [&](std::int64_t chunk) { return std::min(step, args.positions - chunk * step); };

  pool.parallel_for(args.batch * chunks, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / chunks, chunk = i % chunks;
      kernels.group_stats(at(static_cast<const std::byte*>(args.x), b, chunk * step), rows_in(chunk), C, G,
                          means + i * G, squares + i * G, thread_scratch + thread * 3 * C_padded);
    }
  });

  // Chan's rule for joining (count, mean, squares) pairs, in chunk order.
  for (std::int64_t b = 0; b < args.batch; ++b) {
    float* mean = per_channel + 3 * b * C_padded;
    float* factor = mean + C_padded;
    float* bias = factor + C_padded;
    for (std::int64_t g = 0; g < G; ++g) {
      double n = 0, m = 0, s = 0;
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
        const std::int64_t i = (b * chunks + chunk) * G + g;
        const double k = static_cast<double>(rows_in(chunk) * (C / G)), d = means[i] - m;
        s += squares[i] + d * d * n * k / (n + k);
        m += d * k / (n + k);
        n += k;
      }
      const auto r = static_cast<float>(1 / std::sqrt(s / n + static_cast<double>(args.eps)));
      for (std::int64_t c = g * (C / G); c < (g + 1) * (C / G); ++c) {
        mean[c] = static_cast<float>(m);
        factor[c] = args.weight == nullptr ? r : r * args.weight[c];
        const float lost = static_cast<float>(m - static_cast<double>(mean[c])) * factor[c];  // of the rounded mean
        bias[c] = (args.bias == nullptr ? 0.0f : args.bias[c]) - lost;
      }
    }
  }

  pool.parallel_for(args.batch * chunks, 1, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t b = i / chunks, chunk = i % chunks;
      const float* mean = per_channel + 3 * b * C_padded;
      kernels.group_apply(at(static_cast<const std::byte*>(args.x), b, chunk * step),
                          at(static_cast<std::byte*>(args.y), b, chunk * step), rows_in(chunk), C, mean,
                          mean + C_padded, mean + 2 * C_padded, args.activation);
    }
  });
}

}  // namespace thimble::kernels
