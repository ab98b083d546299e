// Convolutions against a plain loop over taps in double: every runnable kernel, geometry, groups, epilogue, threads.
// Bounds as in gemm_test.cpp: (8 + 2 sqrt(K)) * 2^-24 * sum|terms| for f32 sums, doubled for bf16 dot products, plus
// the rounding of a bf16 output.
#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kernels/gemm/amx_emulated.h"

namespace thimble::kernels {
namespace {

std::vector<float> random_values(std::int64_t n, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(n));
  Rng rng(seed);
  for (float& v : values) v = to_f32(to_bf16(static_cast<float>(rng.uniform(-1, 1))));
  return values;
}

std::vector<std::byte> as_type(const std::vector<float>& values, DType type) {
  std::vector<std::byte> bytes(values.size() * size_of(type));
  convert(DType::f32, values.data(), type, bytes.data(), values.size());
  return bytes;
}

struct Options {
  bool epilogue = false;      // bias per picture, silu, gate per picture, residual
  std::int64_t extra_ld = 0;  // of both pictures
  bool bf16_out = false;
  DType w_type = DType::f32;
  int threads = 1;
};

std::vector<std::byte> run_conv(const ConvPlan& plan, const Options& o = {}, bool compare = true) {
  const ConvShape& s = plan.shape;
  const std::int64_t OH = s.out_h(), OW = s.out_w(), x_ld = s.C + o.extra_ld, y_ld = s.O + o.extra_ld;
  const std::int64_t Cg = s.C / s.groups, Og = s.O / s.groups, up = s.upsample ? 2 : 1;
  const DType y_type = o.bf16_out ? plan.type : DType::f32;
  const auto x = random_values(s.B * s.H * s.W * x_ld, 1), w = random_values(s.O * Cg * s.kh * s.kw, 2);
  const auto r = random_values(s.B * OH * OW * y_ld, 3), bias = random_values(s.B * s.O, 4);
  const auto gate = random_values(s.B * s.O, 5);
  const auto x_typed = as_type(x, plan.type), w_typed = as_type(w, o.w_type), r_typed = as_type(r, y_type);

  Buffer packed(conv_packed_bytes(plan)), scratch(conv_scratch_bytes(plan));
  if (scratch.size()) std::memset(scratch.data(), 0xff, scratch.size());  // NaN: what scratch held must not matter
  ThreadPool pool(o.threads);
  conv_pack(plan, w_typed.data(), o.w_type, pool, packed.data());
  std::vector<std::byte> y(r_typed.size(), std::byte{0x5a});
  ConvArgs args{.x = x_typed.data(),
                .x_ld = o.extra_ld ? x_ld : 0,
                .w = packed.data(),
                .y = y.data(),
                .y_ld = o.extra_ld ? y_ld : 0,
                .y_type = y_type,
                .epilogue = {}};
  if (o.epilogue) {
    args.epilogue = {.bias = bias.data(),
                     .bias_batch_stride = s.O,
                     .act = Activation::silu,
                     .gate = gate.data(),
                     .gate_type = DType::f32,
                     .gate_batch_stride = s.O,
                     .rows_per_batch = OH * OW,
                     .residual = r_typed.data(),
                     .residual_ld = y_ld};
  }
  conv(plan, args, pool, scratch.data());
  if (!compare) return y;

  const bool products = plan.kind == ConvPlan::Kind::gemm || plan.kind == ConvPlan::Kind::implicit;
  const bool pairs = products && plan.gemm->layout == WeightLayout::bf16_pair;
  const double eps = (pairs ? 2 : 1) * (8 + 2 * std::sqrt(double(plan.K))) * 0x1p-24;
  std::vector<float> got(r.size());
  convert(y_type, y.data(), DType::f32, got.data(), got.size());
  for (std::int64_t b = 0; b < s.B; ++b) {
    for (std::int64_t oy = 0; oy < OH; ++oy) {
      for (std::int64_t ox = 0; ox < OW; ++ox) {
        for (std::int64_t n = 0; n < s.O; ++n) {
          double sum = 0, size = 0;
          for (std::int64_t ky = 0; ky < s.kh; ++ky) {
            for (std::int64_t kx = 0; kx < s.kw; ++kx) {
              const std::int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
              const std::int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
              if (iy < 0 || iy >= s.H * up || ix < 0 || ix >= s.W * up) continue;
              for (std::int64_t c = 0; c < Cg; ++c) {
                const auto at_x = ((b * s.H + iy / up) * s.W + ix / up) * x_ld + n / Og * Cg + c;
                const auto at_w = ((n * Cg + c) * s.kh + ky) * s.kw + kx;
                const double term = double(x[std::size_t(at_x)]) * w[std::size_t(at_w)];
                sum += term;
                size += std::abs(term);
              }
            }
          }
          const auto at = std::size_t(((b * OH + oy) * OW + ox) * y_ld + n);
          double wanted = sum;
          if (o.epilogue) {
            const double pre = sum + bias[std::size_t(b * s.O + n)];
            wanted = r[at] + gate[std::size_t(b * s.O + n)] * pre / (1 + std::exp(-pre));
          }
          double bound = 1.2 * eps * size + 0x1p-22 * (std::abs(sum) + std::abs(wanted)) + 1e-30;
          if (o.epilogue) bound += 1e-6 * std::max(1.0, std::abs(sum));
          if (y_type == DType::bf16) bound += 0x1p-8 * std::abs(wanted);
          if (!(std::abs(got[at] - wanted) <= bound)) {
            ADD_FAILURE() << conv_kernel_name(plan) << " C " << s.C << " O " << s.O << " kernel " << s.kh << "x" << s.kw
                          << " at (" << b << ", " << oy << ", " << ox << ", " << n << "): got " << got[at]
                          << ", wanted " << wanted << " within " << bound;
            return y;
          }
        }
      }
    }
  }
  return y;
}

std::vector<const GemmKernel*> all_kernels() {
  auto kernels = testable_kernels(DType::f32);
  for (const GemmKernel* k : testable_kernels(DType::bf16)) kernels.push_back(k);
  return kernels;
}

ConvShape shape(std::int64_t C, std::int64_t O, std::int64_t taps) {
  return {.B = 2,
          .H = 6,
          .W = 7,
          .C = C,
          .O = O,
          .kh = taps,
          .kw = taps,
          .pad_top = taps / 2,
          .pad_left = taps / 2,
          .pad_bottom = taps / 2,
          .pad_right = taps / 2};
}

// Geometries that every kind of convolution must get right.
std::vector<ConvShape> geometries(std::int64_t C, std::int64_t O, std::int64_t groups) {
  std::vector<ConvShape> all;
  const auto add = [&](std::int64_t taps, auto change) {
    ConvShape s = shape(C, O, taps);
    s.groups = groups;
    change(s);
    all.push_back(s);
  };
  add(1, [](ConvShape&) {});
  add(3, [](ConvShape&) {});
  add(5, [](ConvShape&) {});
  add(3, [](ConvShape& s) { s.stride_h = s.stride_w = 2; });
  add(1, [](ConvShape& s) { s.stride_h = s.stride_w = 2; });
  add(3, [](ConvShape& s) { s.pad_top = s.pad_left = 0, s.stride_h = s.stride_w = 2; });  // below and right only
  add(3, [](ConvShape& s) { s.pad_top = 3, s.pad_left = 4, s.pad_bottom = 0, s.pad_right = 2; });
  add(3, [](ConvShape& s) { s.dilation_h = 2, s.dilation_w = 3, s.pad_left = s.pad_right = 3; });
  add(3, [](ConvShape& s) { s.kh = 2, s.kw = 4, s.stride_w = 3; });
  add(4, [](ConvShape& s) { s.stride_h = s.stride_w = 4, s.pad_top = s.pad_left = s.pad_bottom = s.pad_right = 0; });
  add(3, [](ConvShape& s) { s.upsample = true; });
  add(1, [](ConvShape& s) { s.upsample = true; });
  add(3, [](ConvShape& s) { s.upsample = true, s.stride_w = 2; });
  add(3, [](ConvShape& s) { s.W = 40, s.H = 3; });
  return all;
}

TEST(Conv, EveryGeometry) {
  for (const GemmKernel* k : all_kernels()) {
    for (const auto& [C, O, groups] : {std::array<std::int64_t, 3>{3, 20, 1}, {37, 5, 1}, {12, 18, 3}}) {
      for (const ConvShape& s : geometries(C, O, groups)) {
        run_conv(plan_conv_with(s, *k, 1));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(Conv, SeveralBlocksOfK) {
  for (const GemmKernel* k : all_kernels()) {
    run_conv(plan_conv_with(shape(k->kc / 4 + 3, 9, 3), *k, 2), {.epilogue = true, .threads = 2});
  }
}

TEST(Conv, EpilogueAndLeadingDimensions) {
  for (const GemmKernel* k : all_kernels()) {
    for (bool bf16_out : {false, true}) {
      for (std::int64_t taps : {1, 3}) {
        ConvShape s = shape(10, 14, taps);
        run_conv(plan_conv_with(s, *k, 1), {.epilogue = true, .extra_ld = 3, .bf16_out = bf16_out});
        s.groups = 2;
        run_conv(plan_conv_with(s, *k, 1), {.epilogue = true, .extra_ld = 3, .bf16_out = bf16_out});
      }
    }
  }
}

TEST(Conv, Depthwise) {
  for (Isa isa : usable_isas()) {
    for (DType type : {DType::f32, DType::bf16}) {
      for (std::int64_t C : {2, 15, 16, 33, 70}) {
        for (const ConvShape& s : geometries(C, C, C)) {
          const ConvPlan plan = plan_conv(s, type, 2, isa);
          ASSERT_EQ(plan.kind, ConvPlan::Kind::depthwise);
          run_conv(plan);
          run_conv(plan, {.epilogue = true, .extra_ld = 5, .bf16_out = true, .w_type = DType::bf16, .threads = 2});
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(Conv, FewInputsOrOutputs) {
  for (Isa isa : usable_isas()) {
    for (DType type : {DType::f32, DType::bf16}) {
      for (const auto& [C, O] : {std::array<std::int64_t, 2>{3, 20}, {5, 70}, {33, 3}, {64, 1}, {40, 4}}) {
        for (const ConvShape& s : geometries(C, O, 1)) {
          const ConvPlan plan = plan_conv(s, type, 2, isa);
          if (O > 4 && type == DType::bf16) continue;  // products
          if (!s.upsample) {
            ASSERT_EQ(plan.kind, ConvPlan::Kind::direct) << C << ' ' << O;
          }
          run_conv(plan);
          run_conv(plan, {.epilogue = true, .extra_ld = 5, .bf16_out = true, .w_type = DType::bf16, .threads = 2});
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(Conv, ThreadsDoNotChangeABit) {
  ConvShape s = shape(40, 70, 3);
  s.H = s.W = 19;
  ConvShape depthwise = shape(40, 40, 3);
  depthwise.H = depthwise.W = 19;
  depthwise.groups = 40;
  for (DType type : {DType::f32, DType::bf16}) {
    for (const ConvShape& each : {s, depthwise}) {
      const ConvPlan plan = plan_conv(each, type, 3);
      const auto one = run_conv(plan, {.epilogue = true}, false);
      for (int threads : {2, 3}) {
        EXPECT_EQ(one, run_conv(plan, {.epilogue = true, .threads = threads}, false)) << conv_kernel_name(plan);
      }
    }
  }
}

TEST(Conv, PlainOneByOneIsAProduct) {
  EXPECT_EQ(plan_conv(shape(256, 8, 1), DType::f32, 1).kind, ConvPlan::Kind::gemm);
  EXPECT_EQ(plan_conv(shape(32, 8, 3), DType::f32, 1).kind, ConvPlan::Kind::implicit);
}

TEST(Conv, WrongShapesAreNamed) {
  const auto message = [](const ConvShape& s) -> std::string {
    try {
      plan_conv(s, DType::f32, 1);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_NE(message({.C = 6, .O = 4, .groups = 4}).find("groups"), std::string::npos);
  EXPECT_NE(message({.H = 2, .W = 2, .kh = 3, .kw = 3}).find("larger than the padded input"), std::string::npos);
  EXPECT_NE(message({.stride_h = 0}).find("stride"), std::string::npos);
  EXPECT_NE(message({.pad_left = -1}).find("padding"), std::string::npos);
  EXPECT_THROW(plan_conv({}, DType::f16, 1), Error);
  float out[64];
  std::int8_t w = 0;
  ThreadPool pool(1);
  EXPECT_THROW(conv_pack(plan_conv({}, DType::f32, 1), &w, DType::i8, pool, out), Error);
}

}  // namespace
}  // namespace thimble::kernels
