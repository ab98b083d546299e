// Norms and softmax against double loops: every row this machine can run, all tails, strides, fused parts.
#include "kernels/norm/norm.h"

#include <gtest/gtest.h>

#include "kernels/simd/test_support.h"

namespace thimble::kernels {
namespace {

using testing::Buffer;
using testing::fill_random;
using testing::value_of;

template <class F>
void for_rows(F f) {
  int seen = 0;
  for (const auto* row : norm_kernels()) {
    if (!supports(cpu(), row->isa)) continue;
    ++seen;
    row->type == DType::f32 ? f(float{}, *row) : f(bf16{}, *row);
  }
  EXPECT_GE(seen, 2);
}

struct Parts {
  bool weight, bias, scale, shift, residual, residual_out;
};

// Row r of x starts at (r / 2) * 3n + (r % 2) * n: heads in a wider tensor. y is dense.
template <class T>
void check_row_norm(const NormKernels& kernels, bool rms, std::int64_t n, const Parts& parts, double offset) {
  ThreadPool pool(2);
  const std::int64_t rows = 6, per_batch = 4;
  Buffer<T> x(rows / 2 * 3 * n, n % 3), y(rows * n, n % 5), scale(2 * n, 1), shift(2 * n), residual(rows * n, 1);
  Buffer<T> residual_out(rows * n, 2);
  Buffer<float> weight(n, 1), bias(n, 3);
  fill_random(x, 1, 2, offset);
  fill_random(scale, 2, 0.5);
  fill_random(shift, 3);
  fill_random(residual, 4);
  fill_random(weight, 5);
  fill_random(bias, 6);
  RowNormArgs args{.rows = rows,
                   .channels = n,
                   .x = x.data(),
                   .y = y.data(),
                   .x_rows = {.stride = n, .group = 2, .group_stride = 3 * n},
                   .eps = 1e-3f};
  if (parts.weight) args.weight = weight.data();
  if (parts.bias) args.bias = bias.data();
  if (parts.scale) args.scale = scale.data();
  if (parts.shift) args.shift = shift.data();
  if (parts.residual) args.residual = residual.data();
  if (parts.residual_out) args.residual_out = residual_out.data();
  args.modulation_stride = n;
  args.rows_per_batch = per_batch;
  (rms ? rms_norm : layer_norm)(kernels, args, pool);

  std::vector<double> t(static_cast<std::size_t>(n));
  for (std::int64_t r = 0; r < rows; ++r) {
    double mean = 0, var = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      t[i] = value_of(x[r / 2 * 3 * n + r % 2 * n + i]) + (parts.residual ? value_of(residual[r * n + i]) : 0.0);
      if (parts.residual_out) {
        ASSERT_NEAR(value_of(residual_out[r * n + i]), t[i], testing::rounding<T> * std::abs(t[i]));
        t[i] = value_of(residual_out[r * n + i]);
      }
      mean += t[i] / static_cast<double>(n);
    }
    if (rms) mean = 0;
    for (double v : t) var += (v - mean) * (v - mean) / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t b = r / per_batch;
      double e = (t[i] - mean) / std::sqrt(var + static_cast<double>(args.eps));
      double size = std::abs(e);
      if (parts.weight) e *= static_cast<double>(weight[i]), size = std::abs(e);
      if (parts.bias) e += static_cast<double>(bias[i]), size += std::abs(static_cast<double>(bias[i]));
      if (parts.scale) e *= 1 + value_of(scale[b * n + i]), size *= 1 + std::abs(value_of(scale[b * n + i]));
      if (parts.shift) e += value_of(shift[b * n + i]), size += std::abs(value_of(shift[b * n + i]));
      // Far from zero, the input's own f32 sum with the residual carries |t| * 2^-24 / sigma.
      const double own = parts.residual && !parts.residual_out ? 5e-7 * std::abs(t[i]) / std::sqrt(var + 1e-3) : 0;
      ASSERT_NEAR(value_of(y[r * n + i]), e, (testing::rounding<T> + 2e-6) * (size + 0.1) + own)
          << kernels.name << " n " << n << " row " << r << " at " << i << " offset " << offset;
    }
  }
  ASSERT_TRUE(y.guards_hold() && residual_out.guards_hold());
}

TEST(Norm, RowsOfEveryLengthAndPart) {
  for_rows([]<class T>(T, const NormKernels& kernels) {
    for (bool rms : {false, true}) {
      for (std::int64_t n = 1; n <= 50; ++n)
        check_row_norm<T>(kernels, rms, n, {true, n % 2 == 0, false, false, false, false}, 0);
      for (std::int64_t n : {40, 127, 1152, 8192}) {
        for (int bits = 0; bits < 64; ++bits) {
          if (n > 127 && bits % 21 != 0) continue;
          check_row_norm<T>(
              kernels, rms, n,
              {(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0, (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0},
              0);
        }
      }
    }
  });
}

// A one-pass sum of squares would lose all digits here.
TEST(Norm, LayerNormFarFromZero) {
  for_rows([]<class T>(T, const NormKernels& kernels) {
    if (kernels.type != DType::f32) return;
    for (std::int64_t n : {33, 1024, 65536})
      check_row_norm<T>(kernels, false, n, {true, true, false, false, false, false}, 10000);
  });
}

TEST(Norm, InPlaceAndResidualInPlace) {
  ThreadPool pool(1);
  for_rows([&]<class T>(T, const NormKernels& kernels) {
    const std::int64_t rows = 3, n = 45;
    Buffer<T> x(rows * n), y(rows * n), residual(rows * n);
    fill_random(x, 1);
    fill_random(residual, 2);
    std::vector<T> sum(static_cast<std::size_t>(rows * n));
    for (std::int64_t i = 0; i < rows * n; ++i) testing::assign(sum[i], value_of(x[i]) + value_of(residual[i]));
    RowNormArgs args{.rows = rows, .channels = n, .x = sum.data(), .y = y.data()};
    layer_norm(kernels, args, pool);
    args.x = x.data();
    args.y = x.data();
    args.residual = residual.data();
    args.residual_out = residual.data();
    layer_norm(kernels, args, pool);
    EXPECT_EQ(std::memcmp(x.data(), y.data(), sizeof(T) * rows * n), 0) << kernels.name;
    EXPECT_EQ(std::memcmp(residual.data(), sum.data(), sizeof(T) * rows * n), 0) << kernels.name;
  });
}

template <class T>
void check_group_norm(const NormKernels& kernels, std::int64_t B, std::int64_t P, std::int64_t C, std::int64_t G,
                      NormActivation act, double offset) {
  ThreadPool pool(2);
  Buffer<T> x(B * P * C, 1), y(B * P * C, 2);
  Buffer<float> weight(C), bias(C, 1);
  fill_random(x, 1, 1.5, offset);
  fill_random(weight, 2);
  fill_random(bias, 3);
  GroupNormArgs args{.batch = B,
                     .positions = P,
                     .channels = C,
                     .groups = G,
                     .x = x.data(),
                     .y = y.data(),
                     .eps = 1e-4f,
                     .weight = weight.data(),
                     .bias = bias.data(),
                     .activation = act};
  std::vector<float> scratch(group_norm_scratch_bytes(args, pool.threads()) / 4);
  group_norm(kernels, args, pool, scratch.data());
  const std::int64_t size = C / G;
  for (std::int64_t b = 0; b < B; ++b) {
    for (std::int64_t g = 0; g < G; ++g) {
      double mean = 0, var = 0;
      const double n = static_cast<double>(P * size);
      for (std::int64_t p = 0; p < P; ++p) {
        for (std::int64_t c = g * size; c < (g + 1) * size; ++c) mean += value_of(x[(b * P + p) * C + c]) / n;
      }
      for (std::int64_t p = 0; p < P; ++p) {
        for (std::int64_t c = g * size; c < (g + 1) * size; ++c) {
          const double d = value_of(x[(b * P + p) * C + c]) - mean;
          var += d * d / n;
        }
      }
      for (std::int64_t p = 0; p < P; ++p) {
        for (std::int64_t c = g * size; c < (g + 1) * size; ++c) {
          const std::int64_t i = (b * P + p) * C + c;
          const double term = (value_of(x[i]) - mean) / std::sqrt(var + 1e-4) * static_cast<double>(weight[c]);
          double e = term + static_cast<double>(bias[c]);
          if (act == NormActivation::silu) e /= 1 + std::exp(-e);
          if (act == NormActivation::relu) e = std::max(0.0, e);
          ASSERT_NEAR(value_of(y[i]), e, (testing::rounding<T> + 2e-6) * (std::abs(e) + std::abs(term) + 0.1))
              << kernels.name << " P " << P << " C " << C << " G " << G;
        }
      }
    }
  }
  ASSERT_TRUE(y.guards_hold());
}

TEST(Norm, GroupNorm) {
  for_rows([]<class T>(T, const NormKernels& kernels) {
    for (NormActivation act : {NormActivation::none, NormActivation::silu, NormActivation::relu}) {
      check_group_norm<T>(kernels, 2, 9, 32, 4, act, 0);
    }
    check_group_norm<T>(kernels, 1, 1, 6, 3, NormActivation::none, 0);
    check_group_norm<T>(kernels, 2, 700, 3, 1, NormActivation::none, 0);
    check_group_norm<T>(kernels, 2, 1100, 72, 8, NormActivation::silu, 0);
    check_group_norm<T>(kernels, 1, 130, 320, 32, NormActivation::silu, 0);
    if (kernels.type == DType::f32) check_group_norm<T>(kernels, 1, 3000, 64, 32, NormActivation::none, 3000);
  });
}

TEST(Norm, Softmax) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const NormKernels& kernels) {
    for (std::int64_t k = 1; k <= 54; ++k) {
      const std::int64_t n = k == 53 ? 4096 : k == 54 ? 5001 : k;
      const std::int64_t rows = 3, stride = n + 4;
      Buffer<T> x(rows * stride, n % 3), y(rows * n, n % 5);
      fill_random(x, static_cast<std::uint64_t>(n), 10, 30);
      if (n > 3) testing::assign(x[stride + 2], -HUGE_VAL);
      for (std::int64_t i = 0; i < n; ++i) testing::assign(x[2 * stride + i], -HUGE_VAL);
      SoftmaxArgs args{.rows = rows, .n = n, .x = x.data(), .y = y.data(), .x_rows = {.stride = stride}, .scale = 0.5f};
      softmax(kernels, args, pool);
      for (std::int64_t r = 0; r < 2; ++r) {
        double top = -HUGE_VAL, sum = 0;
        for (std::int64_t i = 0; i < n; ++i) top = std::max(top, 0.5 * value_of(x[r * stride + i]));
        for (std::int64_t i = 0; i < n; ++i) sum += std::exp(0.5 * value_of(x[r * stride + i]) - top);
        for (std::int64_t i = 0; i < n; ++i) {
          const double e = std::exp(0.5 * value_of(x[r * stride + i]) - top) / sum;
          ASSERT_NEAR(value_of(y[r * n + i]), e, (testing::rounding<T> + 3e-6) * e + 1e-37)
              << kernels.name << " n " << n;
        }
      }
      for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(value_of(y[2 * n + i]), 0);
      ASSERT_TRUE(y.guards_hold());
    }
  });
}

TEST(Norm, ThreadsDoNotChangeResults) {
  ThreadPool pools[3] = {ThreadPool(1), ThreadPool(2), ThreadPool(3)};
  for_rows([&]<class T>(T, const NormKernels& kernels) {
    const std::int64_t P = 2000, C = 48;
    Buffer<T> x(P * C), first(P * C), y(P * C);
    fill_random(x, 9);
    for (int k = 0; k < 3; ++k) {
      Buffer<T>& out = k == 0 ? first : y;
      GroupNormArgs args{.batch = 1, .positions = P, .channels = C, .groups = 4, .x = x.data(), .y = out.data()};
      std::vector<float> scratch(group_norm_scratch_bytes(args, pools[k].threads()) / 4);
      group_norm(kernels, args, pools[k], scratch.data());
      if (k > 0) {
        ASSERT_EQ(std::memcmp(first.data(), y.data(), sizeof(T) * P * C), 0) << kernels.name;
      }
    }
    for (int k = 0; k < 3; ++k) {
      Buffer<T>& out = k == 0 ? first : y;
      layer_norm(kernels, {.rows = P, .channels = C, .x = x.data(), .y = out.data()}, pools[k]);
      if (k > 0) {
        ASSERT_EQ(std::memcmp(first.data(), y.data(), sizeof(T) * P * C), 0) << kernels.name;
      }
    }
  });
}

}  // namespace
}  // namespace thimble::kernels
