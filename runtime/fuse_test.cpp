// Every fusion: that it happens, that it does not where a value is wanted by others, and that results stay right.
#include <gtest/gtest.h>

#include <functional>

#include "graph/builder.h"
#include "runtime/device.h"
#include "runtime/test_support.h"

namespace thimble::runtime {
namespace {

using graph::Builder;
using graph::Graph;
using graph::Init;
using graph::Var;

Graph build(const std::function<void(Builder&)>& f) {
  Builder b("fusion");
  f(b);
  return b.finish();
}

// The ops of the plan, one string a step, and a comparison with the reference.
std::vector<std::string> steps(const Graph& g) {
  expect_agrees(g, graph::Precision::f32, 1e-5);
  expect_agrees(g, graph::Precision::bf16, 2e-2);
  std::vector<std::string> ops;
  for (const StepReport& s : plan_report(g, {}, {.threads = 2}).steps) ops.push_back(s.op);
  return ops;
}

std::vector<std::string> steps(const std::function<void(Builder&)>& f) { return steps(build(f)); }

using Ops = std::vector<std::string>;

TEST(Fuse, BiasAndActivationIntoLinear) {
  EXPECT_EQ(steps([](Builder& b) {
              b.output("y", b.gelu_tanh(b.linear(b.input("x", {2, 5, 12}), "fc", 20)));
            }),
            Ops{"linear+gelu_tanh"});
  EXPECT_EQ(steps([](Builder& b) {
              const Var w = b.param("w", {12, 7}, {Init::Kind::normal, 0.3}),
                        bias = b.param("b", {7}, {Init::Kind::normal, 1});
              b.output("y", b.silu(b.matmul(b.input("x", {5, 12}), w) + bias));
            }),
            Ops{"matmul+bias+silu"});
}

// max(x, 0) + slope * min(x, 0), as importers write a parametric ReLU.
Var sloped(Builder& b, Var x) {
  const Var slope = b.param("slope", {1, 1, x.dim(-1)}, {Init::Kind::normal, 0.5}), zero = b.constant(0.0);
  return b.unary(graph::UnaryKind::relu, x) + b.binary(graph::BinaryKind::min, x, zero) * slope;
}

TEST(Fuse, LimitsAndSlopesIntoConvolutions) {
  const auto six = [](Builder& b, Var x) { return b.binary(graph::BinaryKind::min, x, b.constant(1.5)); };
  const auto relu = [](Builder& b, Var x) { return b.unary(graph::UnaryKind::relu, x); };
  EXPECT_EQ(steps([&](Builder& b) {
              const Var x = b.input("x", {2, 6, 7, 8});
              b.output("y", six(b, relu(b, b.conv2d(x, "c", 12))));
              b.output("z", sloped(b, b.conv2d(x, "d", 24)));
              b.output("w", b.unary(graph::UnaryKind::hard_swish, b.conv2d(x, "e", 40)));
            }),
            (Ops{"conv2d+relu+min", "conv2d+prelu", "conv2d+hard_swish"}));
  // Behind a sum: the activation comes last.
  EXPECT_EQ(steps([&](Builder& b) {
              const Var x = b.input("x", {2, 6, 7, 16});
              const Var h = six(b, relu(b, b.conv2d(x, "c", 16) + x));
              b.output("y", sloped(b, b.conv2d(h, "d", 16) + h));
            }),
            (Ops{"conv2d+residual+relu+min", "conv2d+residual+prelu"}));
  // Two activations have no place; nor has a residual behind one that is the last.
  EXPECT_EQ(steps([&](Builder& b) {
              const Var x = b.input("x", {2, 6, 7, 16});
              b.output("y", relu(b, relu(b, b.conv2d(x, "c", 16)) + x));
              b.output("z", relu(b, b.conv2d(x, "d", 16) + x) + x);
            }).size(),
            4u);
  // The value before the slope is wanted elsewhere.
  EXPECT_EQ(steps([&](Builder& b) {
              const Var h = b.conv2d(b.input("x", {1, 6, 7, 8}), "c", 16);
              b.output("h", h);
              b.output("y", sloped(b, h));
            }).front(),
            "conv2d");
}

TEST(Fuse, GateAndResidualIntoLinear) {
  const auto block = [](Builder& b, bool tap) {
    const Var x = b.input("x", {2, 6, 16}), m = b.input("m", {2, 3, 16});
    const Var h = b.linear(x, "fc", 16);
    if (tap) b.tap("h", h);
    b.output("y", x + b.slice(m, 1, 1, 2) * h);
  };
  EXPECT_EQ(steps([&](Builder& b) { block(b, false); }), Ops{"linear+gate+residual"});
  EXPECT_EQ(steps([&](Builder& b) { block(b, true); }), (Ops{"linear", "binary mul", "binary add"}));
}

TEST(Fuse, NotWhereTheValueIsReadTwiceOrGivenOut) {
  EXPECT_EQ(steps([](Builder& b) {
              const Var h = b.linear(b.input("x", {3, 12}), "fc", 8);
              b.output("y", b.gelu(h) + h);
            }),
            (Ops{"linear", "unary gelu", "binary add"}));
  EXPECT_EQ(steps([](Builder& b) {
              const Var h = b.linear(b.input("x", {3, 12}), "fc", 8);
              b.output("h", h);
              b.output("y", b.gelu(h));
            }),
            (Ops{"linear", "unary gelu"}));
}

TEST(Fuse, ModulationIntoNorm) {
  EXPECT_EQ(steps([](Builder& b) {
              const auto m = b.chunk(b.input("m", {2, 6, 24}), 1, 6);
              b.output("y", b.modulate(b.layer_norm(b.input("x", {2, 9, 24})), m[3], m[4]));
            }),
            Ops{"layer_norm+modulate"});
  EXPECT_EQ(steps([](Builder& b) {
              const auto m = b.chunk(b.input("m", {1, 2, 24}), 1, 2);
              b.output("y", b.modulate(b.rms_norm(b.input("x", {2, 9, 24}), "n"), m[0], m[1]));
            }),
            Ops{"rms_norm+modulate"});
}

TEST(Fuse, ActivationIntoGroupNorm) {
  EXPECT_EQ(steps([](Builder& b) {
              b.output("y", b.silu(b.group_norm(b.input("x", {2, 4, 5, 16}), "n", 4)));
            }),
            Ops{"group_norm+silu"});
}

TEST(Fuse, ConvolutionTakesActivationResidualAndDoubling) {
  EXPECT_EQ(steps([](Builder& b) {
              const Var x = b.input("x", {2, 6, 5, 8});
              b.output("y", x + b.conv2d(b.relu(b.conv2d(x, "c1", 8)), "c2", 8));
            }),
            (Ops{"conv2d+relu", "conv2d+residual"}));
  EXPECT_EQ(steps([](Builder& b) {
              b.output("y", b.conv2d(b.resize(b.input("x", {1, 4, 3, 8}), graph::ResizeMode::nearest, 8, 6), "c", 12));
            }),
            Ops{"resize+conv2d"});
  EXPECT_EQ(steps([](Builder& b) {
              b.output("y", b.conv2d(b.resize(b.input("x", {1, 4, 3, 8}), graph::ResizeMode::nearest, 12, 9), "c", 12));
            }),
            (Ops{"resize", "conv2d"}));
}

TEST(Fuse, ConvolutionMakesChannelsInTheOrderOfTheShuffle) {
  EXPECT_EQ(steps([](Builder& b) {
              b.output("y", b.pixel_shuffle(b.conv2d(b.input("x", {2, 4, 3, 8}), "up", 12, {.kernel = 1}), 2));
            }),
            (Ops{"conv2d+pixel_shuffle", "pixel_shuffle"}));
  EXPECT_EQ(
      steps([](Builder& b) {
        b.output("y", b.relu(b.pixel_shuffle(b.conv2d(b.input("x", {1, 4, 3, 8}), "up", 45, {.bias = false}), 3)));
      }),
      (Ops{"conv2d+pixel_shuffle+relu", "pixel_shuffle"}));
  // A bias of another form than (O) keeps the channels where they are.
  EXPECT_EQ(steps([](Builder& b) {
              const Var bias = b.param("b", {1, 1, 1, 12}, {Init::Kind::normal, 1});
              b.output("y", b.pixel_shuffle(b.conv2d(b.input("x", {1, 4, 3, 8}), "up", 12, {.bias = false}) + bias, 2));
            }),
            (Ops{"conv2d+bias", "pixel_shuffle"}));
}

TEST(Fuse, ProjectionsOfOneAttentionAreOneProduct) {
  EXPECT_EQ(steps([](Builder& b) {
              const Var x = b.input("x", {2, 7, 16});
              const Var a = b.attention(b.linear(x, "q", 16), b.linear(x, "k", 16), b.linear(x, "v", 16),
                                        {.heads = 2, .kv_heads = 2});
              b.output("y", b.linear(a, "out", 16) + x);
            }),
            (Ops{"linear x3", "attention", "linear+residual"}));
}

TEST(Fuse, SlicesOfAFusedProjectionAreNotCopied) {
  EXPECT_EQ(steps([](Builder& b) {
              const auto qkv = b.chunk(b.linear(b.input("x", {2, 7, 16}), "qkv", 48), -1, 3);
              b.output("y", b.attention(qkv[0], qkv[1], qkv[2], {.heads = 4, .kv_heads = 4}));
            }),
            (Ops{"linear", "attention"}));
}

TEST(Fuse, ReshapeBeforeAnOutputIsNotCopied) {
  EXPECT_EQ(steps([](Builder& b) {
              b.output("y", b.reshape(b.linear(b.input("x", {2, 6, 8}), "fc", 4), {2, 2, 3, 4}));
            }),
            Ops{"linear"});
}

TEST(Fuse, WeightsThatTheGraphComputesArePackedAtRun) {
  EXPECT_EQ(steps([](Builder& b) {
              const Var w =
                  b.param("w", {10, 12}, {Init::Kind::normal, 0.3}) * b.param("s", {10, 1}, {Init::Kind::normal, 1});
              b.output("y", b.add(graph::Linear{}, {b.input("x", {5, 12}), w}));
            }),
            (Ops{"binary mul", "pack", "linear"}));
  EXPECT_EQ(
      steps([](Builder& b) {
        const Var w = b.tanh(b.param("w", {6, 2, 3, 3}, {Init::Kind::normal, 0.3}));
        b.output("y", b.add(graph::Conv2d{.padding = {1, 1, 1, 1}, .groups = 2}, {b.input("x", {1, 5, 6, 4}), w}));
      }),
      (Ops{"unary tanh", "transpose", "pack", "pack", "conv2d"}));
}

}  // namespace
}  // namespace thimble::runtime
