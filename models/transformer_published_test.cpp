// Diffusion transformers at their true size: parameter names, shapes and counts equal those of the original classes
// (tools/goldens/diffusion_transformers.py --facts prints the expected values). Nothing of a model's size is allocated.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "models/classes.h"
#include "models/published_transformer.h"

namespace thimble::models {
namespace {

struct Facts {
  std::int64_t parameters = 0;
  std::size_t tensors = 0;
  std::string digest;  // of the sorted lines "name [shape]"
};

Facts facts_of(const graph::Graph& g) {
  Facts f;
  f.tensors = g.parameters.size();
  std::vector<std::string> lines;
  for (const graph::Parameter& p : g.parameters) {
    f.parameters += g.type(p.value).elements();
    lines.push_back(g.value(p.value).name + " " + graph::to_string(g.type(p.value).shape) + "\n");
  }
  std::ranges::sort(lines);
  std::string all;
  for (const std::string& l : lines) all += l;
  f.digest = sha256(std::as_bytes(std::span(all)));
  return f;
}

std::size_t literal_values(const graph::Graph& g) {
  std::size_t sum = 0;
  for (const graph::Node& n : g.nodes) {
    if (const auto* c = std::get_if<graph::Constant>(&n.op)) sum += c->values.size();
  }
  return sum;
}

TEST(PublishedTransformer, NamesShapesAndCountsOfTheOriginals) {
  struct Row {
    const char* name;
    Json config;
    int cells, tokens;
    Facts wanted;
  };
  const std::string pixart = "1a8232afc0a64eea20e10f588ef87dde52bf801062cadd56c3d7f7ccc90c5bf4";
  const std::string sana_small = "5fd65d3d2b98e1ca4a60a0af00516268e1ce2b1e704db3f45e184fae01ad120f";
  const std::string sana_large = "0c4b9b94bb9815a6a936194330348888dd756c6a6f87c9e06d27838015e697f3";
  const std::vector<Row> rows{
      {"PixArt-Sigma 512", to_json(pixart_sigma(512)), 64, 300, {610856096, 603, pixart}},
      {"PixArt-Sigma 1024", to_json(pixart_sigma(1024)), 128, 300, {610856096, 603, pixart}},
      {"PixArt-Sigma 2K", to_json(pixart_sigma(2048)), 256, 300, {610856096, 603, pixart}},
      {"SD3 Medium",
       to_json(sd3_medium()),
       128,
       333,
       {2028328000, 682, "c53045b3cedb9e4a9dcf497f498b9826ec1777506c5308d45edf8d2086fd3dc7"}},
      {"SD3.5 Medium",
       to_json(sd35_medium()),
       128,
       333,
       {2243171520, 908, "108dc99e823c754e99e5ee46998ee5f068f4c353db041e3b916bf42078ff2e38"}},
      {"Sana 0.6B 512", to_json(sana_0_6b(512)), 16, 300, {591747872, 548, sana_small}},
      {"Sana 0.6B 1024", to_json(sana_0_6b(1024)), 32, 300, {591747872, 548, sana_small}},
      {"Sana 1.6B 512", to_json(sana_1_6b(512)), 16, 300, {1604462752, 396, sana_large}},
      {"Sana 1.6B 1024", to_json(sana_1_6b(1024)), 32, 300, {1604462752, 396, sana_large}},
      {"Sana-1.5 1.6B",
       to_json(sana15_1_6b()),
       32,
       300,
       {1604641952, 476, "50b7ea71315ee108d982544ee57246e2d9687218e21b5bfc6c6f9bbc7065f276"}},
      {"Sana-1.5 4.8B",
       to_json(sana15_4_8b()),
       32,
       300,
       {4721825952, 1396, "eb25180e9d556ada3a59551c70221a8d130520ead7e820e83f467cb7d7eab738"}},
      {"Sana-Sprint 0.6B",
       to_json(sana_sprint_0_6b()),
       32,
       300,
       {593501216, 664, "c5a3e6772055e6e9c4bfa1cb89a4ed60a575d3c78d5e12a982804aed20f5dc2d"}},
      {"Sana-Sprint 1.6B",
       to_json(sana_sprint_1_6b()),
       32,
       300,
       {1610237472, 480, "3e16fa2d293fa4768d23119943e7aa64e32642068b90194fbba5ca12a03829b9"}},
      {"FLUX.1-schnell",
       to_json(flux_schnell()),
       128,
       256,
       {11891178560, 1156, "2bf8c606bc3386c2c366b037b2be889543801918b0cb67c04a748da6d3b28186"}},
      {"FLUX.1-dev",
       to_json(flux_dev()),
       128,
       512,
       {11901408320, 1160, "cd669b9e2f745f21dc4b02bab3a2831ed6e3b95eae103988e961f46975265f9e"}},
  };
  for (const Row& r : rows) {
    const auto class_name = r.config.at("_class_name").get<std::string>();
    const graph::Graph g = build_network(class_name, Role::denoiser, r.config,
                                         {.batch = 2, .height = r.cells, .width = r.cells, .tokens = r.tokens});
    const Facts f = facts_of(g);
    EXPECT_EQ(f.parameters, r.wanted.parameters) << r.name;
    EXPECT_EQ(f.tensors, r.wanted.tensors) << r.name;
    EXPECT_EQ(f.digest, r.wanted.digest) << r.name;
    EXPECT_LT(literal_values(g), 200000u) << r.name;
  }
}

TEST(PublishedTransformer, ConfigsSurviveJson) {
  PixArtConfig pixart = pixart_sigma(2048);
  EXPECT_EQ(pixart_from_json(to_json(pixart)), pixart);
  pixart.kv_compression = 2;
  pixart.caption_channels = 0;
  EXPECT_EQ(pixart_from_json(to_json(pixart)), pixart);
  for (const Sd3Config& c : {sd3_medium(), sd35_medium()}) EXPECT_EQ(sd3_from_json(to_json(c)), c);
  for (const SanaConfig& c : {sana_0_6b(512), sana15_4_8b(), sana_sprint_1_6b()}) {
    EXPECT_EQ(sana_from_json(to_json(c)), c);
  }
  for (const FluxConfig& c : {flux_schnell(), flux_dev()}) EXPECT_EQ(flux_from_json(to_json(c)), c);
}

TEST(PublishedTransformer, AbsurdConfigsAreRefused) {
  EXPECT_THROW(pixart_from_json(Json::array()), Error);
  EXPECT_THROW(pixart_from_json({{"num_attention_heads", 0}}), Error);
  EXPECT_THROW(pixart_from_json({{"num_layers", "many"}}), Error);
  EXPECT_THROW(pixart_from_json({{"norm_type", "ada_norm_zero"}}), Error);
  EXPECT_THROW(sd3_from_json({{"qk_norm", "layer_norm"}}), Error);
  EXPECT_THROW(sd3_from_json({{"caption_projection_dim", 7}}), Error);
  EXPECT_THROW(sd3_from_json({{"dual_attention_layers", {0, -1}}}), Error);
  EXPECT_THROW(sana_from_json({{"attention_bias", "no"}}), Error);
  EXPECT_THROW(sana_from_json({{"cross_attention_dim", 64}}), Error);
  EXPECT_THROW(flux_from_json({{"patch_size", 2}}), Error);
  EXPECT_THROW(build_flux(flux_from_json({{"axes_dims_rope", {2, 2, 2}}}), {.height = 8, .width = 8, .tokens = 4}),
               Error);
  EXPECT_THROW(pixart_sigma(300), Error);
}

TEST(PublishedTransformer, SizesThatDoNotFitAreRefused) {
  EXPECT_THROW(build_pixart(pixart_sigma(512), {.height = 33, .width = 32, .tokens = 300}), Error);
  EXPECT_THROW(build_pixart(pixart_sigma(512), {.height = 32, .width = 32, .tokens = 0}), Error);
  EXPECT_THROW(build_sd3(sd3_medium(), {.height = 386, .width = 64, .tokens = 77}), Error);
  EXPECT_THROW(build_flux(flux_schnell(), {.height = 0, .width = 64, .tokens = 77}), Error);
  EXPECT_THROW(build_sana(sana_0_6b(512), {.batch = 0, .height = 16, .width = 16, .tokens = 300}), Error);
}

}  // namespace
}  // namespace thimble::models
