// Geometry, dispatch and threading of resize and pooling.
#include "kernels/resample/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/simd/pick.h"

namespace thimble::kernels {

#define THIMBLE_RESAMPLE(isa, type, name) extern const ResampleKernels name;
#include "kernels/resample/kernels.inc"
#undef THIMBLE_RESAMPLE

namespace {

constexpr const ResampleKernels* kRows[] = {
#define THIMBLE_RESAMPLE(isa, type, name) &name,
#include "kernels/resample/kernels.inc"
#undef THIMBLE_RESAMPLE
};

constexpr std::int64_t kTask = 16384;  // elements of one task

std::int64_t nearest_source(ResizeGrid grid, std::int64_t o, std::int64_t in, std::int64_t out) {
  std::int64_t i = 0;
  switch (grid) {
    case ResizeGrid::half_pixel: i = (2 * o + 1) * in / (2 * out); break;
    case ResizeGrid::asymmetric: i = o * in / out; break;
    case ResizeGrid::align_corners: i = out == 1 ? 0 : (2 * o * (in - 1) + out - 1) / (2 * (out - 1)); break;
  }
  return std::min(i, in - 1);
}

struct Tap {
  std::int64_t low, high;
  double part;  // of `high`
};

Tap linear_source(ResizeGrid grid, std::int64_t o, std::int64_t in, std::int64_t out) {
  const auto n = static_cast<double>(in), m = static_cast<double>(out), p = static_cast<double>(o);
  double x = 0;
  switch (grid) {
    case ResizeGrid::half_pixel: x = (p + 0.5) * n / m - 0.5; break;
    case ResizeGrid::asymmetric: x = p * n / m; break;
    case ResizeGrid::align_corners: x = out == 1 ? 0 : p * (n - 1) / (m - 1); break;
  }
  x = std::clamp(x, 0.0, n - 1);
  const auto low = static_cast<std::int64_t>(x);
  return {low, std::min(low + 1, in - 1), x - static_cast<double>(low)};
}

void nearest_row(const ResizeArgs& a, std::size_t pixel, const std::byte* x, std::byte* y) {
  for (std::int64_t o = 0; o < a.out_w; ++o) {
    const auto i = static_cast<std::size_t>(nearest_source(a.grid, o, a.in_w, a.out_w));
    std::memcpy(y + static_cast<std::size_t>(o) * pixel, x + i * pixel, pixel);
  }
}

void bilinear_row(const ResampleKernels& kernels, const ResizeArgs& a, std::size_t pixel, const Tap& v,
                  const std::byte* top, const std::byte* bottom, std::byte* y) {
  for (std::int64_t o = 0; o < a.out_w; ++o) {
    const Tap h = linear_source(a.grid, o, a.in_w, a.out_w);
    const std::size_t low = static_cast<std::size_t>(h.low) * pixel, high = static_cast<std::size_t>(h.high) * pixel;
    const void* taps[4] = {top + low, top + high, bottom + low, bottom + high};
    const float weights[4] = {static_cast<float>((1 - v.part) * (1 - h.part)),
                              static_cast<float>((1 - v.part) * h.part), static_cast<float>(v.part * (1 - h.part)),
                              static_cast<float>(v.part * h.part)};
    kernels.blend(taps, weights, 4, y + static_cast<std::size_t>(o) * pixel, a.channels);
  }
}

// The part of a window that lies inside: first position, count; and how many taps lie inside the padded picture.
struct Window {
  std::int64_t first, count, padded;
};

Window window(std::int64_t o, std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
              std::int64_t before, std::int64_t after) {
  const std::int64_t start = o * stride - before;
  const std::int64_t skip = start < 0 ? (-start + dilation - 1) / dilation : 0;
  const auto taps_before = [&](std::int64_t end) {
    return std::clamp<std::int64_t>((end - start + dilation - 1) / dilation, 0, kernel);
  };
  return {start + skip * dilation, std::max<std::int64_t>(0, taps_before(in) - skip), taps_before(in + after)};
}

}  // namespace

std::span<const ResampleKernels* const> resample_kernels() { return kRows; }

const ResampleKernels* pick_resample(DType type, Isa cap) { return pick_row(resample_kernels(), type, cap); }

void resize(const ResampleKernels& kernels, const ResizeArgs& a, ThreadPool& pool) noexcept {
  const std::size_t pixel = size_of(kernels.type) * static_cast<std::size_t>(a.channels);
  const std::size_t in_row = pixel * static_cast<std::size_t>(a.in_w),
                    out_row = pixel * static_cast<std::size_t>(a.out_w);
  const auto* x = static_cast<const std::byte*>(a.x);
  auto* y = static_cast<std::byte*>(a.y);
  const auto source = [&](std::int64_t b, std::int64_t i) {
    return x + static_cast<std::size_t>(b * a.in_h + i) * in_row;
  };
  const std::int64_t grain = std::max<std::int64_t>(1, kTask / std::max<std::int64_t>(1, a.out_w * a.channels));
  pool.parallel_for(a.batch * a.out_h, grain, [&](std::int64_t begin, std::int64_t end, int) {
    const std::byte* previous = nullptr;
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t b = row / a.out_h, o = row % a.out_h;
      std::byte* target = y + static_cast<std::size_t>(row) * out_row;
      if (a.mode == ResizeMode::bilinear) {
        const Tap v = linear_source(a.grid, o, a.in_h, a.out_h);
        bilinear_row(kernels, a, pixel, v, source(b, v.low), source(b, v.high), target);
        continue;
      }
      const std::byte* from = source(b, nearest_source(a.grid, o, a.in_h, a.out_h));
      if (from == previous) {
        std::memcpy(target, target - out_row, out_row);
      } else {
        nearest_row(a, pixel, from, target);
      }
      previous = from;
    }
  });
}

void pool2d(const ResampleKernels& kernels, const PoolArgs& a, ThreadPool& pool) noexcept {
  const std::size_t size = size_of(kernels.type);
  const auto* x = static_cast<const std::byte*>(a.x);
  auto* y = static_cast<std::byte*>(a.y);
  const std::int64_t work = a.out_w * a.channels * a.kernel_h * a.kernel_w;
  pool.parallel_for(
      a.batch * a.out_h, std::max<std::int64_t>(1, kTask / std::max<std::int64_t>(1, work)),
      [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t row = begin; row < end; ++row) {
          const Window v = window(row % a.out_h, a.in_h, a.kernel_h, a.stride_h, a.dilation_h, a.pad_top, a.pad_bottom);
          for (std::int64_t o = 0; o < a.out_w; ++o) {
            const Window h = window(o, a.in_w, a.kernel_w, a.stride_w, a.dilation_w, a.pad_left, a.pad_right);
            const std::int64_t first = ((row / a.out_h * a.in_h + v.first) * a.in_w + h.first) * a.channels;
            const void* from = x + static_cast<std::size_t>(first) * size;
            void* to = y + static_cast<std::size_t>((row * a.out_w + o) * a.channels) * size;
            const std::int64_t row_step = a.dilation_h * a.in_w * a.channels, column_step = a.dilation_w * a.channels;
            if (a.mode == PoolMode::max) {
              kernels.pool_max(from, v.count, row_step, h.count, column_step, to, a.channels);
            } else {
              const std::int64_t terms = a.count_pad ? v.padded * h.padded : v.count * h.count;
              kernels.pool_sum(from, v.count, row_step, h.count, column_step, 1.0f / static_cast<float>(terms), to,
                               a.channels);
            }
          }
        }
      });
}

}  // namespace thimble::kernels
