// Costs against formulas, and decompositions that change neither price nor parameters.
#include "graph/cost.h"

#include <gtest/gtest.h>

#include "graph/builder.h"
#include "graph/decompose.h"

namespace thimble::graph {
namespace {

// The cost of the only node of a graph with the one op.
double flops(const Op& op, const std::vector<Shape>& shapes) {
  std::vector<TensorType> in;
  for (const Shape& s : shapes) in.push_back({DType::f32, s});
  return op_flops(op, in, infer_type(op, in));
}

TEST(Cost, Products) {
  EXPECT_EQ(flops(Linear{}, {{2, 9, 32}, {48, 32}}), 2.0 * 18 * 32 * 48);
  EXPECT_EQ(flops(Linear{}, {{2, 9, 32}, {48, 32}, {48}}), 2.0 * 18 * 32 * 48 + 18 * 48);
  EXPECT_EQ(flops(MatMul{}, {{3, 5, 7}, {7, 11}}), 2.0 * 3 * 5 * 7 * 11);
  EXPECT_EQ(flops(MatMul{true, false}, {{3, 7, 5}, {7, 11}}), 2.0 * 3 * 5 * 7 * 11);
}

TEST(Cost, Convolutions) {
  const Conv2d same{{1, 1}, {1, 1, 1, 1}, {1, 1}, 1}, strided{{2, 2}, {1, 1, 1, 1}, {1, 1}, 1};
  EXPECT_EQ(flops(same, {{2, 8, 10, 16}, {24, 16, 3, 3}}), 2.0 * 2 * 8 * 10 * 24 * 16 * 9);
  EXPECT_EQ(flops(same, {{2, 8, 10, 16}, {24, 16, 3, 3}, {24}}), 2.0 * 8 * 10 * 24 * (2 * 16 * 9 + 1));
  EXPECT_EQ(flops(strided, {{1, 8, 8, 16}, {24, 16, 3, 3}}), 2.0 * 4 * 4 * 24 * 16 * 9);
  const Conv2d depthwise{{1, 1}, {1, 1, 1, 1}, {1, 1}, 16};
  EXPECT_EQ(flops(depthwise, {{1, 8, 8, 16}, {16, 1, 3, 3}}), 2.0 * 8 * 8 * 16 * 9);
}

TEST(Cost, Attention) {
  const double b = 2, h = 4, tq = 10, tk = 12, d = 16;
  // Two products; per score the scale and the five steps of softmax.
  EXPECT_EQ(flops(Attention{.heads = 4, .kv_heads = 4}, {{2, 10, 64}, {2, 12, 64}, {2, 12, 64}}),
            4 * b * h * tq * tk * d + 6 * b * h * tq * tk);
  // Shared key heads save memory, not products; a mask is one addition per score.
  EXPECT_EQ(flops(Attention{.heads = 4, .kv_heads = 2}, {{2, 10, 64}, {2, 12, 32}, {2, 12, 32}, {2, 1, 1, 12}}),
            4 * b * h * tq * tk * d + 7 * b * h * tq * tk);
}

TEST(Cost, ElementwiseReductionsAndMoves) {
  EXPECT_EQ(flops(Unary{UnaryKind::gelu}, {{3, 5}}), 15);
  EXPECT_EQ(flops(Binary{}, {{3, 1}, {5}}), 15);
  EXPECT_EQ(flops(Reduce{ReduceKind::sum, {1}}, {{3, 5}}), 15);
  EXPECT_EQ(flops(Softmax{1}, {{3, 5}}), 5 * 15);
  EXPECT_EQ(flops(Pool2d{PoolKind::average, {2, 2}, {2, 2}, {0, 0, 0, 0}}, {{1, 4, 4, 3}}), 12 * 4);
  EXPECT_EQ(flops(Resize{ResizeMode::nearest, 8, 8}, {{1, 4, 4, 3}}), 0);
  EXPECT_EQ(flops(Resize{ResizeMode::bilinear, 8, 8}, {{1, 4, 4, 3}}), 9 * 192);
  for (const Op& move :
       {Op(Reshape{{15}}), Op(Transpose{{1, 0}}), Op(Slice{0, 0, 2}), Op(Pad{{1, 1}, {1, 1}}), Op(Concat{0})}) {
    EXPECT_EQ(flops(move, {{3, 5}}), 0) << op_name(move);
  }
  EXPECT_EQ(flops(PixelShuffle{2}, {{1, 2, 2, 4}}), 0);
}

Graph block() {
  Builder b("block");
  const Var x = b.input("x", {2, 12, 32});
  const auto qkv = b.chunk(b.linear(b.layer_norm(x, "norm"), "qkv", 96), -1, 3);
  const Var h = x + b.linear(b.attention(qkv[0], qkv[1], qkv[2], {.heads = 4, .kv_heads = 4}), "proj", 32);
  b.output("y", h + b.linear(b.gelu(b.linear(b.rms_norm(h, "norm2"), "fc1", 64)), "fc2", 32));
  return b.finish();
}

TEST(Cost, SumsOverNodes) {
  const Graph g = block();
  const GraphCost c = cost(g);
  ASSERT_EQ(c.nodes.size(), g.nodes.size());
  double sum = 0;
  for (const NodeCost& n : c.nodes) sum += n.flops;
  EXPECT_EQ(c.flops, sum);
  EXPECT_EQ(c.parameters, (96 * 32 + 96) + (32 * 32 + 32) + (64 * 32 + 64) + (32 * 64 + 32) + 32 + 32 + 32);
  // The first linear layer: reads (2, 12, 32), writes (2, 12, 96).
  EXPECT_EQ(c.nodes[1].parameters, 96 * 32 + 96);
  EXPECT_EQ(c.nodes[1].activation_bytes, 4.0 * 24 * (32 + 96));
}

TEST(Cost, CountsASharedParameterOnceInAllAndAtEachReader) {
  Builder b("tied");
  const Var w = b.param("w", {8, 8}, {});
  Var x = b.input("x", {1, 8});
  for (int i = 0; i < 2; ++i) x = b.add(Linear{}, {x, w});
  b.output("y", x);
  const GraphCost c = cost(b.finish());
  EXPECT_EQ(c.parameters, 64);
  EXPECT_EQ(c.nodes[0].parameters + c.nodes[1].parameters, 128);
}

TEST(Cost, BytesFollowTheDtype) {
  Builder b("bytes");
  b.output("y", b.embedding(b.input("ids", {6}, DType::i32), "table", 10, 4));
  const GraphCost c = cost(b.finish());
  EXPECT_EQ(c.nodes[0].activation_bytes, 4.0 * 6 + 4.0 * 24);
  Builder n("bytes");
  n.output("y", n.unary(UnaryKind::logical_not, n.input("x", {6}, DType::boolean)));
  EXPECT_EQ(cost(n.finish()).nodes[0].activation_bytes, 12);
}

TEST(Decompose, KeepsPriceParametersAndTaps) {
  Builder b("taps");
  const Var x = b.input("x", {2, 6, 16}), s = b.input("s", {2, 1, 16}), t = b.input("t", {1, 1, 16});
  const Var n = b.modulate(b.layer_norm(x), s, t);
  b.tap("normed", n);
  b.output("y", b.linear(b.glu(n, UnaryKind::silu), "fc", 8));
  for (const Graph& g : {b.finish(), block()}) {
    const Graph core = decompose(g);
    EXPECT_EQ(cost(core).flops, cost(g).flops);
    EXPECT_EQ(cost(core).parameters, cost(g).parameters);
    ASSERT_EQ(core.taps.size(), g.taps.size());
    for (std::size_t i = 0; i < g.taps.size(); ++i) {
      EXPECT_EQ(core.taps[i].name, g.taps[i].name);
      EXPECT_EQ(core.type(core.taps[i].value), g.type(g.taps[i].value));
    }
    EXPECT_EQ(decompose(core), core);  // nothing is left to do
  }
}

// Constants hold 4096 values; longer tables are joined from several.
TEST(Decompose, LongTables) {
  Builder b("long");
  b.output("e", b.sinusoidal(b.input("t", {1}), {20000, 10000, 1}));
  const Var q = b.input("q", {1, 2, 4}), k = b.input("k", {1, 5000, 4});
  b.output("a", b.attention(q, k, k, {.causal = true}));
  for (const Node& n : decompose(b.finish()).nodes) {
    if (const auto* c = std::get_if<Constant>(&n.op)) {
      EXPECT_LE(c->values.size(), 4096u);
    }
  }
}

}  // namespace
}  // namespace thimble::graph
