// Each rewrite against the reference executor on the graph as it was, and that it took place.
#include "passes/recognise.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "graph/builder.h"
#include "graph/reference.h"

namespace thimble::passes {
namespace {

using namespace graph;

template <class T>
int count(const Graph& g) {
  int n = 0;
  for (const Node& node : g.nodes) n += std::holds_alternative<T>(node.op);
  return n;
}

int count_unary(const Graph& g, UnaryKind kind) {
  int n = 0;
  for (const Node& node : g.nodes) {
    const auto* u = std::get_if<Unary>(&node.op);
    n += u != nullptr && u->kind == kind;
  }
  return n;
}

// The rewritten graph, after both gave the same results on values between -6 and 6.
Graph checked(const Graph& g, Weights weights = {}) {
  const Graph now = recognise(g, weights);
  std::vector<Tensor> inputs;
  for (const ValueId v : g.inputs) {
    inputs.emplace_back(g.type(v));
    Rng rng(3, inputs.size());
    for (float& x : inputs.back().mutable_as<float>()) x = static_cast<float>(rng.uniform(-6, 6));
  }
  const auto executor = make_reference_executor();
  const auto before = (*executor->compile(g, weights, {}))(inputs),
             after = (*executor->compile(now, weights, {}))(inputs);
  EXPECT_EQ(before.size(), after.size());
  for (std::size_t o = 0; o < before.size(); ++o) {
    EXPECT_EQ(before[o].type(), after[o].type());
    for (std::size_t i = 0; i < before[o].as<float>().size(); ++i) {
      EXPECT_NEAR(before[o].as<float>()[i], after[o].as<float>()[i],
                  2e-6 * std::max(1.0f, std::abs(before[o].as<float>()[i])))
          << "output " << o << " at " << i;
    }
  }
  return now;
}

Var hard_gate(Builder& b, Var x) { return b.binary(BinaryKind::min, b.relu(x + 3), b.constant(6)); }

TEST(Recognise, HardSwishHoweverWritten) {
  const auto try_form = [](const std::function<Var(Builder&, Var)>& form) {
    Builder b("h");
    const Var x = b.input("x", {2, 5, 7});
    b.output("y", form(b, x));
    const Graph g = checked(b.finish());
    return count_unary(g, UnaryKind::hard_swish) == 1 && g.nodes.size() == 1;
  };
  EXPECT_TRUE(try_form([](Builder& b, Var x) { return x * hard_gate(b, x) * (1.0 / 6); }));
  EXPECT_TRUE(try_form([](Builder& b, Var x) { return x * (hard_gate(b, x) * (1.0 / 6)); }));
  EXPECT_TRUE(try_form([](Builder& b, Var x) { return (x * hard_gate(b, x)) / b.constant(6); }));
  EXPECT_TRUE(try_form([](Builder& b, Var x) {  // a hard sigmoid, then a product
    return b.binary(BinaryKind::min, b.relu(x * (1.0 / 6) + 0.5), b.constant(1)) * x;
  }));
  // Another slope is another function.
  EXPECT_FALSE(
      try_form([](Builder& b, Var x) { return b.binary(BinaryKind::min, b.relu(x * 0.2 + 0.5), b.constant(1)) * x; }));
  EXPECT_FALSE(try_form([](Builder& b, Var x) { return x * hard_gate(b, x); }));
}

TEST(Recognise, LowerHalf) {
  Builder b("p");
  const Var x = b.input("x", {3, 4});
  const Var slope = b.constant({4}, {0.1, 0.2, -0.3, 1.5});
  b.output("y", b.relu(x) + b.unary(UnaryKind::neg, b.relu(b.unary(UnaryKind::neg, x))) * slope);
  const Graph g = checked(b.finish());
  EXPECT_EQ(count_unary(g, UnaryKind::neg), 0);
  EXPECT_EQ(count_unary(g, UnaryKind::relu), 1);
}

TEST(Recognise, Softmax) {
  Builder b("s");
  const Var x = b.input("x", {2, 3, 5});
  const auto soft = [&](int sum_axis) {
    const Var e = b.unary(UnaryKind::exp, b.binary(BinaryKind::sub, x, b.reduce(ReduceKind::max, x, {2})));
    return e / b.sum(e, {sum_axis});
  };
  b.output("y", soft(2));
  b.output("z", soft(1));  // sums along another axis: no softmax
  const Graph g = checked(b.finish());
  EXPECT_EQ(count<Softmax>(g), 1);
  EXPECT_EQ(count<Reduce>(g), 2);
}

TEST(Recognise, ConvolutionsOfFewChannels) {
  for (const std::int64_t outputs : {1, 2, 3, 4, 8}) {
    Builder b("c");
    const Var x = b.input("x", {1, 6, 32, 3});
    const Var y = b.conv2d(x, "few", outputs, {.kernel = 3});
    b.output("y", b.sigmoid(y));
    const Graph before = b.finish();
    const Graph g = checked(before, initialise(before, 5));
    // Three do not divide sixteen.
    const bool wider = outputs != 3;
    EXPECT_EQ(count<Reshape>(g), wider ? 1 : 0) << outputs;
    EXPECT_EQ(count_unary(g, UnaryKind::sigmoid), 1);
  }
  // Strides, and widths that sixteen does not divide, stay.
  Builder b("c");
  const Var x = b.input("x", {1, 6, 31, 3});
  b.output("y", b.conv2d(x, "few", 1, {.kernel = 3}));
  b.output("z", b.conv2d(x, "half", 1, {.kernel = 3, .stride = 2}));
  const Graph before = b.finish();
  EXPECT_EQ(count<Reshape>(checked(before, initialise(before, 5))), 0);
}

TEST(Recognise, PointsWithSumsBehindThem) {
  Builder b("c");
  const Var x = b.input("x", {2, 3, 8, 5}), other = b.input("o", {2, 3, 8, 8});
  const Var sum = other + b.conv2d(x, "few", 8, {.kernel = 1});
  b.output("y", b.relu(sum));
  b.output("z", b.conv2d(x, "second", 8, {.kernel = 1}) + sum);
  const Graph before = b.finish();
  const Graph g = checked(before, initialise(before, 5));
  int wide = 0;
  for (const Node& node : g.nodes) {
    if (std::holds_alternative<Conv2d>(node.op)) wide += g.type(node.output).shape == Shape{2, 3, 4, 16};
  }
  EXPECT_EQ(wide, 2);
}

TEST(Recognise, WeightsThatAreConstants) {
  Builder b("c");
  const Var x = b.input("x", {1, 4, 16, 1});
  const Var w = b.constant({1, 1, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  b.output("y", b.add(Conv2d{.padding = {1, 1, 1, 1}}, {x, w, b.constant({1}, {0.5})}));
  EXPECT_EQ(count<Reshape>(checked(b.finish())), 1);
}

TEST(Recognise, OutputsInsideAChainStay) {
  Builder b("o");
  const Var x = b.input("x", {8});
  const Var gate = hard_gate(b, x);
  b.output("gate", gate);
  b.output("y", x * gate * (1.0 / 6));
  const Graph g = checked(b.finish());
  EXPECT_EQ(g.outputs.size(), 2u);
  EXPECT_EQ(count_unary(g, UnaryKind::hard_swish), 1);
}

}  // namespace
}  // namespace thimble::passes
