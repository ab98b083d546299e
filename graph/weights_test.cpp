// Weights: recipes, coverage, and the statistics of initialise().
#include "graph/weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/builder.h"
#include "graph/expect_error.h"

namespace thimble::graph {
namespace {

Tensor tensor(Shape shape, const std::vector<float>& values) { return Tensor::of(std::move(shape), values); }

std::vector<float> values(const Weights& w, std::string_view name) {
  const auto v = w.at(name).as<float>();
  return {v.begin(), v.end()};
}

using Floats = std::vector<float>;

TEST(Weights, SliceAndConcatAlongEitherAxis) {
  Weights w;
  w.set("a", tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  w.derive("columns", SliceRecipe{"a", 1, 1, 3});
  w.derive("row", SliceRecipe{"a", 0, 1, 2});
  w.derive("tall", ConcatRecipe{{"a", "row"}, 0});
  w.derive("wide", ConcatRecipe{{"columns", "a"}, 1});
  EXPECT_EQ(values(w, "columns"), (Floats{2, 3, 5, 6}));
  EXPECT_EQ(values(w, "tall"), (Floats{1, 2, 3, 4, 5, 6, 4, 5, 6}));
  EXPECT_EQ(w.at("tall").shape(), (Shape{3, 3}));
  EXPECT_EQ(values(w, "wide"), (Floats{2, 3, 1, 2, 3, 5, 6, 4, 5, 6}));
}

TEST(Weights, SlicesKeepTheDtype) {
  Weights w;
  w.set("a", tensor({4}, {1, 2, 3, 4}).to(DType::bf16));
  w.derive("b", SliceRecipe{"a", 0, 2, 4});
  EXPECT_EQ(w.at("b").type(), (TensorType{DType::bf16, {2}}));
  EXPECT_EQ(to_f32(w.at("b").as<bf16>()[1]), 4);
}

TEST(Weights, ScaleAndLowRankAdd) {
  Weights w;
  w.set("a", tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  w.set("down", tensor({1, 3}, {1, 0, -1}));
  w.set("up", tensor({2, 1}, {10, 100}));
  w.derive("half", ScaleRecipe{"a", 0.5});
  w.derive("tuned", LowRankAddRecipe{"half", "down", "up", 2});
  EXPECT_EQ(values(w, "half"), (Floats{0.5f, 1, 1.5f, 2, 2.5f, 3}));
  EXPECT_EQ(values(w, "tuned"), (Floats{20.5f, 1, -18.5f, 202, 2.5f, -197}));
}

TEST(Weights, ARecipeIsEvaluatedOnceAndThenKept) {
  Weights w;
  w.set("a", tensor({2}, {1, 2}));
  w.derive("b", ScaleRecipe{"a", 3});
  EXPECT_TRUE(w.contains("b"));
  const Tensor* first = &w.at("b");
  EXPECT_EQ(&w.at("b"), first);
  EXPECT_EQ(w.names(), (std::vector<std::string>{"a", "b"}));
  w.set("b", tensor({1}, {7}));  // replaces
  EXPECT_EQ(values(w, "b"), (Floats{7}));
  w.erase("b");
  EXPECT_FALSE(w.contains("b"));
  EXPECT_EQ(w.size(), 1u);
}

TEST(Weights, InitRecipeDrawsByItsSeed) {
  Weights w;
  w.derive("a", InitRecipe{{50}, {Init::Kind::normal, 2}, 1});
  w.derive("b", InitRecipe{{50}, {Init::Kind::normal, 2}, 1});
  w.derive("c", InitRecipe{{50}, {Init::Kind::normal, 2}, 2});
  EXPECT_EQ(values(w, "a"), values(w, "b"));
  EXPECT_NE(values(w, "a"), values(w, "c"));
}

TEST(Weights, RefusesRecipesThatDoNotFit) {
  Weights w;
  w.set("a", tensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  w.set("v", tensor({4}, {1, 2, 3, 4}));
  w.derive("missing", ScaleRecipe{"nowhere", 2});
  w.derive("outside", SliceRecipe{"a", 1, 1, 4});
  w.derive("axis", SliceRecipe{"a", 2, 0, 1});
  w.derive("join", ConcatRecipe{{"a", "v"}, 0});
  w.derive("rank", LowRankAddRecipe{"a", "a", "a", 1});
  expect_error([&] { w.at("nothing"); }, {"'nothing'"});
  expect_error([&] { w.at("missing"); }, {"'nowhere'"});
  expect_error([&] { w.at("outside"); }, {"1:4", "axis 1", "'a'"});
  expect_error([&] { w.at("axis"); }, {"axis 2"});
  expect_error([&] { w.at("join"); }, {"'a' and 'v'"});
  expect_error([&] { w.at("rank"); }, {"does not fit 'a'"});
}

TEST(Weights, ARecipeThatLeadsBackToItselfIsAnErrorAgainAndAgain) {
  Weights w;
  w.derive("a", ScaleRecipe{"b", 2});
  w.derive("b", ScaleRecipe{"a", 2});
  for (int i = 0; i < 2; ++i) expect_error([&] { w.at("a"); }, {"no weight named 'a'"});
  w.set("b", tensor({1}, {4}));
  EXPECT_EQ(values(w, "a"), (Floats{8}));
}

TEST(Weights, CoverageNamesTheFirstTensorThatIsWrong) {
  Builder b("cover");
  b.output("y", b.linear(b.input("x", {1, 4}), "fc", 3));
  const Graph g = b.finish();
  Weights w;
  expect_error([&] { w.check_covers(g, "model.safetensors"); },
               {"model.safetensors", "'fc.weight' is missing", "f32[3,4]"});
  w.set("fc.weight", Tensor::filled({4, 3}, 0));
  expect_error([&] { w.check_covers(g, "model.safetensors"); }, {"'fc.weight'", "[4,3]", "[3,4] was wanted"});
  w.set("fc.weight", Tensor::filled({3, 4}, 0).to(DType::bf16));  // any dtype will do
  w.set("fc.bias", Tensor::filled({3}, 0));
  EXPECT_EQ(message_of([&] { w.check_covers(g, "model.safetensors"); }), "no error");
}

TEST(Weights, IdentitiesDiffer) { EXPECT_NE(Weights().id(), Weights().id()); }

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const Tensor& t) {
  Moments m;
  const auto v = t.as<float>();
  const auto n = static_cast<double>(v.size());
  for (float x : v) m.mean += x / n;
  for (float x : v) {
    m.deviation += (x - m.mean) * (x - m.mean) / n;
    m.largest = std::max(m.largest, std::fabs(static_cast<double>(x)));
  }
  m.deviation = std::sqrt(m.deviation);
  return m;
}

TEST(Initialise, DrawsWhatEachParameterAsksFor) {
  Builder b("init");
  const Var n = b.param("normal", {400, 250}, {Init::Kind::normal, 0.02});
  const Var u = b.param("uniform", {400, 250}, {Init::Kind::uniform, 0.3});
  const Var o = b.param("ones", {400, 1}, {Init::Kind::ones, 0});
  const Var z = b.param("zeros", {400, 1}, {});
  b.output("y", ((n + u) * o) + z);
  const Graph g = b.finish();
  const Weights w = initialise(g, 3);

  // 100 000 draws: the mean's standard error is deviation / 316, the deviation's a relative 1 / 447.
  const Moments normal = moments(w.at("normal")), uniform = moments(w.at("uniform"));
  EXPECT_NEAR(normal.mean, 0, 4 * 0.02 / 316);
  EXPECT_NEAR(normal.deviation, 0.02, 0.02 * 4 / 447);
  EXPECT_GT(normal.largest, 0.06);
  EXPECT_NEAR(uniform.mean, 0, 4 * 0.1732 / 316);
  EXPECT_NEAR(uniform.deviation, 0.3 / std::sqrt(3.0), 0.1732 * 4 / 447);
  EXPECT_LE(uniform.largest, 0.3);
  EXPECT_GT(uniform.largest, 0.2999);
  EXPECT_EQ(values(w, "ones"), Floats(400, 1));
  EXPECT_EQ(values(w, "zeros"), Floats(400, 0));
}

TEST(Initialise, DefaultStartKeepsTheVarianceOfALinearLayer) {
  Builder b("variance");
  b.output("y", b.linear(b.input("x", {1, 300}), "fc", 400));
  EXPECT_NEAR(moments(initialise(b.finish(), 1).at("fc.weight")).deviation, 1 / std::sqrt(300.0), 0.0004);
}

TEST(Initialise, SeedsAndParametersDrawApart) {
  Builder b("seeds");
  const Var p = b.param("p", {100}, {Init::Kind::normal, 1}), q = b.param("q", {100}, {Init::Kind::normal, 1});
  b.output("y", p + q);
  const Graph g = b.finish();
  EXPECT_EQ(values(initialise(g, 1), "p"), values(initialise(g, 1), "p"));
  EXPECT_NE(values(initialise(g, 1), "p"), values(initialise(g, 2), "p"));
  EXPECT_NE(values(initialise(g, 1), "p"), values(initialise(g, 1), "q"));
}

}  // namespace
}  // namespace thimble::graph
