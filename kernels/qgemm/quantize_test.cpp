// The quantisers of activations, through every vector width, and of weights.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/qgemm/test_support.h"

namespace thimble::kernels {
namespace {

struct Quantized {
  std::vector<std::int8_t> q;
  std::vector<float> scale;
  std::vector<std::int32_t> zero;
};

// Through one of the vector widths, panels of any type; blocks of 96 k.
Quantized quantized(const QgemmOps& ops, const QActivations& x, std::int64_t M, std::int64_t K, QPanel panel) {
  constexpr std::int64_t kc = 96;
  const std::int64_t bytes = internal::panel_bytes(panel), stride = kc * bytes + 64;
  const std::int64_t blocks = (K + kc - 1) / kc;
  std::vector<std::byte> out(static_cast<std::size_t>((blocks * M + 1) * stride));
  Quantized r{{}, std::vector<float>(M), std::vector<std::int32_t>(M)};
  ops.quantize({x, M, K, panel, kc, stride, M * stride, out.data(), r.scale.data(), r.zero.data()});
  for (std::int64_t m = 0; m < M; ++m) {
    for (std::int64_t k = 0; k < K; ++k) {
      const std::byte* p = out.data() + k / kc * M * stride + m * stride + k % kc * bytes;
      int v = 0;
      if (panel == QPanel::s16) {
        std::int16_t wide;
        std::memcpy(&wide, p, 2);
        v = wide;
      } else {
        v = panel == QPanel::u8 ? static_cast<int>(*p) - 128 : static_cast<std::int8_t>(*p);
      }
      r.q.push_back(static_cast<std::int8_t>(v));
    }
  }
  return r;
}

std::vector<const QgemmOps*> all_ops() {
  std::vector<const QgemmOps*> ops;
  for (const QgemmKernel* k : all_kernels()) {
    if (std::find(ops.begin(), ops.end(), k->ops) == ops.end()) ops.push_back(k->ops);
  }
  return ops;
}

TEST(Quantizer, ErrorIsHalfAScaleAndEveryIsaAgrees) {
  const std::int64_t M = 7, K = 203, ld = 210;
  auto values = random_floats(M * ld, 5);
  for (std::int64_t k = 0; k < K; ++k) {
    values[2 * ld + k] = std::abs(values[2 * ld + k]);                   // positive: z at the lower end
    values[3 * ld + k] = -std::abs(values[3 * ld + k]) * 1e20f - 1e18f;  // negative, large
    values[4 * ld + k] *= 1e-20f;
    values[5 * ld + k] = 0.25f;  // constant
  }
  values[1 * ld + 17] = 50.0f;  // an outlier
  std::vector<bf16> halves(values.size());
  convert(DType::f32, values.data(), DType::bf16, halves.data(), values.size());
  for (DType type : {DType::f32, DType::bf16}) {
    const void* x = type == DType::f32 ? static_cast<const void*>(values.data()) : halves.data();
    for (Quantize how : {Quantize::symmetric, Quantize::asymmetric, Quantize::fixed}) {
      const QActivations source{x, type, ld, how, 0.03f, -20};
      const Quantized first = quantized(internal::qops_scalar, source, M, K, QPanel::s8);
      for (std::int64_t m = 0; m < M; ++m) {
        const double s = first.scale[m], z = first.zero[m];
        double low = 0, high = 0;
        for (std::int64_t k = 0; k < K; ++k) {
          low = std::min(low, read(x, type, m * ld + k));
          high = std::max(high, read(x, type, m * ld + k));
        }
        if (how == Quantize::symmetric) {
          EXPECT_NEAR(s, std::max(high, -low) / 127, 1e-6 * s);
        } else if (how == Quantize::asymmetric) {
          EXPECT_NEAR(s, (high - low) / 255, 1e-6 * s);
          EXPECT_NEAR(z, -128 - low / s, 0.501);
        } else {
          EXPECT_EQ(s, 0.03f);
        }
        for (std::int64_t k = 0; k < K; ++k) {
          const double v = read(x, type, m * ld + k), q = first.q[m * K + k];
          const double reach = how == Quantize::asymmetric ? 1.0 : 0.5;  // the rounding of z moves both ends
          if (how == Quantize::fixed) {
            const double clamped = std::clamp(v, s * (-128 - z), s * (127 - z));
            EXPECT_LE(std::abs(clamped - s * (q - z)), 0.5 * s * (1 + 1e-4));
          } else {
            EXPECT_LE(std::abs(v - s * (q - z)), reach * s * (1 + 1e-4)) << m << " " << k;
          }
        }
      }
      for (const QgemmOps* ops : all_ops()) {
        for (QPanel panel : {QPanel::s8, QPanel::u8, QPanel::s16}) {
          const Quantized other = quantized(*ops, source, M, K, panel);
          EXPECT_EQ(first.q, other.q);
          EXPECT_EQ(first.scale, other.scale);
          EXPECT_EQ(first.zero, other.zero);
        }
      }
    }
  }
}

TEST(Quantizer, TiesGoToEvenAndValuesSaturate) {
  const std::vector<float> x{0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 126.5f, 127.5f, 1e9f, -1e9f, 3e38f, -3e38f, -128.5f};
  const std::vector<std::int8_t> wanted{0, 2, 2, 0, -2, 126, 127, 127, -128, 127, -128, -128};
  for (const QgemmOps* ops : all_ops()) {
    const auto n = static_cast<std::int64_t>(x.size());
    EXPECT_EQ(wanted, quantized(*ops, {x.data(), DType::f32, n, Quantize::fixed, 1, 0}, 1, n, QPanel::u8).q);
    const std::vector<std::int8_t> moved =
        quantized(*ops, {x.data(), DType::f32, n, Quantize::fixed, 1, 5}, 1, n, QPanel::s16).q;
    EXPECT_EQ(moved[1], 7);
    EXPECT_EQ(moved[5], 127);
    EXPECT_EQ(moved[8], -128);
  }
}

TEST(Quantizer, EmptyTinyAndUnusableRows) {
  const std::int64_t K = 33;
  for (const QgemmOps* ops : all_ops()) {
    for (Quantize how : {Quantize::symmetric, Quantize::asymmetric}) {
      std::vector<float> x(K, 0.0f);
      const auto scale = [&] { return quantized(*ops, {x.data(), DType::f32, K, how}, 1, K, QPanel::s8).scale[0]; };
      EXPECT_EQ(scale(), 0.0f);
      x[7] = 1e-38f;
      EXPECT_EQ(scale(), 0.0f);
      x[7] = 3e38f;
      x[8] = -3e38f;
      EXPECT_TRUE(std::isfinite(scale()));
      for (float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -HUGE_VALF}) {
        for (std::int64_t at : {0, 20, 32}) {
          std::fill(x.begin(), x.end(), 1.0f);
          x[at] = bad;
          EXPECT_TRUE(std::isnan(scale()));
        }
      }
    }
  }
}

TEST(Quantizer, WeightsAreOffByHalfAScale) {
  const std::int64_t N = 5, K = 70;
  auto w = random_floats(N * K, 6);
  for (std::int64_t k = 0; k < K; ++k) w[2 * K + k] = 0;
  for (int bits : {8, 4}) {
    for (std::int64_t group : {0, 32}) {
      const std::int64_t groups = group ? 3 : 1;
      std::vector<std::int8_t> q(w.size());
      std::vector<float> scale(static_cast<std::size_t>(N * groups));
      quantize_weights(N, K, group, bits, w.data(), K, q.data(), scale.data());
      for (std::int64_t n = 0; n < N; ++n) {
        int most = 0;
        for (std::int64_t k = 0; k < K; ++k) {
          const float s = scale[n * groups + (group ? k / group : 0)];
          EXPECT_LE(std::abs(w[n * K + k] - s * q[n * K + k]), 0.5001f * s);
          most = std::max(most, std::abs(q[n * K + k]));
        }
        EXPECT_EQ(most, n == 2 ? 0 : bits == 8 ? 127 : 7);
      }
    }
  }
}

}  // namespace
}  // namespace thimble::kernels
