// Convolutions of integers against plain loops over taps: every kernel that can run here and an emulated AMX row, all
// geometries, both roundings, epilogues, threads. The sums are exact, so bounds are those of the finish alone.
#include "kernels/conv/qconv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "kernels/qgemm/test_support.h"

namespace thimble::kernels {
namespace {

struct Options {
  bool asymmetric = false, epilogue = false, bf16_in = false, bf16_out = false;
  std::int64_t extra_ld = 0;
  int threads = 1;
};

float rounded_to_bf16(float v) { return to_f32(to_bf16(v)); }

std::vector<float> run(const QConvPlan& plan, const Options& o, bool compare = true) {
  const ConvShape& s = plan.shape;
  const std::int64_t OH = s.out_h(), OW = s.out_w(), x_ld = s.C + o.extra_ld, up = s.upsample ? 2 : 1;
  auto x = random_floats(s.B * s.H * s.W * x_ld, 1);
  for (float& v : x) v = rounded_to_bf16(o.asymmetric ? std::abs(v) - 0.2f : v);
  const auto w = random_bytes(s.O * s.C * s.kh * s.kw, -127, 127, 2);
  const auto residual = random_floats(s.B * OH * OW * s.O, 3), bias = random_floats(s.B * s.O, 4);
  auto scale = random_floats(s.O, 5);
  for (float& v : scale) v = 0.001f * (1 + std::abs(v));
  Buffer packed(qconv_packed_bytes(plan)), rounded(rounded_bytes(plan)), scratch(qconv_scratch_bytes(plan));
  std::memset(scratch.data(), 0x7b, scratch.size());
  std::memset(rounded.data(), 0x55, rounded.size());
  qconv_pack(plan, w.data(), scale.data(), packed.data());
  ThreadPool pool(o.threads);
  std::vector<std::byte> x_typed(x.size() * 4), y(residual.size() * 4), r_typed(residual.size() * 4);
  const DType x_type = o.bf16_in ? DType::bf16 : DType::f32, y_type = o.bf16_out ? DType::bf16 : DType::f32;
  convert(DType::f32, x.data(), x_type, x_typed.data(), x.size());
  convert(DType::f32, residual.data(), y_type, r_typed.data(), residual.size());
  round_pictures(plan, {.x = x_typed.data(), .type = x_type, .x_ld = x_ld, .asymmetric = o.asymmetric}, pool,
                 rounded.data());
  QConvArgs args{.x = rounded.data(), .w = packed.data(), .y = y.data(), .y_type = y_type, .epilogue = {}};
  if (o.epilogue) {
    args.epilogue.bias = bias.data();
    args.epilogue.bias_batch_stride = s.O;
    args.epilogue.act = Activation::relu;
    args.epilogue.rows_per_batch = OH * OW;
    args.epilogue.residual = r_typed.data();
    args.epilogue.residual_ld = s.O;
  }
  qconv(plan, args, pool, scratch.data());
  std::vector<float> got(residual.size());
  convert(y_type, y.data(), DType::f32, got.data(), got.size());
  if (!compare) return got;

  for (std::int64_t b = 0; b < s.B; ++b) {
    float low = 0, high = 0;
    for (std::int64_t p = 0; p < s.H * s.W; ++p) {
      for (std::int64_t c = 0; c < s.C; ++c) {
        const float v = x[std::size_t((b * s.H * s.W + p) * x_ld + c)];
        low = std::min(low, v);
        high = std::max(high, v);
      }
    }
    const float step = o.asymmetric ? (high * 0.5f - low * 0.5f) / 127.5f : std::max(high, -low) / 127.0f;
    const float zero = o.asymmetric ? std::rint(-128.0f - low / step) : 0;
    const auto whole = [&](float v) {
      return static_cast<std::int64_t>(std::rint(std::min(std::max(v * (1 / step), -128 - zero), 127 - zero)));
    };
    for (std::int64_t oy = 0; oy < OH; ++oy) {
      for (std::int64_t ox = 0; ox < OW; ++ox) {
        for (std::int64_t n = 0; n < s.O; ++n) {
          std::int64_t sum = 0;
          for (std::int64_t ky = 0; ky < s.kh; ++ky) {
            for (std::int64_t kx = 0; kx < s.kw; ++kx) {
              const std::int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
              const std::int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
              if (iy < 0 || iy >= s.H * up || ix < 0 || ix >= s.W * up) continue;
              for (std::int64_t c = 0; c < s.C; ++c) {
                const float v = x[std::size_t(((b * s.H + iy / up) * s.W + ix / up) * x_ld + c)];
                sum += whole(v) * w[std::size_t(((n * s.C + c) * s.kh + ky) * s.kw + kx)];
              }
            }
          }
          const auto at = std::size_t(((b * OH + oy) * OW + ox) * s.O + n);
          double wanted = static_cast<double>(sum) * scale[std::size_t(n)] * step;
          if (o.epilogue) {
            const float r = o.bf16_out ? rounded_to_bf16(residual[at]) : residual[at];
            wanted = std::max(0.0, wanted + bias[std::size_t(b * s.O + n)]) + r;
          }
          const double bound = 4e-6 * (1 + std::abs(wanted)) + (o.bf16_out ? 0x1p-8 * std::abs(wanted) : 0);
          if (!(std::abs(got[at] - wanted) <= bound)) {
            ADD_FAILURE() << plan.kernel->name << " C " << s.C << " O " << s.O << " kernel " << s.kh << "x" << s.kw
                          << " at (" << b << ", " << oy << ", " << ox << ", " << n << "): got " << got[at]
                          << ", wanted " << wanted;
            return got;
          }
        }
      }
    }
  }
  return got;
}

std::vector<const QgemmKernel*> kernels_of_bytes() {
  std::vector<const QgemmKernel*> out;
  for (const QgemmKernel* k : all_kernels()) {
    if (k->weight_bits == 8) out.push_back(k);
  }
  return out;
}

ConvShape same(std::int64_t C, std::int64_t O, std::int64_t taps) {
  const std::int64_t pad = taps / 2;
  return {.B = 2,
          .H = 6,
          .W = 7,
          .C = C,
          .O = O,
          .kh = taps,
          .kw = taps,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad};
}

TEST(QConv, EveryGeometry) {
  std::vector<ConvShape> shapes{same(3, 20, 3), same(37, 5, 3), same(8, 40, 5), same(16, 16, 1)};
  const auto add = [&](auto change) {
    ConvShape s = same(12, 18, 3);
    change(s);
    shapes.push_back(s);
  };
  add([](ConvShape& s) { s.stride_h = s.stride_w = 2; });
  add([](ConvShape& s) { s.pad_top = 3, s.pad_left = 4, s.pad_bottom = 0, s.pad_right = 2; });
  add([](ConvShape& s) { s.dilation_h = 2, s.dilation_w = 3, s.pad_left = s.pad_right = 3; });
  add([](ConvShape& s) { s.kh = 2, s.kw = 4, s.stride_w = 3; });
  add([](ConvShape& s) { s.upsample = true; });
  for (const QgemmKernel* k : kernels_of_bytes()) {
    for (const ConvShape& s : shapes) {
      for (bool asymmetric : {false, true}) {
        run(plan_qconv_with(s, *k, 1), {.asymmetric = asymmetric});
        if (HasFailure()) return;
      }
    }
  }
}

TEST(QConv, SeveralBlocksOfK) {
  for (const QgemmKernel* k : kernels_of_bytes()) {
    const ConvShape s = same(k->kc / 4 + 3, 9, 3);
    run(plan_qconv_with(s, *k, 2), {.asymmetric = true, .epilogue = true, .threads = 2});
    run(plan_qconv_with(s, *k, 1), {.epilogue = true, .bf16_in = true, .bf16_out = true, .extra_ld = 5});
  }
}

// So deep that the sums of several panels wait for the next block of k, on every size of L2.
TEST(QConv, DeepAndWide) {
  for (const QgemmKernel* k : kernels_of_bytes()) {
    ConvShape s = same(std::min<std::int64_t>(4 * k->kc, 7000), 2 * k->nr + 3, 3);
    s.B = 1;
    s.H = 9;
    s.W = 13;
    const QConvPlan plan = plan_qconv_with(s, *k, 2);
    EXPECT_EQ(run(plan, {.asymmetric = true, .epilogue = true}, k == kernels_of_bytes().front()),
              run(plan, {.asymmetric = true, .epilogue = true, .threads = 2}, false));
  }
}

TEST(QConv, ThreadsDoNotChangeABit) {
  ConvShape s = same(40, 70, 3);
  s.H = s.W = 19;
  const QConvPlan plan = plan_qconv(s, 3);
  const auto one = run(plan, {.asymmetric = true, .epilogue = true}, false);
  for (int threads : {2, 3}) {
    EXPECT_EQ(one, run(plan, {.asymmetric = true, .epilogue = true, .threads = threads}, false));
  }
}

TEST(QConv, NotANumberPoisonsItsPicture) {
  const QConvPlan plan = plan_qconv(same(8, 8, 3), 1);
  const ConvShape& s = plan.shape;
  std::vector<float> x(static_cast<std::size_t>(s.B * s.H * s.W * s.C), 0.5f), scale(8, 1.0f);
  x.back() = std::nanf("");
  const std::vector<std::int8_t> w(static_cast<std::size_t>(s.O * s.C * 9), 1);
  Buffer packed(qconv_packed_bytes(plan)), rounded(rounded_bytes(plan)), scratch(qconv_scratch_bytes(plan));
  std::vector<float> y(static_cast<std::size_t>(s.B * s.H * s.W * s.O));
  qconv_pack(plan, w.data(), scale.data(), packed.data());
  ThreadPool pool(1);
  round_pictures(plan, {.x = x.data()}, pool, rounded.data());
  qconv(plan, {.x = rounded.data(), .w = packed.data(), .y = y.data(), .epilogue = {}}, pool, scratch.data());
  EXPECT_NEAR(y[static_cast<std::size_t>((s.W + 1) * s.O)], 0.5f * 72, 1e-4);
  EXPECT_TRUE(std::isnan(y.back()));
}

TEST(QConv, RefusesGroupsAndTooManyInputs) {
  ConvShape s = same(8, 8, 3);
  s.groups = 2;
  EXPECT_THROW(plan_qconv(s, 1), Error);
  EXPECT_THROW(plan_qconv(same(8000, 8, 3), 1), Error);
}

}  // namespace
}  // namespace thimble::kernels
