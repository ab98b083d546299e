// UNets and autoencoders at their true size: parameter names, shapes and counts equal those of the original classes
// (tools/goldens/conv.py --facts prints the expected values); nothing is allocated. And configs that are refused.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "models/classes.h"
#include "models/published_conv.h"

namespace thimble::models {
namespace {

struct Facts {
  std::int64_t parameters = 0;
  std::size_t tensors = 0;
  std::string digest;  // of the sorted lines "name [shape]", ones at the end of a shape left out
  bool operator==(const Facts&) const = default;
};

void PrintTo(const Facts& f, std::ostream* os) { *os << f.parameters << " " << f.tensors << " " << f.digest; }

Facts facts_of(std::span<const graph::Graph> graphs) {
  Facts f;
  std::vector<std::string> lines;
  for (const graph::Graph& g : graphs) {
    f.parameters += g.parameter_count();
    f.tensors += g.parameters.size();
    for (const graph::Parameter& p : g.parameters) {
      graph::Shape shape = g.type(p.value).shape;
      while (shape.size() > 1 && shape.back() == 1) shape.pop_back();
      lines.push_back(g.value(p.value).name + " " + graph::to_string(shape) + "\n");
    }
  }
  std::ranges::sort(lines);
  std::string all;
  for (const std::string& l : lines) all += l;
  f.digest = sha256(std::as_bytes(std::span(all)));
  return f;
}

template <class F>
void expect_error(ErrorKind kind, std::string_view part, F&& f) {
  try {
    f();
    ADD_FAILURE() << "no error; wanted: " << part;
  } catch (const Error& e) {
    const std::string message = e.what();
    EXPECT_EQ(e.kind(), kind) << message;
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is missing in: " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

std::vector<graph::Graph> graphs_of(const PublishedNetwork& network) {
  const BuildSize latent{.batch = 1, .height = 16, .width = 16, .tokens = 77};
  const BuildSize picture{.batch = 1, .height = 128, .width = 128};
  std::vector<graph::Graph> graphs;
  if (network.class_name == "UNet2DConditionModel") {
    graphs.push_back(build_network(network.class_name, Role::denoiser, network.config, latent));
  } else {
    graphs.push_back(build_network(network.class_name, Role::encoder, network.config, picture));
    graphs.push_back(build_network(network.class_name, Role::decoder, network.config, latent));
  }
  return graphs;
}

TEST(PublishedConv, NamesShapesAndCountsOfTheOriginals) {
  const std::vector<std::pair<const char*, Facts>> rows{
      {"sd1.5", {859520964, 686, "146d9fb915465f3339d8e359fff531fbb24a49ca842101425b76f722777026e4"}},
      {"sd1.5-inpainting", {859535364, 686, "6d29f7ed835e0da767006984768cac5000df2b0f2063f0e22a945b43173b24e0"}},
      {"instruct-pix2pix", {859532484, 686, "a107adff669fe073babbb73ae99d7c741e815c1060c16271c1fe1cf11c7a1757"}},
      {"lcm-sd1.5", {859602884, 687, "9c91f4ef9d71c3ea8c9c5a31375e59dcdc943f8679376105c2850fcfbed632c8"}},
      {"sdxl", {2567463684, 1680, "a00d80abcd2341f510ffa0098322b241ad6aa3ae172af232c337ab984d20cf73"}},
      {"lcm-sdxl", {2567545604, 1681, "f5552ef227e5f6ac3aab0ef17f10d013423b796a125e463c854769dbb1043b09"}},
      {"sd-vae", {83653863, 248, "4928bf8776c5dbc8adc8236946c39ae77dad2819eab77c3279442ce50bba745c"}},
      {"sdxl-vae", {83653863, 248, "4928bf8776c5dbc8adc8236946c39ae77dad2819eab77c3279442ce50bba745c"}},
      {"sd3-vae", {83819683, 244, "34c0cd57a711905a0e2e76bee22819fd1637b78857db1af1286d108e63f2972f"}},
      {"flux-vae", {83819683, 244, "34c0cd57a711905a0e2e76bee22819fd1637b78857db1af1286d108e63f2972f"}},
      {"taesd", {2445063, 134, "7632cfd64333332db08f67538088a35867345f305a0be2154e832e227beeff6c"}},
      {"taesdxl", {2445063, 134, "7632cfd64333332db08f67538088a35867345f305a0be2154e832e227beeff6c"}},
      {"taesd3", {2458899, 134, "8d221e9ed95500169e0134770fb8894e4c9c33b464ac113949968e551254567d"}},
      {"taef1", {2458899, 134, "8d221e9ed95500169e0134770fb8894e4c9c33b464ac113949968e551254567d"}},
      {"taef2", {2677027, 158, "e1581ffef66d18d2ec593339efe6f718249931f5add1c9e36f654a4cf6518a34"}},
      {"dc-ae-f32c32-sana", {312250275, 375, "3e70838d679c970b26fb664376e4c0552fd2c716b08102b22e98ec14b019078e"}},
  };
  ASSERT_EQ(rows.size(), published_conv().size());
  for (const auto& [name, wanted] : rows) EXPECT_EQ(facts_of(graphs_of(published_conv(name))), wanted) << name;
}

TEST(PublishedConv, SizesOfLatents) {
  const auto encoder = [](const char* name, int height, int width) {
    const PublishedNetwork& n = published_conv(name);
    const auto g = build_network(n.class_name, Role::encoder, n.config, {.batch = 2, .height = height, .width = width});
    return g.type(g.outputs[0].value).shape;
  };
  EXPECT_EQ(encoder("sd-vae", 512, 768), (graph::Shape{2, 64, 96, 4}));
  EXPECT_EQ(encoder("flux-vae", 64, 32), (graph::Shape{2, 8, 4, 16}));
  EXPECT_EQ(encoder("taesd3", 64, 32), (graph::Shape{2, 8, 4, 16}));
  EXPECT_EQ(encoder("dc-ae-f32c32-sana", 64, 96), (graph::Shape{2, 2, 3, 32}));
  expect_error(ErrorKind::bad_input, "multiples of 8", [&] { encoder("sd-vae", 516, 512); });
  expect_error(ErrorKind::bad_input, "multiples of 32", [&] { encoder("dc-ae-f32c32-sana", 32, 40); });
}

TEST(PublishedConv, RefusesConfigsInOneLine) {
  struct Row {
    const char* name;
    const char* key;
    Json value;
    ErrorKind kind;
    const char* message;
  };
  const std::vector<Row> rows{
      {"sd1.5", "block_out_channels", {320, -1}, ErrorKind::bad_file, "between 1 and"},
      {"sd1.5", "block_out_channels", Json(100000, 320), ErrorKind::bad_file, "a list of 1 to 8"},
      {"sd1.5", "block_out_channels", "wide", ErrorKind::bad_file, "a list of"},
      {"sd1.5", "attention_head_dim", 7, ErrorKind::bad_file, "number of heads"},
      {"sd1.5", "attention_head_dim", {8, 8}, ErrorKind::bad_file, "each of the 4 levels"},
      {"sd1.5", "norm_num_groups", 33, ErrorKind::bad_file, "norm_num_groups"},
      {"sd1.5", "cross_attention_dim", 18446744073709551615ull, ErrorKind::bad_file, "cross_attention_dim"},
      {"sd1.5", "norm_eps", "small", ErrorKind::bad_file, "a number"},
      {"sd1.5", "mid_block_type", "UNetMidBlock3D", ErrorKind::unsupported, "UNetMidBlock3D"},
      {"sd1.5", "class_embed_type", "projection", ErrorKind::unsupported, "class_embed_type"},
      {"sd1.5", "only_cross_attention", {true, false, false, false}, ErrorKind::unsupported, "only_cross_attention"},
      {"sdxl", "projection_class_embeddings_input_dim", 1536, ErrorKind::bad_file, "six times"},
      {"sdxl", "addition_embed_type", "image", ErrorKind::unsupported, "text_time"},
      {"sdxl", "transformer_layers_per_block", {1, 2, 1000000}, ErrorKind::bad_file, "between 1 and 64"},
      {"sdxl", "_class_name", "ControlNetModel", ErrorKind::bad_file, "ControlNetModel"},
      {"sd-vae", "down_block_types", Json(4, "AttnDownEncoderBlock2D"), ErrorKind::unsupported,
       "AttnDownEncoderBlock2D"},
      {"sd-vae", "layers_per_block", 1e9, ErrorKind::bad_file, "an integer"},
      {"taesd", "encoder_block_out_channels", {64, 32, 64, 64}, ErrorKind::bad_file, "one number"},
      {"taesd", "act_fn", "gelu", ErrorKind::unsupported, "act_fn"},
      {"dc-ae-f32c32-sana", "latent_channels", 24, ErrorKind::bad_file, "latent_channels"},
      {"dc-ae-f32c32-sana", "encoder_layers_per_block", {2, 0, 2, 3, 3, 3}, ErrorKind::bad_file, "no layers"},
      {"dc-ae-f32c32-sana", "encoder_qkv_multiscales", Json(6, Json{4}), ErrorKind::bad_file, "odd"},
      {"dc-ae-f32c32-sana", "decoder_norm_types", "batch_norm", ErrorKind::unsupported, "batch_norm"},
      {"dc-ae-f32c32-sana",
       "encoder_block_out_channels",
       {128, 256, 512, 512, 1024, 999},
       ErrorKind::bad_file,
       "multiple"},
  };
  for (const Row& row : rows) {
    PublishedNetwork broken = published_conv(row.name);
    broken.config[row.key] = row.value;
    expect_error(row.kind, row.message, [&] { graphs_of(broken); });
  }
  expect_error(ErrorKind::unsupported, "taesd3", [] { published_conv("sd9"); });
  expect_error(ErrorKind::bad_file, "a JSON object", [] {
    build_network("AutoencoderKL", Role::decoder, Json::array(), {.batch = 1, .height = 8, .width = 8});
  });
}

}  // namespace
}  // namespace thimble::models
