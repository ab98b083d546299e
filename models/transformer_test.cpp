// Pieces of the diffusion transformers against their formulas: positions, rotary positions, KV compression (which no
// original class judges), FLUX's packing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/rng.h"
#include "graph/reference.h"
#include "models/blocks_transformer.h"
#include "models/flux.h"
#include "models/pixart.h"
#include "models/positions.h"

namespace thimble::models {
namespace {

using graph::Builder;
using graph::Tensor;
using graph::Var;

Tensor random_tensor(graph::Shape shape, std::uint64_t seed) {
  Rng rng(seed);
  Tensor t(graph::TensorType{DType::f32, std::move(shape)});
  for (float& v : t.mutable_as<float>()) v = static_cast<float>(rng.normal());
  return t;
}

Tensor run(const graph::Graph& g, const graph::Weights& weights, const Tensor& x) {
  return (*graph::make_reference_executor()->compile(g, weights, {}))({x})[0];
}

TEST(Positions, ColumnsInTheFirstHalfRowsInTheSecond) {
  constexpr int kRows = 3, kColumns = 5, kWidth = 16, kQuarter = kWidth / 4;
  Builder b("positions");
  // A native side of 8 patches whose positions span 4.
  b.output("y", add_grid_positions(b.input("x", {1, kRows, kColumns, kWidth}), grid_positions(0, kRows, kRows, 8, 2),
                                   grid_positions(0, kColumns, kColumns, 8, 2)));
  const Tensor x = random_tensor({1, kRows, kColumns, kWidth}, 1);
  const Tensor y = run(b.finish(), {}, x);
  for (int r = 0; r < kRows; ++r) {
    for (int c = 0; c < kColumns; ++c) {
      for (int i = 0; i < kWidth; ++i) {
        const double position = i < kWidth / 2 ? c * 8.0 / kColumns / 2 : r * 8.0 / kRows / 2;
        const double angle = position * std::pow(10000.0, -static_cast<double>(i % kQuarter) / kQuarter);
        const double wave = i / kQuarter % 2 == 0 ? std::sin(angle) : std::cos(angle);
        const auto at = static_cast<std::size_t>((r * kColumns + c) * kWidth + i);
        EXPECT_NEAR(y.as<float>()[at] - x.as<float>()[at], wave, 1e-6);
      }
    }
  }
}

TEST(Positions, TheMiddleOfALargerTable) {
  const auto all = grid_positions(0, 12, 12, 8, 1), middle = grid_positions(4, 3, 12, 8, 1);
  EXPECT_EQ(std::vector<float>(all.begin() + 4, all.begin() + 7), middle);
  EXPECT_FLOAT_EQ(all[3], 2.0F);
}

TEST(Positions, TablesLargerThanOneConstant) {
  std::vector<double> values(3 * 3000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  Builder b("table");
  b.output("y", b.input("x", {3, 3000}) + table(b, {3, 3000}, values));
  const Tensor y = run(b.finish(), {}, Tensor::filled({3, 3000}, 0));
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(y.as<float>()[i], static_cast<float>(i));
}

TEST(Rotary, TurnsPairsByTheirPosition) {
  constexpr int kText = 2, kRows = 2, kColumns = 3, kTokens = kText + kRows * kColumns, kWidth = 12;
  const std::vector<int> axes{2, 4, 6};
  Builder b("rotary");
  b.output("y", rotate(b.input("x", {1, kTokens, 1, kWidth}), rotary_tables(b, kText, kRows, kColumns, axes)));
  const Tensor x = random_tensor({1, kTokens, 1, kWidth}, 2);
  const Tensor y = run(b.finish(), {}, x);
  for (int t = 0; t < kTokens; ++t) {
    const int cell = std::max(t - kText, 0);
    const double positions[] = {0, t < kText ? 0.0 : cell / kColumns, t < kText ? 0.0 : cell % kColumns};
    int pair = 0;
    for (std::size_t axis = 0; axis < 3; ++axis) {
      for (int i = 0; i < axes[axis]; i += 2, ++pair) {
        const double angle = positions[axis] / std::pow(10000.0, static_cast<double>(i) / axes[axis]);
        const auto from = static_cast<std::size_t>(t * kWidth + 2 * pair),
                   to = static_cast<std::size_t>(t * kWidth + pair);
        const double u = x.as<float>()[from], v = x.as<float>()[from + 1];
        EXPECT_NEAR(y.as<float>()[to], u * std::cos(angle) - v * std::sin(angle), 1e-6);
        EXPECT_NEAR(y.as<float>()[to + kWidth / 2], v * std::cos(angle) + u * std::sin(angle), 1e-6);
      }
    }
  }
}

TEST(KvCompression, IsAStridedDepthwiseConvolutionAndANorm) {
  constexpr int kRows = 4, kColumns = 6, kChannels = 5, kFactor = 2, kFewer = kRows / kFactor * (kColumns / kFactor);
  Builder b("compress");
  b.output("y", compress_tokens(b.input("x", {1, kRows * kColumns, kChannels}), kRows, kColumns, kFactor));
  graph::Weights w;
  w.set("sr.weight", random_tensor({kChannels, 1, kFactor, kFactor}, 3));
  w.set("sr.bias", random_tensor({kChannels}, 4));
  w.set("norm.weight", random_tensor({kChannels}, 5));
  w.set("norm.bias", random_tensor({kChannels}, 6));
  const Tensor x = random_tensor({1, kRows * kColumns, kChannels}, 7);
  const Tensor y = run(b.finish(), w, x);
  ASSERT_EQ(y.shape(), (graph::Shape{1, kFewer, kChannels}));
  const auto value = [&](const char* name, int i) {
    return double{w.at(name).as<float>()[static_cast<std::size_t>(i)]};
  };
  for (int token = 0; token < kFewer; ++token) {
    const int row = token / (kColumns / kFactor) * kFactor, column = token % (kColumns / kFactor) * kFactor;
    double mixed[kChannels], mean = 0, variance = 0;
    for (int c = 0; c < kChannels; ++c) {
      mixed[c] = value("sr.bias", c);
      for (int i = 0; i < kFactor * kFactor; ++i) {
        const int from = ((row + i / kFactor) * kColumns + column + i % kFactor) * kChannels + c;
        mixed[c] += value("sr.weight", c * kFactor * kFactor + i) * x.as<float>()[static_cast<std::size_t>(from)];
      }
      mean += mixed[c] / kChannels;
    }
    for (const double m : mixed) variance += (m - mean) * (m - mean) / kChannels;
    for (int c = 0; c < kChannels; ++c) {
      const double normed = (mixed[c] - mean) / std::sqrt(variance + 1e-5);
      EXPECT_NEAR(y.as<float>()[static_cast<std::size_t>(token * kChannels + c)],
                  normed * value("norm.weight", c) + value("norm.bias", c), 1e-5);
    }
  }
}

TEST(KvCompression, ShortensKeysOfTheLaterBlocks) {
  PixArtConfig c;
  c.heads = 2;
  c.head_dim = 12;
  c.layers = 3;
  c.cross_attention_dim = 24;
  c.caption_channels = 10;
  c.kv_compression = 2;
  c.kv_compression_from = 1;
  const graph::Graph g = build_pixart(c, {.height = 8, .width = 16, .tokens = 5});
  std::vector<std::int64_t> keys;
  for (const graph::Node& n : g.nodes) {
    if (std::holds_alternative<graph::Attention>(n.op)) keys.push_back(g.type(n.inputs[1]).shape[1]);
  }
  EXPECT_EQ(keys, (std::vector<std::int64_t>{32, 5, 8, 5, 8, 5}));
  EXPECT_FALSE(g.find_parameter("transformer_blocks.0.attn1.sr.weight"));
  EXPECT_TRUE(g.find_parameter("transformer_blocks.1.attn1.sr.weight"));
  c.kv_compression = 1;
  const std::int64_t plain = build_pixart(c, {.height = 8, .width = 16, .tokens = 5}).parameter_count();
  EXPECT_EQ(g.parameter_count() - plain, 2 * 24 * (4 + 1 + 2)) << "filter, bias and norm of two blocks";
}

TEST(Flux, PacksFourCellsIntoOneToken) {
  Tensor latent(graph::TensorType{DType::f32, {2, 4, 6, 3}});
  const auto values = latent.mutable_as<float>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const Tensor tokens = pack_latent(latent);
  ASSERT_EQ(tokens.shape(), (graph::Shape{2, 6, 12}));
  // Token 4 of picture 1 is the cells of rows 2 and 3, columns 2 and 3; channel 1 of its cell (1, 0) comes at 1*4 + 2.
  EXPECT_EQ(tokens.as<float>()[(6 + 4) * 12 + 6], static_cast<float>(((4 + 3) * 6 + 2) * 3 + 1));
  const Tensor back = unpack_latent(tokens, 4, 6);
  ASSERT_EQ(back.shape(), latent.shape());
  EXPECT_TRUE(std::ranges::equal(back.as<float>(), latent.as<float>()));
  EXPECT_THROW(pack_latent(Tensor::filled({1, 3, 4, 2}, 0)), Error);
  EXPECT_THROW(unpack_latent(tokens, 4, 4), Error);
}

}  // namespace
}  // namespace thimble::models
