#include "api/inspect.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "graph/cost.h"
#include "graph/text.h"
#include "tests/support/tiny_model.h"

namespace thimble::api {
namespace {

class Inspect : public ::testing::Test {
 protected:
  Inspect() : path_(std::filesystem::temp_directory_path() / fmt::format("thimble_inspect_{}", ::getpid())) {}
  ~Inspect() override { std::filesystem::remove(path_); }
  Inspected text(std::string_view content, const InspectOptions& options = {}) {
    write_file(path_, content);
    return inspect(path_, options);
  }
  std::filesystem::path path_;
};

std::vector<std::string> names(const Inspected& file) {
  std::vector<std::string> list;
  for (const InspectedGraph& g : file.graphs) list.push_back(g.name);
  return list;
}

TEST_F(Inspect, AModelShowsItsPartsAsGenerateRunsThem) {
  testing::write_tiny_model(path_);
  const Inspected file = inspect(path_);
  EXPECT_EQ(file.kind, "model");
  EXPECT_EQ(file.name, "tiny");
  EXPECT_TRUE(file.has_weights);
  EXPECT_EQ(names(file), (std::vector<std::string>{"text", "prompt", "step", "decoder", "encoder"}));
  for (const InspectedGraph& g : file.graphs) file.weights[g.weights].check_covers(g.graph, g.name);
  const graph::Graph& step = file.select("step").front()->graph;
  EXPECT_EQ(step.type(*step.find_input("latent")).shape, (graph::Shape{2, 4, 4, 4}));
  EXPECT_THROW(file.select("unet"), Error);

  const Inspected three = inspect(path_, {.batch = 3, .tokens = 16});
  const graph::Graph& encoder = three.select("text").front()->graph;
  EXPECT_EQ(encoder.type(*encoder.find_input("ids")).shape, (graph::Shape{3, 16}));
  EXPECT_THROW(inspect(path_, {.size = 33}), Error);
}

TEST_F(Inspect, AHeaderOrAConfigNeedsNoWeights) {
  Inspected header = text(testing::tiny_model_header().dump());
  EXPECT_EQ(header.kind, "config");
  EXPECT_EQ(header.graphs.size(), 5u);
  EXPECT_FALSE(header.has_weights);
  draw_weights(header);
  for (const InspectedGraph& g : header.graphs) header.weights[g.weights].check_covers(g.graph, g.name);

  const Inspected config = text(testing::tiny_model_header()["parts"]["autoencoder"]["config"].dump(), {.size = 64});
  EXPECT_EQ(names(config), (std::vector<std::string>{"encoder", "decoder"}));
  EXPECT_GT(graph::cost(config.graphs[0].graph).flops, 0);
}

TEST_F(Inspect, AGraphIsReadFromItsText) {
  const Inspected model = text(testing::tiny_model_header().dump());
  const graph::Graph& decoder = model.select("decoder").front()->graph;
  const Inspected file = text(graph::print_graph(decoder));
  EXPECT_EQ(file.kind, "graph");
  EXPECT_EQ(graph::print_graph(file.graphs.front().graph), graph::print_graph(decoder));
}

TEST_F(Inspect, WhatIsNoneOfThemIsRefused) {
  EXPECT_THROW(text(""), Error);
  EXPECT_THROW(text("{"), Error);
  EXPECT_THROW(text("{\"type\": \"unheard of\"}"), Error);
  EXPECT_THROW(text("graph \"x\" {"), Error);
  EXPECT_THROW(text(std::string(100, '\x7f')), Error);
  EXPECT_THROW(inspect("/nowhere/at/all"), Error);
}

TEST(InspectPublished, SaysWhatAStepCostsWithoutWeights) {
  const auto sd = inspect_published("sd1.5");
  ASSERT_TRUE(sd);
  ASSERT_EQ(sd->graphs.size(), 2u);
  EXPECT_EQ(sd->graphs[0].name, "denoiser 512");
  EXPECT_EQ(sd->graphs[0].graph.parameter_count(), 859'520'964);
  // One row of a step at 512 pixels: 803 GFLOP (two a multiply-add) by the published counts of its layers.
  const auto one = inspect_published("sd1.5", {.batch = 1, .size = 512});
  EXPECT_NEAR(graph::cost(one->graphs.front().graph).flops / 1e9, 803, 8);
  const auto vae = inspect_published("sana-0.6b/vae", {.size = 1024});
  ASSERT_EQ(vae->graphs.size(), 2u);
  EXPECT_EQ(vae->graphs[0].graph.parameter_count() + vae->graphs[1].graph.parameter_count(), 312'250'275);
  EXPECT_FALSE(inspect_published("sd9"));
}

TEST(InspectPublished, NamesThePartsThereAre) {
  try {
    inspect_published("sd3.5-medium/text-9");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.message(), "sd3.5-medium has no part 'text-9'; it has denoiser, vae, text, text-2, text-3, tiny-vae");
  }
  EXPECT_THROW(inspect_published("sd1.5", {.size = 500}), Error);
}

}  // namespace
}  // namespace thimble::api
