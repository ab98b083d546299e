// Tests of the builder, the verifier, tensors and executor arguments.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/expect_error.h"
#include "graph/reference.h"

namespace thimble::graph {
namespace {

Graph small_graph() {
  Builder b("small");
  const Var x = b.input("x", {2, 4});
  b.output("y", b.relu(b.linear(x, "fc", 3)));
  return b.finish();
}

TEST(Builder, NamesParametersByScope) {
  Builder b("scopes");
  Var x = b.input("x", {1, 8});
  {
    const auto outer = b.scope("blocks", 3);
    const auto inner = b.scope("ffn");
    EXPECT_EQ(b.scoped("w"), "blocks.3.ffn.w");
    x = b.linear(x, "fc1", 16);
  }
  x = b.layer_norm(x, "norm");
  b.output("y", x);
  const Graph g = b.finish();
  std::vector<std::string> names;
  for (const Parameter& p : g.parameters) names.push_back(g.value(p.value).name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"blocks.3.ffn.fc1.weight", "blocks.3.ffn.fc1.bias", "norm.weight", "norm.bias"}));
  EXPECT_EQ(g.parameter_count(), 16 * 8 + 16 + 16 + 16);
  EXPECT_EQ(g.parameters[0].init, (Init{Init::Kind::normal, 1 / std::sqrt(8.0)}));
  EXPECT_EQ(g.parameters[1].init.kind, Init::Kind::zeros);
  EXPECT_EQ(g.parameters[2].init.kind, Init::Kind::ones);
}

TEST(Builder, OneParameterForOneName) {
  Builder b("shared");
  const Var w = b.param("w", {3, 4}, {});
  EXPECT_EQ(b.param("w", {3, 4}, {}).id, w.id);
  expect_error([&] { b.param("w", {4, 3}, {}); }, {"'w'", "[3,4]", "[4,3]"});
}

TEST(Builder, ErrorsNameOpAndScope) {
  Builder b("errors");
  const Var x = b.input("x", {2, 4});
  const auto s = b.scope("block", 1);
  expect_error([&] { b.matmul(x, x); }, {"[matmul]", "inner sizes 4 and 2", "in block.1"});
  expect_error([&] { b.reshape(x, {3, 3}); }, {"[reshape]", "[3,3]", "f32[2,4]"});
  expect_error([&] { b.chunk(x, 1, 3); }, {"4", "3 parts"});
  expect_error([&] { x.dim(2); }, {"axis 2"});
}

TEST(Builder, ConvenienceShapes) {
  Builder b("shapes");
  const Var x = b.input("x", {2, 6, 8, 4});
  EXPECT_EQ(b.reshape(x, {2, -1, 4}).shape(), (Shape{2, 48, 4}));
  EXPECT_EQ(b.reshape(x, {2, 6, 8, 4}).id, x.id);  // nothing to do
  EXPECT_EQ(b.broadcast(x, {2, 6, 8, 4}).id, x.id);
  EXPECT_EQ(b.cast(x, DType::f32).id, x.id);
  EXPECT_EQ(b.conv2d(x, "c", 10).shape(), (Shape{2, 6, 8, 10}));
  EXPECT_EQ(b.conv2d(x, "d", 10, {.stride = 2}).shape(), (Shape{2, 3, 4, 10}));
  EXPECT_EQ(b.slice(x, -1, 1, 4, 2).shape(), (Shape{2, 6, 8, 2}));
  EXPECT_EQ(b.softmax(x).shape(), x.shape());
  EXPECT_EQ(b.mean(x, {1, 2}, false).shape(), (Shape{2, 4}));
  EXPECT_EQ(x.dim(-1), 4);
}

TEST(Builder, ZeroInitScale) {
  Builder b("zeros");
  b.output("y", b.linear(b.input("x", {1, 8}), "fc", 4, {.init_scale = 0}));
  EXPECT_EQ(b.finish().parameters[0].init.kind, Init::Kind::zeros);
}

TEST(Builder, RefusesValuesOfAnotherBuilder) {
  Builder a("a"), b("b");
  const Var x = a.input("x", {2});
  expect_error([&] { b.add(Unary{}, {x}); }, {"another builder"});
}

TEST(Verify, RefusesWhatAPassMayBreak) {
  const Graph good = small_graph();
  EXPECT_EQ(message_of([&] { verify(good); }), "no error");
  const auto broken = [&](auto&& change, std::initializer_list<std::string> parts) {
    Graph g = good;
    change(g);
    expect_error([&] { verify(g); }, parts);
  };
  broken([](Graph& g) { g.nodes[0].inputs[0] = 99; }, {"node 0 (linear)", "value 99"});
  broken([](Graph& g) { g.nodes[0].inputs[0] = -1; }, {"node 0 (linear)", "value -1"});
  broken([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }, {"before it is defined"});
  broken([](Graph& g) { g.nodes[0].inputs[0] = g.nodes[0].output; }, {"node 0 (linear)", "before it is defined"});
  broken([](Graph& g) { g.nodes[1].output = g.nodes[0].output; }, {"node 1 (unary)", "a second time"});
  broken(
      [](Graph& g) {
        g.values[static_cast<std::size_t>(g.nodes[1].output)].type.shape = {2, 5};
      },
      {"node 1 (unary)", "[2,5]", "[2,3]"});
  broken([](Graph& g) { g.nodes[0].inputs.pop_back(), g.nodes[0].inputs.pop_back(); },
         {"node 0 (linear)", "1 inputs came"});
  broken([](Graph& g) { g.outputs.clear(); }, {"no output"});
  broken([](Graph& g) { g.outputs.push_back(g.outputs[0]); }, {"output 'y' occurs twice"});
  broken([](Graph& g) { g.outputs[0].value = 1000; }, {"value 1000"});
  broken([](Graph& g) { g.taps.push_back({"t", 1000}); }, {"value 1000"});
  broken([](Graph& g) { g.inputs.push_back(g.inputs[0]); }, {"input 'x' occurs twice"});
  broken([](Graph& g) { g.parameters.push_back(g.parameters[0]); }, {"parameter 'fc.weight' occurs twice"});
  broken([](Graph& g) { g.inputs[0] = g.parameters[0].value; }, {"not of kind input"});
}

TEST(Graph, CountsUses) {
  Builder b("uses");
  const Var x = b.input("x", {2});
  const Var y = x * x;
  b.output("y", y);
  b.tap("t", y);
  const Graph g = b.finish();
  EXPECT_EQ(use_counts(g)[static_cast<std::size_t>(x.id)], 2);
  EXPECT_EQ(use_counts(g)[static_cast<std::size_t>(y.id)], 2);
  EXPECT_EQ(g.find_input("x"), x.id);
  EXPECT_FALSE(g.find_input("z").has_value());
}

TEST(Shapes, ElementCountRefusesOverflow) {
  EXPECT_EQ(element_count(Shape{}), 1);
  EXPECT_EQ(element_count(Shape{3, 0, 5}), 0);
  expect_error([] { element_count(Shape{-1}); }, {"negative size -1"});
  expect_error([] { element_count(Shape{1ll << 40, 1ll << 40}); }, {"64 bits"});
}

TEST(Shapes, BroadcastFollowsNumPy) {
  EXPECT_EQ(broadcast_shapes({4, 1, 6}, {3, 1}), (Shape{4, 3, 6}));
  EXPECT_EQ(broadcast_shapes({}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes({1}, {0}), (Shape{0}));
  expect_error([] { broadcast_shapes({2, 3}, {4}); }, {"[2,3]", "[4]"});
}

TEST(Tensor, CopiesBeforeItWritesToSharedBytes) {
  Tensor a = Tensor::filled({4}, 1);
  const Tensor b = a;
  a.mutable_as<float>()[0] = 5;
  EXPECT_EQ(b.as<float>()[0], 1);
  const float borrowed[2] = {7, 8};
  Tensor c({DType::f32, {2}}, nullptr, reinterpret_cast<const std::byte*>(borrowed));
  EXPECT_FALSE(c.owned());
  c.mutable_as<float>()[0] = 0;
  EXPECT_EQ(borrowed[0], 7);
}

TEST(Program, ChecksItsArguments) {
  const Graph g = small_graph();
  const auto program = make_reference_executor()->compile(g, initialise(g, 1), {});
  Tensor x = Tensor::filled({2, 4}, 1), y = Tensor::filled({2, 3}, 0), wrong = Tensor::filled({2, 5}, 0);
  const auto run = [&](std::vector<TensorView> in, std::vector<MutableTensorView> out) { program->run(in, out); };
  EXPECT_EQ(message_of([&] { run({x.view()}, {y.mutable_view()}); }), "no error");
  expect_error([&] { run({}, {y.mutable_view()}); }, {"1 inputs", "0 and 1 came"});
  expect_error([&] { run({wrong.view()}, {y.mutable_view()}); }, {"input 'x'", "f32[2,4]", "f32[2,5]"});
  expect_error([&] { run({x.view()}, {wrong.mutable_view()}); }, {"output 0", "f32[2,3]"});
  CancelToken cancel;
  cancel.cancel();
  const std::vector<TensorView> in{x.view()};
  const std::vector<MutableTensorView> out{y.mutable_view()};
  expect_error([&] { program->run(in, out, &cancel); }, {"stopped"});
}

}  // namespace
}  // namespace thimble::graph
