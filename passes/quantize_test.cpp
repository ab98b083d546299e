// The rule of which layers are quantised, the rewritten graph, and the numbers that are put into it.
#include "passes/quantize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "graph/builder.h"
#include "graph/expect_error.h"
#include "graph/reference.h"
#include "graph/text.h"

namespace thimble::passes {
namespace {

using namespace graph;

// One of every kind that the rule knows.
Graph network() {
  Builder b("net");
  const Var x = b.input("x", {2, 9, 32}), time = b.input("time", {2, 32});
  Var h = b.linear(x, "in", 64);
  const Var t = b.linear(b.silu(b.linear(time, "time.0", 64)), "time.1", 64);
  h = h + b.reshape(t, {2, 1, 64});
  const Var m = b.linear(b.gelu_tanh(b.linear(h, "ffn.0", 128)), "ffn.1", 64);
  const Var picture = b.reshape(h + m, {2, 3, 3, 64});
  const Var point = b.conv2d(picture, "point", 64, {.kernel = 1});
  const Var near = b.conv2d(point, "near", 64);
  h = b.reshape(near, {2, 9, 64});
  h = b.matmul(h, b.param("plain", {64, 64}, {Init::Kind::normal, 0.1}));
  b.linear(h, "small", 8);
  h = h + b.linear(h, "tail", 64);
  b.output("y", b.linear(b.layer_norm(h), "out", 32));
  return b.finish();
}

const LayerChoice& choice(const std::vector<LayerChoice>& all, const std::string& weight) {
  for (const LayerChoice& c : all) {
    if (c.weight == weight) return c;
  }
  throw std::runtime_error("no choice for " + weight);
}

TEST(ChooseLayers, FollowsItsRule) {
  const auto all = choose_layers(network(), {.bits = 4, .activations = 8, .group = 32});
  EXPECT_EQ(choice(all, "in.weight").reason, "the first layer behind an input");
  EXPECT_EQ(choice(all, "time.0.weight").reason, "the first layer behind an input");
  EXPECT_EQ(choice(all, "out.weight").reason, "the last layer before an output");
  EXPECT_EQ(choice(all, "near.weight").reason, "a convolution of more than one pixel: 8 bits, one scale an output");
  EXPECT_EQ(choice(all, "plain").reason, "a product by a plain matrix");
  EXPECT_EQ(choice(all, "small.weight").reason, "too small to gain");
  for (const char* kept : {"in.weight", "out.weight", "plain", "small.weight"}) {
    EXPECT_FALSE(choice(all, kept).format.has_value()) << kept;
  }
  const QuantLinear four{.bits = 4, .group = 32, .activations = 8}, eight{.bits = 8, .activations = 8};
  EXPECT_EQ(choice(all, "ffn.0.weight").format, four);
  EXPECT_EQ(choice(all, "point.weight").format, four);
  EXPECT_EQ(choice(all, "near.weight").format, eight);
  QuantLinear lopsided = four;
  lopsided.asymmetric = true;  // behind a GELU
  EXPECT_EQ(choice(all, "ffn.1.weight").format, lopsided);
  QuantLinear modulation = eight;
  modulation.asymmetric = true;
  EXPECT_EQ(choice(all, "time.1.weight").format, modulation);
  EXPECT_EQ(choice(all, "time.1.weight").reason, "one row per picture: 8 bits");
}

TEST(ChooseLayers, RefusesOptionsThatAreNone) {
  expect_error([] { choose_layers(network(), {.bits = 5}); }, {"8 or 4 bits", "5"});
  expect_error([] { choose_layers(network(), {.activations = 4}); }, {"8 or 16 bits"});
  expect_error([] { choose_layers(network(), {.group = 48}); }, {"32, 64 or 128", "48"});
}

TEST(Quantize, RewritesTheGraph) {
  Builder b("g");
  const Var x = b.input("x", {3, 32});
  b.output("y", b.linear(x, "fc", 16));
  const QuantLinear four{.bits = 4, .group = 32, .activations = 16};
  const std::vector<QuantizedLayer> layers{{"fc.weight", four}, {"of.another.graph", {}}};
  EXPECT_EQ(print_graph(quantize(b.finish(), layers)), R"(graph "g" {
  input %x: f32[3,32]
  param @fc.weight: u8[16,16] uniform 127
  param @fc.weight.scale: f32[16,1] constant 0.03827327706373701
  param @fc.bias: f32[16] zeros
  %0 = quant_linear(%x, @fc.weight, @fc.weight.scale, @fc.bias) {bits=4, group=32, activations=16, asymmetric=false} : f32[3,16]
  output "y" = %0
}
)");
  expect_error(
      [&] {
        quantize(network(), std::vector<QuantizedLayer>{{"near.weight", four}});
      },
      {"near.weight", "a convolution of more than one pixel"});
}

TEST(Quantize, LayersSurviveTheFile) {
  const auto layers = chosen(choose_layers(network(), {.bits = 4, .activations = 8, .group = 64}));
  ASSERT_GE(layers.size(), 4u);
  EXPECT_EQ(layers_from_json(to_json(layers), "test"), layers);
  EXPECT_THROW(layers_from_json(Json{{"layers", {{{"weight", "w"}}}}}, "test"), Error);
}

Weights drawn(const Graph& g) { return initialise(g, 5); }

// Half a step at most, and as far as the mean square of a rounding error, step / sqrt(12), lets expect.
TEST(DeriveWeights, RoundsToTheNearestStep) {
  const Graph g = network();
  const Weights before = drawn(g);
  for (const QuantizeOptions options : {QuantizeOptions{8, 8, 0}, {8, 8, 32}, {4, 8, 0}, {4, 16, 32}}) {
    const auto layers = chosen(choose_layers(g, options));
    const Weights after = derive_weights(before, layers);
    after.check_covers(quantize(g, layers), "test");
    for (const QuantizedLayer& l : layers) {
      const Tensor w = before.at(l.weight), q = dequantized(after, l), s = after.at(l.weight + ".scale");
      const std::int64_t K = w.type().elements() / w.shape()[0], group = l.format.group ? l.format.group : K,
                         groups = s.shape()[1];
      double squares = 0, expected = 0;
      for (std::size_t i = 0; i < w.as<float>().size(); ++i) {
        const auto at = static_cast<std::int64_t>(i);
        const double step = s.as<float>()[static_cast<std::size_t>(at / K * groups + at % K / group)];
        const double e = static_cast<double>(q.as<float>()[i]) - w.as<float>()[i];
        EXPECT_LE(std::fabs(e), step * 0.50001) << l.weight;
        squares += e * e;
        expected += step * step / 12;
      }
      EXPECT_NEAR(squares / expected, 1, 0.15) << l.weight;
    }
  }
}

double weighted_error(const Tensor& w, const Tensor& q, const std::vector<float>& importance) {
  double sum = 0;
  for (std::size_t i = 0; i < w.as<float>().size(); ++i) {
    const double e = static_cast<double>(w.as<float>()[i]) - q.as<float>()[i];
    sum += importance[i % importance.size()] * e * e;
  }
  return sum;
}

TEST(DeriveWeights, ASearchNeverLosesAndGainsWithOutliers) {
  const Graph g = network();
  const auto layers = chosen(choose_layers(g, {.bits = 4, .activations = 16}));
  const Weights before = with_outliers(drawn(g), layers, 0.01, 20, 3);
  ScaleSearch search{.search = true, .importance = {}};
  std::map<std::string, std::vector<float>> importance;
  for (const QuantizedLayer& l : layers) {
    // What the outliers multiply is as small as they are large, as trained networks have it.
    const Tensor w = before.at(l.weight);
    std::vector<float> h(static_cast<std::size_t>(w.shape()[1]));
    for (std::size_t k = 0; k < h.size(); ++k) {
      double square = 0;
      for (std::size_t n = 0; n < static_cast<std::size_t>(w.shape()[0]); ++n) {
        square += std::pow(w.as<float>()[n * h.size() + k], 2);
      }
      h[k] = static_cast<float>(1 / square);
    }
    importance[l.weight] = h;
    search.importance[l.weight] = std::make_shared<const std::vector<float>>(h);
  }
  const Weights plain = derive_weights(before, layers), found = derive_weights(before, layers, search);
  for (const QuantizedLayer& l : layers) {
    const auto& h = importance[l.weight];
    const double absmax = weighted_error(before.at(l.weight), dequantized(plain, l), h),
                 searched = weighted_error(before.at(l.weight), dequantized(found, l), h);
    EXPECT_LE(searched, absmax) << l.weight;
    if (l.format.bits == 4) {
      EXPECT_LT(searched, 0.9 * absmax) << l.weight;
    }
  }
}

TEST(WithOutliers, MultipliesAShareOfInputs) {
  const Graph g = network();
  const auto layers = chosen(choose_layers(g, {}));
  const Weights before = drawn(g), after = with_outliers(before, layers, 0.05, 20, 1);
  for (const QuantizedLayer& l : layers) {
    const auto a = before.at(l.weight).as<float>(), b = after.at(l.weight).as<float>();
    const Shape shape = before.at(l.weight).shape();
    const auto K = static_cast<std::size_t>(shape[1]), taps = a.size() / K / static_cast<std::size_t>(shape[0]);
    std::size_t hit = 0;
    std::vector<bool> changed(K);
    for (std::size_t k = 0; k < K; ++k) {
      changed[k] = a[k * taps] != b[k * taps];
      hit += changed[k];
    }
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_EQ(b[i], changed[i / taps % K] ? 20 * a[i] : a[i]);
    EXPECT_EQ(hit, static_cast<std::size_t>(std::llround(0.05 * static_cast<double>(K))));
  }
}

// On the judge: more bits are nearer, by about the factor that their steps differ by.
TEST(Quantize, ErrorsShrinkWithTheStep) {
  const Graph g = network();
  const Weights before = drawn(g);
  std::vector<Tensor> inputs;
  for (ValueId v : g.inputs) {
    inputs.emplace_back(g.type(v));
    fill_normal(inputs.back().mutable_as<float>(), 4, inputs.size());
  }
  const auto run = [&](const Graph& graph, const Weights& weights) {
    return (*make_reference_executor()->compile(graph, weights, {}))(inputs)[0];
  };
  const Tensor wanted = run(g, before);
  const auto error = [&](const QuantizeOptions& options) {
    const auto layers = chosen(choose_layers(g, options));
    const Tensor got = run(quantize(g, layers), derive_weights(before, layers));
    double off = 0, all = 0;
    for (std::size_t i = 0; i < wanted.as<float>().size(); ++i) {
      off += std::pow(got.as<float>()[i] - wanted.as<float>()[i], 2);
      all += std::pow(wanted.as<float>()[i], 2);
    }
    return std::sqrt(off / all);
  };
  const double w8a16 = error({8, 16, 0}), w8a8 = error({8, 8, 0}), w4a16 = error({4, 16, 0}),
               w4a16_grouped = error({4, 16, 32});
  EXPECT_LT(w8a16, 0.01);
  EXPECT_LT(w8a16, w8a8);
  EXPECT_LT(w8a8, 0.02);
  EXPECT_LT(w4a16_grouped, w4a16);
  EXPECT_GT(w4a16, 4 * w8a16);
  EXPECT_LT(w4a16, 0.25);
}

}  // namespace
}  // namespace thimble::passes
