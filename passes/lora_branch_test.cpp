// The unmerged branch: the graph as text, the same numbers as merged weights, and what is refused.
#include "passes/lora_branch.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "graph/builder.h"
#include "graph/reference.h"
#include "graph/text.h"

namespace thimble::passes {
namespace {

using namespace graph;

Tensor drawn(Shape shape, std::uint64_t stream) {
  Tensor t(TensorType{DType::f32, std::move(shape)});
  fill_normal(t.mutable_as<float>(), 3, stream);
  return t;
}

std::vector<float> outputs_of(const Graph& g, const Weights& weights, const std::vector<Tensor>& inputs) {
  const auto out = make_reference_executor()->compile(g, weights, {})->operator()(inputs);
  return {out[0].as<float>().begin(), out[0].as<float>().end()};
}

TEST(LoraBranch, GraphAsText) {
  const Graph g = parse_graph(R"(graph "g" {
  input %x: f32[1,4]
  param @fc.weight: f32[3,4] normal 1
  param @fc.bias: f32[3] zeros
  param @out.weight: f32[2,3] normal 1
  %0 = linear(%x, @fc.weight, @fc.bias) : f32[1,3]
  %1 = unary(%0) {kind=silu} : f32[1,3]
  %2 = linear(%1, @out.weight) : f32[1,2]
  output "y" = %2
}
)");
  EXPECT_EQ(print_graph(add_lora_branches(g, {{"fc.weight", 2}})), R"(graph "g" {
  input %x: f32[1,4]
  param @fc.weight: f32[3,4] normal 1
  param @fc.bias: f32[3] zeros
  param @fc.lora_down.weight: f32[2,4] normal 0.02
  param @fc.lora_up.weight: f32[3,2] zeros
  param @out.weight: f32[2,3] normal 1
  %0 = linear(%x, @fc.weight, @fc.bias) : f32[1,3]
  %1 = linear(%x, @fc.lora_down.weight) : f32[1,2]
  %2 = linear(%1, @fc.lora_up.weight) : f32[1,3]
  %3 = binary(%0, %2) {kind=add} : f32[1,3]
  %4 = unary(%3) {kind=silu} : f32[1,3]
  %5 = linear(%4, @out.weight) : f32[1,2]
  output "y" = %5
}
)");
}

// W + f up down for matrices and for filters (rows of all their inputs).
Tensor merged(const Tensor& weight, std::span<const LowRank> changes) {
  Tensor sum = Tensor::of(weight.shape(), weight.as<float>());
  const auto to = sum.mutable_as<float>();
  for (const LowRank& c : changes) {
    const auto d = c.down.as<float>(), u = c.up.as<float>();
    const auto rank = static_cast<std::size_t>(c.down.shape()[0]), columns = d.size() / rank;
    for (std::size_t i = 0; i < to.size(); ++i) {
      for (std::size_t k = 0; k < rank; ++k) {
        to[i] += static_cast<float>(c.factor * u[i / columns * rank + k] * d[k * columns + i % columns]);
      }
    }
  }
  return sum;
}

TEST(LoraBranch, SameAsMergedWeights) {
  Builder b("net");
  Var x = b.input("x", {1, 5, 4, 3});
  x = b.conv2d(x, "conv", 6, {.stride = 2});
  x = b.silu(x);
  b.output("y", b.linear(x, "fc", 7));
  const Graph g = b.finish();
  Weights plain = initialise(g, 1);
  const std::vector<LowRank> fc{{drawn({2, 6}, 1), drawn({7, 2}, 2), 0.7}, {drawn({3, 6}, 3), drawn({7, 3}, 4), -1.5}},
      conv{{drawn({2, 3, 3, 3}, 5), drawn({6, 2, 1, 1}, 6), 0.5}};
  Weights branched = plain, together = plain;
  set_lora_branch(branched, "fc.weight", fc);
  set_lora_branch(branched, "conv.weight", conv);
  together.set("fc.weight", merged(plain.at("fc.weight"), fc));
  together.set("conv.weight", merged(plain.at("conv.weight"), conv));
  const std::vector<Tensor> inputs{drawn({1, 5, 4, 3}, 9)};
  const auto want = outputs_of(g, together, inputs), before = outputs_of(g, plain, inputs);
  const auto got = outputs_of(add_lora_branches(g, {{"fc.weight", 5}, {"conv.weight", 2}}), branched, inputs);
  ASSERT_EQ(got.size(), want.size());
  double change = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], 1e-5) << i;
    change = std::max(change, std::abs(double{got[i]} - before[i]));
  }
  EXPECT_GT(change, 1);
}

// y = s q x on an int8 layer, and the branch in floats beside it.
TEST(LoraBranch, BesideQuantisedWeights) {
  Builder b("net");
  const Var x = b.input("x", {1, 32});
  const Var w = b.param("fc.weight", {2, 32}, {Init::Kind::uniform, 127}, DType::i8);
  const Var scale = b.param("fc.weight.scale", {2, 1}, {Init::Kind::constant, 0.01});
  b.output("y", b.add(QuantLinear{.bits = 8, .group = 0, .activations = 16}, {x, w, scale}));
  const Graph g = b.finish();
  Weights weights = initialise(g, 1);
  const std::vector<LowRank> change{{drawn({1, 32}, 1), drawn({2, 1}, 2), 2}};
  set_lora_branch(weights, "fc.weight", change);
  const std::vector<Tensor> inputs{drawn({1, 32}, 3)};
  const auto before = outputs_of(g, weights, inputs);
  const auto after = outputs_of(add_lora_branches(g, {{"fc.weight", 1}}), weights, inputs);
  double h = 0;
  for (std::size_t i = 0; i < 32; ++i) h += double{change[0].down.as<float>()[i]} * inputs[0].as<float>()[i];
  for (std::size_t o = 0; o < 2; ++o) EXPECT_NEAR(after[o] - before[o], 2 * change[0].up.as<float>()[o] * h, 1e-4);
}

TEST(LoraBranch, RefusesWhatItCannotReach) {
  Builder b("net");
  b.output("y", b.rms_norm(b.linear(b.input("x", {1, 4}), "fc", 3), "norm"));
  const Graph g = b.finish();
  const auto refusal = [&](const std::map<std::string, std::int64_t>& ranks) {
    try {
      add_lora_branches(g, ranks);
    } catch (const Error& e) {
      return e.message();
    }
    return std::string("no error");
  };
  EXPECT_EQ(refusal({{"gone.weight", 1}}), "a LoRA changes 'gone.weight', which this graph does not have");
  EXPECT_EQ(refusal({{"norm.weight", 1}}), "a LoRA changes 'norm.weight', which no linear layer or convolution reads");
  EXPECT_EQ(refusal({{"fc.weight", 0}}), "a LoRA of 'fc.weight' has the rank 0");
}

}  // namespace
}  // namespace thimble::passes
