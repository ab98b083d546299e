// Resize, pooling and pixel shuffles: against direct formulas, and a few grids known from PyTorch.
#include "kernels/resample/resample.h"

#include <gtest/gtest.h>

#include <numeric>

#include "kernels/simd/test_support.h"

namespace thimble::kernels {
namespace {

using testing::Buffer;
using testing::fill_random;
using testing::value_of;

template <class F>
void for_rows(F f) {
  for (const auto* row : resample_kernels()) {
    if (!supports(cpu(), row->isa)) continue;
    row->type == DType::f32 ? f(float{}, *row) : f(bf16{}, *row);
  }
}

double source_position(ResizeGrid grid, double o, double in, double out) {
  switch (grid) {
    case ResizeGrid::half_pixel: return (o + 0.5) * in / out - 0.5;
    case ResizeGrid::align_corners: return out == 1 ? 0 : o * (in - 1) / (out - 1);
    case ResizeGrid::asymmetric: return o * in / out;
  }
  return 0;
}

// A triangle of width one around every source pixel, borders repeated: a definition without cases.
double bilinear_at(const std::vector<double>& line, double x) {
  x = std::min(std::max(x, 0.0), static_cast<double>(line.size()) - 1);
  double sum = 0;
  for (std::size_t i = 0; i < line.size(); ++i)
    sum += line[i] * std::max(0.0, 1 - std::abs(x - static_cast<double>(i)));
  return sum;
}

template <class T>
void check_resize(const ResampleKernels& kernels, std::int64_t in_h, std::int64_t in_w, std::int64_t out_h,
                  std::int64_t out_w, std::int64_t C, ResizeGrid grid) {
  ThreadPool pool(2);
  Buffer<T> x(2 * in_h * in_w * C, 1), y(2 * out_h * out_w * C, 3);
  fill_random(x, 4);
  ResizeArgs args{.batch = 2,
                  .in_h = in_h,
                  .in_w = in_w,
                  .out_h = out_h,
                  .out_w = out_w,
                  .channels = C,
                  .x = x.data(),
                  .y = y.data(),
                  .mode = ResizeMode::bilinear,
                  .grid = grid};
  resize(kernels, args, pool);
  const auto pos = [&](std::int64_t o, std::int64_t in, std::int64_t out) {
    return source_position(grid, static_cast<double>(o), static_cast<double>(in), static_cast<double>(out));
  };
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t c = i % C, ox = i / C % out_w, oy = i / C / out_w % out_h, b = i / C / out_w / out_h;
    std::vector<double> column(in_h);
    for (std::int64_t r = 0; r < in_h; ++r) {
      std::vector<double> line(in_w);
      for (std::int64_t k = 0; k < in_w; ++k) line[k] = value_of(x[((b * in_h + r) * in_w + k) * C + c]);
      column[r] = bilinear_at(line, pos(ox, in_w, out_w));
    }
    const double e = bilinear_at(column, pos(oy, in_h, out_h));
    ASSERT_NEAR(value_of(y[i]), e, testing::rounding<T> * std::abs(e) + 1e-6)
        << kernels.name << " C " << C << " at " << i;
  }
  ASSERT_TRUE(y.guards_hold());
}

TEST(Resample, Bilinear) {
  for_rows([]<class T>(T, const ResampleKernels& kernels) {
    for (ResizeGrid grid : {ResizeGrid::half_pixel, ResizeGrid::align_corners, ResizeGrid::asymmetric}) {
      check_resize<T>(kernels, 4, 5, 8, 10, 3, grid);
      check_resize<T>(kernels, 5, 7, 3, 4, 17, grid);
      check_resize<T>(kernels, 1, 3, 5, 1, 2, grid);
    }
    for (std::int64_t C = 1; C <= 50; ++C) check_resize<T>(kernels, 2, 2, 3, 3, C, ResizeGrid::half_pixel);
  });
}

TEST(Resample, NearestGrids) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const ResampleKernels& kernels) {
    const auto sources = [&](std::int64_t in, std::int64_t out, ResizeGrid grid) {
      std::vector<T> x(in * 2), y(out * out * 2);  // (in, 1, 2): rows count up, the second channel is negative
      for (std::int64_t i = 0; i < in; ++i) {
        testing::assign(x[2 * i], static_cast<double>(i));
        testing::assign(x[2 * i + 1], static_cast<double>(-i));
      }
      resize(kernels,
             {.in_h = in,
              .in_w = 1,
              .out_h = out,
              .out_w = out,
              .channels = 2,
              .x = x.data(),
              .y = y.data(),
              .grid = grid},
             pool);
      std::vector<int> rows;
      for (std::int64_t o = 0; o < out; ++o) {
        rows.push_back(static_cast<int>(value_of(y[o * out * 2])));
        for (std::int64_t k = 0; k < out; ++k) EXPECT_EQ(value_of(y[(o * out + k) * 2 + 1]), -rows.back());
      }
      return rows;
    };
    EXPECT_EQ(sources(2, 4, ResizeGrid::asymmetric), (std::vector<int>{0, 0, 1, 1}));
    EXPECT_EQ(sources(3, 5, ResizeGrid::asymmetric), (std::vector<int>{0, 0, 1, 1, 2}));  // PyTorch "nearest"
    EXPECT_EQ(sources(3, 5, ResizeGrid::half_pixel), (std::vector<int>{0, 0, 1, 2, 2}));  // PyTorch "nearest-exact"
    EXPECT_EQ(sources(5, 3, ResizeGrid::asymmetric), (std::vector<int>{0, 1, 3}));
    EXPECT_EQ(sources(5, 3, ResizeGrid::half_pixel), (std::vector<int>{0, 2, 4}));
    EXPECT_EQ(sources(3, 5, ResizeGrid::align_corners), (std::vector<int>{0, 1, 1, 2, 2}));
  });
}

template <class T>
void check_pool(const ResampleKernels& kernels, PoolArgs a, ThreadPool& pool) {
  Buffer<T> x(a.batch * a.in_h * a.in_w * a.channels, 1), y(a.batch * a.out_h * a.out_w * a.channels, 3);
  fill_random(x, 6);
  a.x = x.data();
  a.y = y.data();
  pool2d(kernels, a, pool);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t c = i % a.channels, ox = i / a.channels % a.out_w, oy = i / a.channels / a.out_w % a.out_h;
    const std::int64_t b = i / a.channels / a.out_w / a.out_h;
    double top = -HUGE_VAL, sum = 0, inside = 0, padded = 0;
    for (std::int64_t p = 0; p < a.kernel_h; ++p) {
      for (std::int64_t q = 0; q < a.kernel_w; ++q) {
        const std::int64_t r = oy * a.stride_h - a.pad_top + p * a.dilation_h;
        const std::int64_t k = ox * a.stride_w - a.pad_left + q * a.dilation_w;
        if (r < a.in_h + a.pad_bottom && k < a.in_w + a.pad_right) ++padded;
        if (r < 0 || r >= a.in_h || k < 0 || k >= a.in_w) continue;
        const double v = value_of(x[((b * a.in_h + r) * a.in_w + k) * a.channels + c]);
        top = std::max(top, v);
        sum += v;
        ++inside;
      }
    }
    const double e = a.mode == PoolMode::max ? top : sum / (a.count_pad ? padded : inside);
    ASSERT_NEAR(value_of(y[i]), e, testing::rounding<T> * std::abs(e) + 1e-6) << kernels.name << " at " << i;
  }
  ASSERT_TRUE(y.guards_hold());
}

TEST(Resample, Pooling) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const ResampleKernels& kernels) {
    for (PoolMode mode : {PoolMode::max, PoolMode::average}) {
      for (bool count_pad : {false, true}) {
        check_pool<T>(kernels,
                      {.batch = 2,
                       .in_h = 8,
                       .in_w = 6,
                       .out_h = 4,
                       .out_w = 3,
                       .channels = 5,
                       .mode = mode,
                       .kernel_h = 2,
                       .kernel_w = 2,
                       .stride_h = 2,
                       .stride_w = 2,
                       .count_pad = count_pad},
                      pool);
        check_pool<T>(kernels,
                      {.in_h = 7,
                       .in_w = 9,
                       .out_h = 4,
                       .out_w = 5,
                       .channels = 18,
                       .mode = mode,
                       .kernel_h = 3,
                       .kernel_w = 3,
                       .stride_h = 2,
                       .stride_w = 2,
                       .pad_top = 1,
                       .pad_left = 1,
                       .pad_bottom = 1,
                       .pad_right = 1,
                       .count_pad = count_pad},
                      pool);
        check_pool<T>(kernels,
                      {.in_h = 8,
                       .in_w = 8,
                       .out_h = 5,
                       .out_w = 5,
                       .channels = 2,
                       .mode = mode,
                       .kernel_h = 3,
                       .kernel_w = 2,
                       .stride_h = 2,
                       .stride_w = 2,
                       .dilation_h = 2,
                       .dilation_w = 3,
                       .pad_top = 3,
                       .pad_left = 2,
                       .pad_bottom = 2,
                       .pad_right = 3,
                       .count_pad = count_pad},
                      pool);
      }
      for (std::int64_t C = 1; C <= 50; ++C) {
        check_pool<T>(kernels, {.in_h = 3, .in_w = 3, .channels = C, .mode = mode, .kernel_h = 3, .kernel_w = 3}, pool);
      }
    }
  });
}

TEST(Resample, PixelShuffleOrders) {
  ThreadPool pool(2);
  const std::int64_t B = 2, H = 3, W = 4, C = 5, r = 2;
  std::vector<std::uint32_t> x(B * H * W * C * r * r), y(x.size()), back(x.size());
  std::iota(x.begin(), x.end(), 0u);
  for (ShuffleOrder order : {ShuffleOrder::channel_first, ShuffleOrder::space_first}) {
    pixel_shuffle(B, H, W, C, r, order, x.data(), y.data(), 4, pool);
    for (std::int64_t b = 0; b < B; ++b) {
      for (std::int64_t h = 0; h < H * r; ++h) {
        for (std::int64_t w = 0; w < W * r; ++w) {
          for (std::int64_t c = 0; c < C; ++c) {
            const std::int64_t i = h % r, j = w % r;
            const std::int64_t deep =
                order == ShuffleOrder::channel_first ? c * r * r + i * r + j : (i * r + j) * C + c;
            ASSERT_EQ(y[((b * H * r + h) * W * r + w) * C + c], x[((b * H + h / r) * W + w / r) * C * r * r + deep]);
          }
        }
      }
    }
    pixel_unshuffle(B, H, W, C, r, order, y.data(), back.data(), 4, pool);
    EXPECT_EQ(back, x);
  }
}

TEST(Resample, PermuteAllOrdersOfFourAxes) {
  ThreadPool pool(2);
  const std::int64_t shape[4] = {3, 5, 4, 9};
  std::vector<std::uint16_t> x(3 * 5 * 4 * 9), y(x.size());
  std::iota(x.begin(), x.end(), std::uint16_t{0});
  int order[4] = {0, 1, 2, 3};
  do {
    permute(4, shape, order, x.data(), y.data(), 2, pool);
    std::int64_t at[4] = {}, i = 0;
    for (at[0] = 0; at[0] < shape[order[0]]; ++at[0]) {
      for (at[1] = 0; at[1] < shape[order[1]]; ++at[1]) {
        for (at[2] = 0; at[2] < shape[order[2]]; ++at[2]) {
          for (at[3] = 0; at[3] < shape[order[3]]; ++at[3], ++i) {
            std::int64_t from[4];
            for (int k = 0; k < 4; ++k) from[order[k]] = at[k];
            ASSERT_EQ(y[i], x[((from[0] * 5 + from[1]) * 4 + from[2]) * 9 + from[3]]);
          }
        }
      }
    }
  } while (std::next_permutation(order, order + 4));
}

}  // namespace
}  // namespace thimble::kernels
