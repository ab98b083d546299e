// Tests of the passes: the expected graph as text, and equal results.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/rng.h"
#include "graph/builder.h"
#include "graph/reference.h"
#include "graph/text.h"
#include "models/dit.h"
#include "passes/fold_constants.h"
#include "passes/passes.h"
#include "passes/split_invariant.h"

namespace thimble::passes {
namespace {

using namespace graph;

std::vector<Tensor> run(const Graph& g, const Weights& weights, const std::vector<Tensor>& inputs) {
  return (*make_reference_executor()->compile(g, weights, {}))(inputs);
}

Tensor draw(const TensorType& type, std::uint64_t stream) {
  Tensor t(type);
  fill_normal(t.mutable_as<float>(), 9, stream);
  return t;
}

TEST(SplitInvariant, CutsWhereTheNamedInputsMeetTheRest) {
  const Graph g = parse_graph(R"(graph "g" {
  input %x: f32[1,2]
  input %text: f32[1,3]
  param @w: f32[4,3] normal 1
  %2 = linear(%text, @w) : f32[1,4]
  %3 = unary(%2) {kind=silu} : f32[1,4]
  %4 = slice(%3) {axis=1, begin=0, end=2, step=1} : f32[1,2]
  %5 = slice(%3) {axis=1, begin=2, end=4, step=1} : f32[1,2]
  %6 = binary(%x, %4) {kind=mul} : f32[1,2]
  %7 = binary(%6, %5) {kind=add} : f32[1,2]
  output "y" = %7
}
)");
  const Split s = split_invariant(g, {"text"});
  EXPECT_EQ(print_graph(s.once), R"(graph "g.once" {
  input %text: f32[1,3]
  param @w: f32[4,3] normal 1
  %0 = linear(%text, @w) : f32[1,4]
  %1 = unary(%0) {kind=silu} : f32[1,4]
  output "once.0" = %1
}
)");
  EXPECT_EQ(print_graph(s.rest), R"(graph "g" {
  input %x: f32[1,2]
  input %once.0: f32[1,4]
  %0 = slice(%once.0) {axis=1, begin=0, end=2, step=1} : f32[1,2]
  %1 = slice(%once.0) {axis=1, begin=2, end=4, step=1} : f32[1,2]
  %2 = binary(%x, %0) {kind=mul} : f32[1,2]
  %3 = binary(%2, %1) {kind=add} : f32[1,2]
  output "y" = %3
}
)");
}

TEST(SplitInvariant, NothingToSplitLeavesTheGraphAsItIs) {
  Builder b("g");
  const Var x = b.input("x", {2, 4}), mask = b.input("mask", {1, 4});
  b.output("y", x + b.broadcast(mask, {2, 4}));
  const Graph g = b.finish();
  const Split s = split_invariant(g, {"mask"});
  EXPECT_TRUE(s.once.nodes.empty());
  EXPECT_TRUE(s.once.outputs.empty());
  EXPECT_EQ(s.rest, g);
}

TEST(SplitInvariant, RefusesAnUnknownInput) {
  Builder b("g");
  b.output("y", b.relu(b.input("x", {2})));
  try {
    split_invariant(b.finish(), {"text"});
    FAIL() << "an unknown input was taken";
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), "graph 'g' has no input 'text' to split by");
  }
}

// Keys and values of all blocks, and the pooled text, leave the denoiser.
TEST(SplitInvariant, DenoiserGivesTheSameResult) {
  const Graph g =
      models::build_dit({.latent_channels = 4, .grid = 2, .width = 16, .depth = 3, .heads = 2, .text_width = 12}, 2, 5);
  Weights weights = initialise(g, 1);
  for (const std::string& name : weights.names())
    weights.set(name, draw({DType::f32, weights.at(name).shape()}, weights.at(name).shape().size()));
  const Split s = split_invariant(g, {"text", "pooled", "mask"});
  EXPECT_EQ(s.once.outputs.size(), 4u);  // kv of three blocks, and the projection of the pooled text
  EXPECT_FALSE(s.once.find_input("mask"));
  EXPECT_TRUE(s.rest.find_input("mask"));
  EXPECT_FALSE(s.rest.find_input("text"));
  EXPECT_FALSE(s.rest.find_input("pooled"));
  EXPECT_EQ(s.rest.taps.size(), g.taps.size());
  EXPECT_EQ(s.once.parameter_count() + s.rest.parameter_count(), g.parameter_count());

  std::map<std::string, Tensor> values;
  const auto inputs_of = [&](const Graph& graph) {
    std::vector<Tensor> in;
    for (ValueId v : graph.inputs) in.push_back(values.at(graph.value(v).name));
    return in;
  };
  for (std::size_t i = 0; i < g.inputs.size(); ++i)
    values[g.value(g.inputs[i]).name] = draw(g.type(g.inputs[i]), 100 + i);
  const auto whole = run(g, weights, inputs_of(g));
  const auto once = run(s.once, weights, inputs_of(s.once));
  for (std::size_t i = 0; i < once.size(); ++i) values[s.once.outputs[i].name] = once[i];
  const auto rest = run(s.rest, weights, inputs_of(s.rest));
  // What is handed over is rounded to f32 once, while the reference keeps doubles inside a graph.
  double most = 0;
  for (float v : whole[0].as<float>()) most = std::max(most, std::fabs(static_cast<double>(v)));
  for (std::size_t i = 0; i < whole[0].as<float>().size(); ++i) {
    EXPECT_NEAR(rest[0].as<float>()[i], whole[0].as<float>()[i], 2e-6 * most);
  }
}

TEST(FoldConstants, EvaluatesWhatDependsOnConstantsAlone) {
  const Graph g = parse_graph(R"(graph "g" {
  input %x: f32[3]
  %1 = constant() {dtype=f32, shape=[3], values=[1,2,3]} : f32[3]
  %2 = constant() {dtype=f32, shape=[], values=[2]} : f32[]
  %3 = binary(%1, %2) {kind=mul} : f32[3]
  %4 = unary(%3) {kind=square} : f32[3]
  %5 = cast(%4) {dtype=i32} : i32[3]
  %6 = binary(%x, %4) {kind=add} : f32[3]
  output "y" = %6
  output "n" = %5
}
)");
  EXPECT_EQ(print_graph(fold_constants(g)), R"(graph "g" {
  input %x: f32[3]
  %0 = constant() {dtype=f32, shape=[3], values=[4,16,36]} : f32[3]
  %1 = constant() {dtype=i32, shape=[3], values=[4,16,36]} : i32[3]
  %2 = binary(%x, %0) {kind=add} : f32[3]
  output "y" = %2
  output "n" = %1
}
)");
}

TEST(FoldConstants, LeavesLargeValuesAndGraphsWithoutConstants) {
  Builder b("g");
  const Var x = b.input("x", {100, 100});
  b.output("y", x + b.broadcast(b.constant(2) * 3, {100, 100}));
  const Graph folded = fold_constants(b.finish());
  ASSERT_EQ(folded.nodes.size(), 3u);  // 6, its broadcast, the sum
  EXPECT_EQ(std::get<Constant>(folded.nodes[0].op).values, std::vector<double>{6});

  Builder c("h");
  c.output("y", c.relu(c.input("x", {2})));
  const Graph h = c.finish();
  EXPECT_EQ(fold_constants(h), h);
}

TEST(Passes, TheListNamesThem) {
  ASSERT_EQ(passes().size(), 5u);
  EXPECT_EQ(passes()[1].name, "lora_branch");
  EXPECT_EQ(passes()[2].name, "quantize");
  EXPECT_EQ(passes()[3].name, "recognise");
  EXPECT_EQ(passes()[4].name, "split_invariant");
}

}  // namespace
}  // namespace thimble::passes
