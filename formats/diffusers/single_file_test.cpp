// Tests of single files in the original names. tools/goldens/diffusers_dirs.py writes them with the weights of the
// directory beside them, and has checked the names with the conversion of diffusers.
#include "formats/diffusers/single_file.h"

#include "formats/diffusers/test_dirs.h"
#include "models/classes.h"
#include "models/published_conv.h"
#include "models/published_text.h"

namespace thimble::formats {
namespace {

using Strings = std::vector<std::string>;
constexpr const char* kFirst = "model.diffusion_model.input_blocks.0.0.weight";

TEST(SingleFile, SameWeightsAsTheDirectory) {
  const auto single = DiffusersModel::open(kTestData / "sd_single.safetensors");
  const auto directory = DiffusersModel::open(kTestData / "sd");
  EXPECT_EQ(single.pipeline_class, "StableDiffusionPipeline");
  ASSERT_EQ(single.parts.size(), directory.parts.size());
  for (const DiffusersPart& part : directory.parts) {
    SCOPED_TRACE(part.name);
    EXPECT_EQ(single.part(part.name).class_name, part.class_name);
    expect_equal(single.weights_of(part.name), part.weights());
  }
  EXPECT_FALSE(single.weights_of("unet").at("conv_in.weight").owned());
  EXPECT_EQ(single.unused, Strings{"a_tensor.of_nobody"});
  EXPECT_EQ(single.scheduler_class, "PNDMScheduler");
  for (const auto& [key, value] : single.scheduler.items()) {
    if (!directory.scheduler.contains(key)) continue;
    EXPECT_EQ(directory.scheduler[key], value) << key;
  }
}

TEST(SingleFile, XlHasSizesAndOpenClip) {
  const auto model = DiffusersModel::open(kTestData / "sdxl_single.safetensors");
  EXPECT_EQ(model.pipeline_class, "StableDiffusionXLPipeline");
  EXPECT_EQ(model.scheduler_class, "EulerDiscreteScheduler");
  EXPECT_EQ(model.absent, (Strings{"text_encoder", "vae"}));
  EXPECT_EQ(model.tokenizers.size(), 2u);
  EXPECT_EQ(model.unused, Strings{});
  const auto expected = SafetensorsFile::open(kTestData / "sdxl_text.safetensors");
  const graph::Weights want = map_weights(expected.tensors(), expected.file());
  const graph::Weights text = model.weights_of("text_encoder_2");
  expect_equal(text, want);
  EXPECT_FALSE(text.at("text_model.encoder.layers.1.self_attn.k_proj.weight").owned());
  // Names are those of a UNet whose graph says so, with one layer a level and two transformers in the second.
  const graph::Weights unet = model.weights_of("unet");
  const Json config{{"block_out_channels", {4, 4}},
                    {"layers_per_block", 1},
                    {"down_block_types", {"DownBlock2D", "CrossAttnDownBlock2D"}},
                    {"up_block_types", {"CrossAttnUpBlock2D", "UpBlock2D"}},
                    {"addition_embed_type", "text_time"},
                    {"addition_time_embed_dim", 2},
                    {"projection_class_embeddings_input_dim", 18},
                    {"transformer_layers_per_block", {1, 2}},
                    {"use_linear_projection", true},
                    {"cross_attention_dim", 8},
                    {"norm_num_groups", 2},
                    {"attention_head_dim", 2}};
  const graph::Graph g = models::build_network("UNet2DConditionModel", models::Role::denoiser, config,
                                               {.height = 8, .width = 8, .tokens = 9});
  unet.check_covers(g, "unet");
  EXPECT_EQ(unet.size(), g.parameters.size());
}

TEST(SingleFile, ToldApartByTheFirstConvolution) {
  const Directory dir;
  const auto open = [&](std::int64_t channels, bool xl) {
    std::vector<std::pair<std::string, std::vector<std::int64_t>>> tensors{{kFirst, {320, channels, 3, 3}}};
    if (xl) tensors.push_back({"model.diffusion_model.label_emb.0.0.bias", {1280}});
    write_zeros(dir / "m.safetensors", tensors);
    return DiffusersModel::open(dir / "m.safetensors");
  };
  EXPECT_EQ(open(4, false).pipeline_class, "StableDiffusionPipeline");
  EXPECT_EQ(open(9, false).pipeline_class, "StableDiffusionInpaintPipeline");
  EXPECT_EQ(open(9, false).part("unet").config["in_channels"], 9);
  EXPECT_EQ(open(8, false).pipeline_class, "StableDiffusionInstructPix2PixPipeline");
  EXPECT_EQ(open(8, false).part("unet").config["in_channels"], 8);
  EXPECT_EQ(open(9, true).pipeline_class, "StableDiffusionXLInpaintPipeline");
  EXPECT_TRUE(open(4, true).part("unet").weights().contains("add_embedding.linear_1.bias"));
  expect_refused(message_of([&] { open(5, false); }), "unsupported", {kFirst, "[320,5,3,3]", "4, 8"});
  expect_refused(message_of([&] { open(4, false).part("vae"); }), "bad file", {"has no part 'vae'", "there are unet"});
}

// The configs here and those of models/ are two copies of what was published.
TEST(SingleFile, PublishedConfigs) {
  const Directory dir;
  const auto expect_config = [](const DiffusersPart& part, const char* published) {
    for (const auto& [key, value] : models::published_conv(published).config.items()) {
      if (key == "use_quant_conv" || key == "use_post_quant_conv") {
        EXPECT_EQ(part.config.value(key, true), value) << published << ' ' << key;
      } else {
        EXPECT_EQ(part.config.value(key, Json()), value) << published << ' ' << key;
      }
    }
  };
  const auto file = dir / "m.safetensors";
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> others{
      {"first_stage_model.quant_conv.bias", {8}},
      {"cond_stage_model.transformer.text_model.final_layer_norm.bias", {768}}};
  for (const auto& [channels, name] : {std::pair(4, "sd1.5"), {9, "sd1.5-inpainting"}, {8, "instruct-pix2pix"}}) {
    auto tensors = others;
    tensors.push_back({kFirst, {320, channels, 3, 3}});
    write_zeros(file, tensors);
    const auto model = DiffusersModel::open(file);
    expect_config(model.part("unet"), name);
    expect_config(model.part("vae"), "sd-vae");
    EXPECT_EQ(models::clip_text_from_json(model.part("text_encoder").config), models::clip_l());
  }
  write_zeros(file, {{kFirst, {320, 4, 3, 3}},
                     {"model.diffusion_model.label_emb.0.0.bias", {1280}},
                     {"first_stage_model.quant_conv.bias", {8}},
                     {"conditioner.embedders.0.transformer.text_model.final_layer_norm.bias", {768}},
                     {"conditioner.embedders.1.model.ln_final.bias", {1280}}});
  const auto xl = DiffusersModel::open(file);
  expect_config(xl.part("unet"), "sdxl");
  expect_config(xl.part("vae"), "sdxl-vae");
  EXPECT_EQ(models::clip_text_from_json(xl.part("text_encoder").config), models::clip_l());
  EXPECT_EQ(models::clip_text_from_json(xl.part("text_encoder_2").config), models::openclip_bigg());
}

TEST(SingleFile, Refusals) {
  const Directory dir;
  const auto refused = [&](const char* kind, const Strings& words) {
    expect_refused(message_of([&] { DiffusersModel::open(dir / "m.safetensors"); }), kind, words);
  };
  const auto with = [&](const std::string& tensor, const char* kind, const Strings& words) {
    write_zeros(dir / "m.safetensors", {{tensor, {1}}});
    refused(kind, words);
  };
  with("encoder.layers.0.weight", "bad file", {"no Stable Diffusion checkpoint", kFirst, "'encoder.layers.0.weight'"});
  with("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "unsupported", {"FLUX", "diffusers directory"});
  with("model.diffusion_model.joint_blocks.0.x", "unsupported", {"Stable Diffusion 3"});
  with("cond_stage_model.model.ln_final.bias", "unsupported", {"Stable Diffusion 2"});
  with("conditioner.embedders.0.model.ln_final.bias", "unsupported", {"refiner"});
  with("control_model.input_hint_block.0.bias", "unsupported", {"ControlNet"});
  with("lora_unet_down_blocks_0.alpha", "unsupported", {"LoRA", "name the model itself"});
  with("down_blocks.0.resnets.0.conv1.bias", "unsupported", {"one network", "config.json"});

  for (const std::string& start : {std::string("PK\x03\x04"), std::string("\x80\x02}q\x01(X\x05\0\0\0alpha", 16)}) {
    write_file(dir / "m.safetensors", start);
    refused("unsupported", {"pickled weights", "runs whatever code", "save_pretrained"});
  }
  write_file(dir / "m.safetensors", "{}");
  refused("bad file", {"2 bytes are too few"});
  write_file(dir / "m.ckpt", "anything");
  expect_refused(message_of([&] { DiffusersModel::open(dir / "m.ckpt"); }), "unsupported", {"m.ckpt", "pickled"});

  // Two names for one tensor, and a fused matrix that cannot be cut.
  write_zeros(dir / "m.safetensors", {{kFirst, {320, 4, 3, 3}},
                                      {"cond_stage_model.transformer.final_layer_norm.bias", {1}},
                                      {"cond_stage_model.transformer.text_model.final_layer_norm.bias", {1}}});
  refused("bad file", {"both stand for 'text_model.final_layer_norm.bias'", "m.safetensors"});
  write_zeros(
      dir / "m.safetensors",
      {{kFirst, {320, 4, 3, 3}}, {"conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_bias", {4}}});
  expect_refused(message_of([&] { DiffusersModel::open(dir / "m.safetensors").weights_of("text_encoder_2"); }),
                 "bad file", {"in_proj_bias' has shape [4]", "three parts"});
}

}  // namespace
}  // namespace thimble::formats
