// Names of LoRA files in their many styles, textual inversions, GGUF and TAESD's two files, and what is refused.
#include "formats/diffusers/lora.h"

#include "formats/diffusers/embedding_file.h"
#include "formats/diffusers/test_dirs.h"

namespace thimble::formats {
namespace {

using Strings = std::vector<std::string>;

class LoraNames : public testing::Test {
 protected:
  std::filesystem::path write(const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
    const auto path = here_ / fmt::format("{}.safetensors", ++count_);
    write_zeros(path, tensors);
    return path;
  }

  // The parameters that one pair of matrices changes.
  Strings changed(const std::string& down, const std::string& up, std::string_view part, bool denoiser,
                  const Strings& parameters) {
    LoraFile file = LoraFile::open(write({{down, {2, 8}}, {up, {4, 2}}}));
    Strings names;
    for (const LoraUpdate& u : file.updates(part, denoiser, parameters)) {
      names.push_back(u.parameter);
      EXPECT_EQ(u.factor, 1);
      EXPECT_EQ(u.down.shape(), (graph::Shape{2, 8}));
      EXPECT_EQ(u.up.shape(), (graph::Shape{4, 2}));
    }
    EXPECT_EQ(file.left().size(), names.empty() ? 1u : 0u);
    return names;
  }

  Directory here_;
  int count_ = 0;
};

TEST_F(LoraNames, OfDiffusersPeftAndKohya) {
  const Strings unet{"down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight",
                     "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0.weight",
                     "up_blocks.0.upsamplers.0.conv.weight",
                     "down_blocks.1.resnets.1.conv1.weight",
                     "mid_block.attentions.0.proj_in.weight",
                     "conv_in.weight",
                     "conv_in.bias"};
  const std::string attn = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.";
  const auto of = [&](const std::string& down, const std::string& up) { return changed(down, up, "unet", true, unet); };
  EXPECT_EQ(of("unet." + attn + "to_q.lora_A.weight", "unet." + attn + "to_q.lora_B.weight"), Strings{unet[0]});
  EXPECT_EQ(of("base_model.model." + attn + "to_q.lora_A.default.weight",
               "base_model.model." + attn + "to_q.lora_B.default.weight"),
            Strings{unet[0]});
  EXPECT_EQ(of("unet." + attn + "to_out.0.lora.down.weight", "unet." + attn + "to_out.0.lora.up.weight"),
            Strings{unet[1]});
  EXPECT_EQ(of(attn + "processor.to_out_lora.down.weight", attn + "processor.to_out_lora.up.weight"), Strings{unet[1]});
  const auto kohya = [&](const std::string& layer) {
    return of("lora_unet_" + layer + ".lora_down.weight", "lora_unet_" + layer + ".lora_up.weight");
  };
  EXPECT_EQ(kohya("down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"), Strings{unet[0]});
  // Original names, two layers a level: block 4 is the second level's first layer, block 5 its second.
  EXPECT_EQ(kohya("input_blocks_4_1_transformer_blocks_0_attn1_to_q"), Strings{unet[0]});
  EXPECT_EQ(kohya("input_blocks_5_0_in_layers_2"), Strings{unet[3]});
  EXPECT_EQ(kohya("output_blocks_2_1_conv"), Strings{unet[2]});
  EXPECT_EQ(kohya("middle_block_1_proj_in"), Strings{unet[4]});
  EXPECT_EQ(kohya("input_blocks_0_0"), Strings{unet[5]});
  EXPECT_EQ(kohya("output_blocks_9_1_proj_in"), Strings{});
}

TEST_F(LoraNames, PartsAreToldApart) {
  const Strings text{"text_model.encoder.layers.0.self_attn.q_proj.weight"};
  const std::string layer = "encoder.layers.0.self_attn.q_proj", flat = "encoder_layers_0_self_attn_q_proj";
  const auto of = [&](const std::string& stem, std::string_view part, const char* down = ".lora_A.weight",
                      const char* up = ".lora_B.weight") { return changed(stem + down, stem + up, part, false, text); };
  EXPECT_EQ(of("text_encoder.text_model." + layer, "text_encoder"), text);
  EXPECT_EQ(of("text_encoder." + layer, "text_encoder"), text);
  EXPECT_EQ(of("text_encoder_2.text_model." + layer, "text_encoder_2"), text);
  EXPECT_EQ(of("text_encoder_2.text_model." + layer, "text_encoder"), Strings{});
  EXPECT_EQ(of("lora_te_text_model_" + flat, "text_encoder", ".lora_down.weight", ".lora_up.weight"), text);
  EXPECT_EQ(of("lora_te1_text_model_" + flat, "text_encoder", ".lora_down.weight", ".lora_up.weight"), text);
  EXPECT_EQ(of("lora_te2_text_model_" + flat, "text_encoder_2", ".lora_down.weight", ".lora_up.weight"), text);
}

TEST_F(LoraNames, OthersAreRefused) {
  const auto refusal = [&](const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
    const auto path = write(tensors);
    return message_of([&] { LoraFile::open(path); });
  };
  const std::string q = "lora_unet_mid_block_attentions_0_proj_in";
  expect_refused(refusal({{q + ".hada_w1_a", {4, 2}}}), "unsupported", {"LoHa", q});
  expect_refused(refusal({{q + ".lokr_w1", {4, 2}}}), "unsupported", {"LoKr"});
  expect_refused(
      refusal({{q + ".lora_down.weight", {2, 8}}, {q + ".lora_up.weight", {4, 2}}, {q + ".dora_scale", {4}}}),
      "unsupported", {"DoRA"});
  expect_refused(refusal({{q + ".lora_down.weight", {2, 8}}}), "bad file", {q, "no upper matrix"});
  expect_refused(refusal({{q + ".lora_down.weight", {2, 8}}, {q + ".lora_up.weight", {4, 3}}}), "bad file",
                 {"[2,8]", "[4,3]", "no common rank"});
  expect_refused(refusal({{"conv_in.weight", {4, 4}}}), "bad file", {"is no LoRA", "conv_in.weight"});
  expect_refused(refusal({}), "bad file", {"holds no tensors"});
  expect_refused(refusal({{q + ".lora_down.weight", {2, 8}}, {q + ".lora_up.weight", {4, 2}}, {q + ".alpha", {1}}}),
                 "bad file", {".alpha' is 0"});
  write_file(here_ / "lora.pt", std::string("PK\x03\x04") + std::string(40, 'x'));
  expect_refused(message_of([&] { LoraFile::open(here_ / "lora.pt"); }), "unsupported", {"pickled weights"});
}

TEST_F(LoraNames, TextualInversions) {
  EXPECT_EQ(read_embedding(write({{"<cat-toy>", {8}}})).token, "<cat-toy>");
  const EmbeddingFile many = read_embedding(write({{"emb_params", {3, 8}}}));
  EXPECT_EQ(many.token, "");
  EXPECT_EQ(many.vectors[0].shape(), (graph::Shape{3, 8}));
  EXPECT_EQ(read_embedding(write({{"clip_l", {2, 8}}, {"clip_g", {2, 12}}})).vectors.size(), 2u);
  const auto refusal = [&](const std::vector<std::pair<std::string, std::vector<std::int64_t>>>& tensors) {
    const auto path = write(tensors);
    return message_of([&] { read_embedding(path); });
  };
  expect_refused(refusal({{"x", {200, 8}}}), "bad file", {"no textual inversion", "[200,8]", "1 to 75 vectors"});
  expect_refused(refusal({{"x", {2, 2, 2}}}), "bad file", {"[2,2,2]"});
  expect_refused(refusal({{"a", {8}}, {"b", {8}}, {"c", {8}}}), "bad file", {"3 tensors"});
}

TEST(Gguf, SameWeightsAsTheSafetensorsFile) {
  const auto gguf = DiffusersModel::open("formats/gguf/testdata/sd_single.gguf");
  const auto plain = DiffusersModel::open(kTestData / "sd_single.safetensors");
  EXPECT_EQ(gguf.pipeline_class, plain.pipeline_class);
  ASSERT_EQ(gguf.parts.size(), plain.parts.size());
  for (const DiffusersPart& part : plain.parts) {
    SCOPED_TRACE(part.name);
    expect_equal(gguf.weights_of(part.name), part.weights());
  }
}

TEST(TinyPair, LayersAreFoundByNumber) {
  const Directory here;
  write_zeros(here / "taex_encoder.safetensors",
              {{"0.weight", {64, 3, 3, 3}}, {"1.conv.0.weight", {64, 64, 3, 3}}, {"11.pool.0.weight", {4, 1, 1, 1}}});
  write_zeros(here / "taex_decoder.safetensors", {{"1.weight", {64, 32, 3, 3}}, {"3.conv.0.bias", {64}}});
  const DiffusersPart part = open_diffusers_part(here.path());
  EXPECT_EQ(part.class_name, "AutoencoderTiny");
  EXPECT_EQ(part.config["latent_channels"], 32);
  EXPECT_EQ(part.config["use_midblock_gn"], true);
  EXPECT_EQ(part.weights().names(),
            (Strings{"decoder.layers.0.weight", "decoder.layers.2.conv.0.bias", "encoder.layers.0.weight",
                     "encoder.layers.1.conv.0.weight", "encoder.layers.11.pool.0.weight"}));
  write_zeros(here / "taex_decoder.safetensors", {{"0.weight", {64}}});
  expect_refused(message_of([&] { open_diffusers_part(here.path()); }), "bad file", {"no filter '1.weight'"});
}

}  // namespace
}  // namespace thimble::formats
