// Cases whose results were worked out by hand: they judge the reference interpreter.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "graph/builder.h"
#include "graph/reference.h"

namespace thimble::graph {
namespace {

using Floats = std::vector<float>;

// Runs `g` on f32 inputs and parameters given by name; the first output's values.
Floats evaluate(const Graph& g, const std::vector<Tensor>& inputs,
                const std::map<std::string, Floats>& parameters = {}) {
  Weights weights;
  for (const Parameter& p : g.parameters) {
    weights.set(g.value(p.value).name, Tensor::of(g.type(p.value).shape, parameters.at(g.value(p.value).name)));
  }
  const auto program = make_reference_executor()->compile(g, weights, {});
  const std::vector<Tensor> outputs = (*program)(inputs);
  const auto values = outputs[0].as<float>();
  return {values.begin(), values.end()};
}

Tensor tensor(Shape shape, const Floats& values) { return Tensor::of(std::move(shape), values); }

Tensor counting(Shape shape) {
  Floats values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return tensor(std::move(shape), values);
}

void expect_near(const Floats& got, const Floats& wanted, float tolerance = 1e-6f) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << "element " << i;
}

// One unary op on a few values.
Floats unary(UnaryKind kind, const Floats& x) {
  Builder b("golden");
  b.output("y", b.unary(kind, b.input("x", {static_cast<std::int64_t>(x.size())})));
  return evaluate(b.finish(), {tensor({static_cast<std::int64_t>(x.size())}, x)});
}

TEST(Golden, Unary) {
  using enum UnaryKind;
  expect_near(unary(exp, {0, 1}), {1, 2.7182818f});
  expect_near(unary(log, {1, 10}), {0, 2.3025851f});
  expect_near(unary(rsqrt, {4, 0.25f}), {0.5f, 2});
  expect_near(unary(UnaryKind::sigmoid, {0, 1, -1}), {0.5f, 0.73105858f, 0.26894142f});
  expect_near(unary(silu, {1, -1}), {0.73105858f, -0.26894142f});
  expect_near(unary(gelu, {1, -1, 3}), {0.84134475f, -0.15865525f, 2.9959503f});  // x times the normal distribution
  expect_near(unary(gelu_tanh, {1, -1}), {0.84119199f, -0.15880801f});
  expect_near(unary(softplus, {0, 50, -50}), {0.69314718f, 50, 0});
  expect_near(unary(hard_swish, {-4, -1, 1, 4}), {0, -1.f / 3, 2.f / 3, 4});
  expect_near(unary(UnaryKind::tanh, {0.5f}), {0.46211716f});
  expect_near(unary(round, {0.5f, 1.5f, 2.5f, -0.5f}), {0, 2, 2, 0});
  expect_near(unary(floor, {-0.5f, 1.9f}), {-1, 1});
  expect_near(unary(sign, {-3, 0, 2}), {-1, 0, 1});
}

TEST(Golden, BroadcastSubtractionAndIntegerDivision) {
  Builder b("golden");
  const Var left = b.input("a", {2, 1}), right = b.input("b", {3});
  b.output("y", left - right);
  expect_near(evaluate(b.finish(), {tensor({2, 1}, {10, 20}), tensor({3}, {1, 2, 3})}), {9, 8, 7, 19, 18, 17});

  Builder c("integers");
  const Var over = c.input("a", {4}, DType::i32), under = c.input("b", {4}, DType::i32);
  c.output("y", c.cast(over / under, DType::f32));
  const std::vector<std::int32_t> x{7, -7, 7, -7}, y{2, 2, -2, -2};
  expect_near(evaluate(c.finish(), {Tensor::of({4}, x), Tensor::of({4}, y)}), {3, -3, -3, 3});
}

TEST(Golden, TransposeSlicePadConcat) {
  Builder b("golden");
  const Var x = b.transpose(b.input("x", {2, 3}), {1, 0});  // 0 3 | 1 4 | 2 5
  const Var s = b.slice(x, 0, 0, 3, 2);                     // 0 3 | 2 5
  const Var p = b.pad(s, {0, 1}, {1, 0}, 9);                // 9 0 3 | 9 2 5 | 9 9 9
  b.output("y", b.concat({p, b.slice(p, 0, 1, 2)}, 0));     // and 9 2 5
  expect_near(evaluate(b.finish(), {counting({2, 3})}), {9, 0, 3, 9, 2, 5, 9, 9, 9, 9, 2, 5});
}

TEST(Golden, GatherClampsIndices) {
  Builder b("golden");
  const Var table = b.input("table", {3, 2}), i = b.input("i", {4}, DType::i32);
  b.output("y", b.gather(table, i));
  const std::vector<std::int32_t> indices{2, 0, -5, 7};
  expect_near(evaluate(b.finish(), {counting({3, 2}), Tensor::of({4}, indices)}), {4, 5, 0, 1, 0, 1, 4, 5});
}

TEST(Golden, MatMulInAllTranspositions) {
  // [1 2; 3 4; 5 6] times [1 0 2; 0 1 3] = [1 2 8; 3 4 18; 5 6 28]
  const Floats wanted{1, 2, 8, 3, 4, 18, 5, 6, 28};
  const Tensor a = tensor({3, 2}, {1, 2, 3, 4, 5, 6}), at = tensor({2, 3}, {1, 3, 5, 2, 4, 6});
  const Tensor m = tensor({2, 3}, {1, 0, 2, 0, 1, 3}), mt = tensor({3, 2}, {1, 0, 0, 1, 2, 3});
  for (bool ta : {false, true}) {
    for (bool tb : {false, true}) {
      Builder b("golden");
      const Var x = b.input("a", ta ? Shape{2, 3} : Shape{3, 2}), y = b.input("b", tb ? Shape{3, 2} : Shape{2, 3});
      b.output("y", b.matmul(x, y, ta, tb));
      expect_near(evaluate(b.finish(), {ta ? at : a, tb ? mt : m}), wanted);
    }
  }
}

TEST(Golden, LinearAddsItsBias) {
  Builder b("golden");
  b.output("y", b.linear(b.input("x", {1, 2}), "fc", 3));
  expect_near(
      evaluate(b.finish(), {tensor({1, 2}, {1, 10})}, {{"fc.weight", {1, 2, 3, 4, 5, 6}}, {"fc.bias", {0.5f, 0, -1}}}),
      {21.5f, 43, 64});
}

// A kernel whose only weight is at (row 0, column 2) moves the picture; padding {1, 0, 0, 2} says which way.
TEST(Golden, ConvolutionPadsTopLeftBottomRight) {
  Builder b("golden");
  const Var w = b.param("w", {1, 1, 2, 3}, {});
  b.output("y", b.add(Conv2d{{1, 1}, {1, 0, 0, 2}, {1, 1}, 1}, {b.input("x", {1, 2, 2, 1}), w}));
  // y(r, c) = x(r - 1, c + 2): nothing of a 2x2 picture but zeros
  const Graph g = b.finish();
  const Tensor x = tensor({1, 2, 2, 1}, {1, 2, 3, 4});
  expect_near(evaluate(g, {x}, {{"w", {0, 0, 1, 0, 0, 0}}}), {0, 0, 0, 0});
  // weight at (1, 0): y = x; at (0, 1): y(r, c) = x(r - 1, c + 1)
  expect_near(evaluate(g, {x}, {{"w", {0, 0, 0, 1, 0, 0}}}), {1, 2, 3, 4});
  expect_near(evaluate(g, {x}, {{"w", {0, 1, 0, 0, 0, 0}}}), {0, 0, 2, 0});
}

TEST(Golden, GroupedConvolutionKeepsGroupsApart) {
  Builder b("golden");
  const Var w = b.param("w", {4, 1, 1, 1}, {});
  b.output("y", b.add(Conv2d{{1, 1}, {0, 0, 0, 0}, {1, 1}, 2}, {b.input("x", {1, 1, 1, 2}), w}));
  expect_near(evaluate(b.finish(), {tensor({1, 1, 1, 2}, {1, 10})}, {{"w", {1, 2, 3, 4}}}), {1, 2, 30, 40});
}

TEST(Golden, PoolingIgnoresPadding) {
  const Tensor x = tensor({1, 2, 2, 1}, {-1, -2, -3, -4});
  for (auto [kind, wanted] :
       {std::pair{PoolKind::max, Floats{-1, -2, -3, -4}}, {PoolKind::average, {-1, -2, -3, -4}}}) {
    Builder b("golden");
    b.output("y", b.pool2d(b.input("x", {1, 2, 2, 1}), {kind, {2, 2}, {2, 2}, {1, 1, 1, 1}}));
    expect_near(evaluate(b.finish(), {x}), wanted);  // each window holds one pixel
  }
}

TEST(Golden, ResizeTakesPixelCentres) {
  Builder b("golden");
  b.output("y", b.resize(b.input("x", {1, 1, 2, 1}), ResizeMode::bilinear, 1, 4));
  expect_near(evaluate(b.finish(), {tensor({1, 1, 2, 1}, {0, 8})}), {0, 2, 6, 8});
  Builder n("golden");
  n.output("y", n.resize(n.input("x", {1, 1, 5, 1}), ResizeMode::nearest, 1, 3));
  expect_near(evaluate(n.finish(), {counting({1, 1, 5, 1})}), {0, 2, 4});
}

TEST(Golden, PixelShuffleInTheOrderOfChannels) {
  Builder b("golden");
  b.output("y", b.pixel_shuffle(b.input("x", {1, 1, 1, 8}), 2));  // channel c*4 + i*2 + j to pixel (i, j), channel c
  expect_near(evaluate(b.finish(), {counting({1, 1, 1, 8})}), {0, 4, 1, 5, 2, 6, 3, 7});
}

TEST(Golden, NormsOnARowOfThree) {
  // 1 2 3: mean 2, variance 2/3; mean square 14/3
  const float s = 1 / std::sqrt(2.f / 3), r = 1 / std::sqrt(14.f / 3);
  Builder b("golden");
  b.output("y", b.layer_norm(b.input("x", {1, 3}), "n", 0));
  const std::map<std::string, Floats> affine{{"n.weight", {1, 2, 1}}, {"n.bias", {0, 5, 1}}};
  expect_near(evaluate(b.finish(), {tensor({1, 3}, {1, 2, 3})}, affine), {-s, 5, s + 1});
  Builder c("golden");
  c.output("y", c.rms_norm(c.input("x", {1, 3}), "n", 0));
  expect_near(evaluate(c.finish(), {tensor({1, 3}, {1, 2, 3})}, {{"n.weight", {1, 1, 2}}}), {r, 2 * r, 6 * r});
}

TEST(Golden, GroupNormSharesStatisticsWithinAGroup) {
  // Two positions, channels {0, 1 | 2, 3}: group one sees 0 2 4 6 (mean 3, variance 5), group two 10 10 20 20.
  Builder b("golden");
  b.output("y", b.group_norm(b.input("x", {1, 2, 4}), "n", 2, 0));
  const float s = 1 / std::sqrt(5.f);
  expect_near(evaluate(b.finish(), {tensor({1, 2, 4}, {0, 2, 10, 20, 4, 6, 10, 20})},
                       {{"n.weight", {1, 1, 1, 1}}, {"n.bias", {0, 0, 0, 1}}}),
              {-3 * s, -s, -1, 2, s, 3 * s, -1, 2});
}

TEST(Golden, ModulateAndGlu) {
  Builder b("golden");
  const Var x = b.input("x", {1, 2, 1}), shift = b.input("shift", {1, 1, 1}), scale = b.input("scale", {1, 1, 1});
  b.output("y", b.modulate(x, shift, scale));
  expect_near(evaluate(b.finish(), {tensor({1, 2, 1}, {3, 5}), tensor({1, 1, 1}, {100}), tensor({1, 1, 1}, {1})}),
              {106, 110});
  Builder c("golden");
  c.output("y", c.glu(c.input("x", {1, 4}), UnaryKind::relu));
  expect_near(evaluate(c.finish(), {tensor({1, 4}, {3, 5, -1, 2})}), {0, 10});
}

TEST(Golden, SoftmaxAndReductions) {
  Builder b("golden");
  b.output("y", b.softmax(b.input("x", {2, 2}), 0));  // down the columns: differences log 3 and 0
  const float l = std::log(3.f);
  expect_near(evaluate(b.finish(), {tensor({2, 2}, {1000, 7, 1000 + l, 7})}), {0.25f, 0.5f, 0.75f, 0.5f}, 2e-5f);
  const std::vector<std::pair<ReduceKind, Floats>> wanted{{ReduceKind::sum, {3, 12}},
                                                          {ReduceKind::mean, {1, 4}},
                                                          {ReduceKind::max, {2, 5}},
                                                          {ReduceKind::min, {0, 3}},
                                                          {ReduceKind::prod, {0, 60}}};
  for (const auto& [kind, values] : wanted) {
    Builder c("golden");
    c.output("y", c.reduce(kind, c.input("x", {2, 3}), {1}, false));
    expect_near(evaluate(c.finish(), {counting({2, 3})}), values);
  }
}

// Queries that are zero see all keys alike, so the result is a mean of values: causality and masks decide of which.
TEST(Golden, AttentionAveragesWhatIsSeen) {
  const Tensor q = Tensor::filled({1, 3, 2}, 0), k = counting({1, 3, 2}), v = tensor({1, 3, 2}, {1, 10, 3, 30, 8, 80});
  const auto run = [&](bool causal, const Floats& mask) {
    Builder b("golden");
    const Attention op{.heads = 2, .kv_heads = 2, .causal = causal};
    const Var qv = b.input("q", {1, 3, 2}), kv = b.input("k", {1, 3, 2}), vv = b.input("v", {1, 3, 2});
    b.output("y", b.attention(qv, kv, vv, b.input("mask", {1, 1, 1, 3}), op));
    return evaluate(b.finish(), {q, k, v, tensor({1, 1, 1, 3}, mask)});
  };
  expect_near(run(false, {0, 0, 0}), {4, 40, 4, 40, 4, 40}, 1e-5f);
  expect_near(run(true, {0, 0, 0}), {1, 10, 2, 20, 4, 40}, 1e-5f);
  const float hidden = -std::numeric_limits<float>::infinity();
  expect_near(run(false, {hidden, 0, 0}), {5.5f, 55, 5.5f, 55, 5.5f, 55}, 1e-5f);
  expect_near(run(false, {0, 0, std::log(2.f)}), {5, 50, 5, 50, 5, 50}, 1e-5f);  // weights 1/4, 1/4, 1/2
}

TEST(Golden, AttentionSharesKeyHeadsInRuns) {
  // Four query heads over two key heads, one key: each query head returns the value of its key head.
  Builder b("golden");
  const Var q = b.input("q", {1, 1, 4}), k = b.input("k", {1, 1, 2}), v = b.input("v", {1, 1, 2});
  b.output("y", b.attention(q, k, v, {.heads = 4, .kv_heads = 2}));
  expect_near(evaluate(b.finish(), {counting({1, 1, 4}), counting({1, 1, 2}), tensor({1, 1, 2}, {5, 7})}),
              {5, 5, 7, 7});
}

TEST(Golden, AttentionScale) {
  // One dimension, keys 0 and 2, query 1, scale log(3)/2: weights 1/4 and 3/4.
  Builder b("golden");
  const Attention op{.scale = std::log(3.0) / 2};
  const Var q = b.input("q", {1, 1, 1}), k = b.input("k", {1, 2, 1}), v = b.input("v", {1, 2, 1});
  b.output("y", b.attention(q, k, v, op));
  expect_near(evaluate(b.finish(), {tensor({1, 1, 1}, {1}), tensor({1, 2, 1}, {0, 2}), tensor({1, 2, 1}, {0, 8})}),
              {6});
}

// A quantised layer without bias on one row: weights as bytes.
float quantised(const QuantLinear& op, const Floats& x, const std::vector<std::uint8_t>& bytes, const Floats& scale) {
  const auto inputs = static_cast<std::int64_t>(x.size()), width = static_cast<std::int64_t>(bytes.size());
  const DType type = op.bits == 4 ? DType::u8 : DType::i8;
  Builder b("golden");
  const Var w = b.param("w", {1, width}, {}, type), s = b.param("s", {1, static_cast<std::int64_t>(scale.size())}, {});
  b.output("y", b.add(op, {b.input("x", {1, inputs}), w, s}));
  Tensor numbers(TensorType{type, {1, width}});
  std::memcpy(numbers.mutable_data(), bytes.data(), bytes.size());
  Weights weights;
  weights.set("w", numbers);
  weights.set("s", tensor({1, static_cast<std::int64_t>(scale.size())}, scale));
  return (*make_reference_executor()->compile(b.finish(), weights, {}))({tensor({1, inputs}, x)})[0].as<float>()[0];
}

TEST(Golden, QuantLinearTakesTheEvenInputFromTheLowHalf) {
  // Inputs 0 and 1: -1 and -8; input 32, of the second group: 7.
  std::vector<std::uint8_t> bytes(32, 0);
  bytes[0] = 0x8f;
  bytes[16] = 0x07;
  const QuantLinear op{.bits = 4, .group = 32, .activations = 16};
  EXPECT_FLOAT_EQ(quantised(op, Floats(64, 1), bytes, {2, 0.5f}), 2 * (-1 - 8) + 0.5f * 7);
  Floats odd(64, 0);
  odd[1] = 3;
  EXPECT_FLOAT_EQ(quantised(op, odd, bytes, {2, 0.5f}), 3 * 2 * -8);
}

TEST(Golden, QuantLinearRoundsItsRows) {
  // The step is 1/127: 0.004 is half a step and a little more, one step; weights 1 and -100.
  EXPECT_FLOAT_EQ(quantised({.bits = 8}, {1, 0.004f}, {1, 0x9c}, {0.5f}), 0.5f * (127 - 100) / 127);
  EXPECT_FLOAT_EQ(quantised({.bits = 8}, {1, 0.0039f}, {1, 0x9c}, {0.5f}), 0.5f);
  // From -0.5 to 2.05 in 255 steps of 0.01, all values on them; symmetric steps of 2.05 / 127 move -0.5 to -31 steps.
  EXPECT_NEAR(quantised({.bits = 8, .asymmetric = true}, {-0.5f, 2.05f}, {10, 1}, {1}), -5 + 2.05, 1e-5);
  EXPECT_NEAR(quantised({.bits = 8}, {-0.5f, 2.05f}, {10, 1}, {1}), (-31 * 10 + 127) * 2.05 / 127, 1e-5);
}

TEST(Golden, LinearAttentionWeighsByProductsOfPositiveParts) {
  // Query (1, -5): the second feature is zero. Keys (1, 9) and (3, 9): weights 1/4 and 3/4.
  Builder b("golden");
  const Var q = b.input("q", {1, 1, 2}), k = b.input("k", {1, 2, 2}), v = b.input("v", {1, 2, 1});
  b.output("y", b.add(LinearAttention{.heads = 1}, {q, k, v}));
  expect_near(
      evaluate(b.finish(), {tensor({1, 1, 2}, {1, -5}), tensor({1, 2, 2}, {1, 9, 3, 9}), tensor({1, 2, 1}, {4, 8})}),
      {7});
}

TEST(Golden, SinusoidalEmbeddingIsCosinesThenSines) {
  // dim 4, period 100: frequencies 1 and 1/10, times the scale 2
  Builder b("golden");
  b.output("y", b.sinusoidal(b.input("t", {1}), {4, 100, 2}));
  expect_near(evaluate(b.finish(), {tensor({1}, {3})}), {std::cos(6.f), std::cos(0.6f), std::sin(6.f), std::sin(0.6f)});
}

TEST(Golden, CastsTruncateAndSaturate) {
  Builder b("golden");
  b.output("y", b.cast(b.cast(b.input("x", {5}), DType::i32), DType::f32));
  const float nan = std::nanf("");
  expect_near(evaluate(b.finish(), {tensor({5}, {-1.9f, 1.9f, 3e9f, -3e9f, nan})}),
              {-1, 1, 2147483647.f, -2147483648.f, 0});
}

}  // namespace
}  // namespace thimble::graph
