#include "models/published_conv.h"

#include <vector>

#include "base/error.h"

namespace thimble::models {
namespace {

// Stable Diffusion 1.5; inpainting adds the masked picture's latent and the mask to its input, InstructPix2Pix the
// latent of the picture to edit.
Json sd_unet(int in_channels) {
  return {{"in_channels", in_channels},
          {"out_channels", 4},
          {"sample_size", 64},
          {"block_out_channels", {320, 640, 1280, 1280}},
          {"down_block_types", {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"}},
          {"up_block_types", {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"}},
          {"layers_per_block", 2},
          {"attention_head_dim", 8},
          {"cross_attention_dim", 768},
          {"norm_num_groups", 32},
          {"norm_eps", 1e-5},
          {"act_fn", "silu"}};
}

Json sdxl_unet() {
  return {{"in_channels", 4},
          {"out_channels", 4},
          {"sample_size", 128},
          {"block_out_channels", {320, 640, 1280}},
          {"down_block_types", {"DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"}},
          {"up_block_types", {"CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}},
          {"layers_per_block", 2},
          {"transformer_layers_per_block", {1, 2, 10}},
          {"attention_head_dim", {5, 10, 20}},
          {"cross_attention_dim", 2048},
          {"use_linear_projection", true},
          {"addition_embed_type", "text_time"},
          {"addition_time_embed_dim", 256},
          {"projection_class_embeddings_input_dim", 2816},
          {"norm_num_groups", 32},
          {"norm_eps", 1e-5},
          {"act_fn", "silu"}};
}

// LCM: the same network with the guidance weight as a further condition.
Json with_guidance(Json unet) {
  unet["time_cond_proj_dim"] = 256;
  return unet;
}

Json kl(int latent_channels, double scale, double shift, bool quant_conv, int sample_size) {
  Json config{{"in_channels", 3},
              {"out_channels", 3},
              {"sample_size", sample_size},
              {"block_out_channels", {128, 256, 512, 512}},
              {"down_block_types", Json(4, "DownEncoderBlock2D")},
              {"up_block_types", Json(4, "UpDecoderBlock2D")},
              {"layers_per_block", 2},
              {"latent_channels", latent_channels},
              {"norm_num_groups", 32},
              {"act_fn", "silu"},
              {"scaling_factor", scale},
              {"use_quant_conv", quant_conv},
              {"use_post_quant_conv", quant_conv}};
  if (shift != 0) config["shift_factor"] = shift;
  return config;
}

Json tiny(int latent_channels) {
  return {{"in_channels", 3},
          {"out_channels", 3},
          {"encoder_block_out_channels", {64, 64, 64, 64}},
          {"decoder_block_out_channels", {64, 64, 64, 64}},
          {"num_encoder_blocks", {1, 3, 3, 3}},
          {"num_decoder_blocks", {3, 3, 3, 1}},
          {"latent_channels", latent_channels},
          {"act_fn", "relu"},
          {"scaling_factor", 1.0}};
}

Json tiny_flux2() {
  Json config = tiny(32);
  config["use_midblock_gn"] = true;
  return config;
}

Json dc_sana() {
  const Json channels{128, 256, 512, 512, 1024, 1024},
      scales{Json::array(), Json::array(), Json::array(), {5}, {5}, {5}};
  const Json types{"ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock", "EfficientViTBlock", "EfficientViTBlock"};
  return {{"in_channels", 3},
          {"latent_channels", 32},
          {"attention_head_dim", 32},
          {"encoder_block_out_channels", channels},
          {"decoder_block_out_channels", channels},
          {"encoder_block_types", types},
          {"decoder_block_types", types},
          {"encoder_layers_per_block", {2, 2, 2, 3, 3, 3}},
          {"decoder_layers_per_block", {3, 3, 3, 3, 3, 3}},
          {"encoder_qkv_multiscales", scales},
          {"decoder_qkv_multiscales", scales},
          {"downsample_block_type", "Conv"},
          {"upsample_block_type", "interpolate"},
          {"decoder_norm_types", "rms_norm"},
          {"decoder_act_fns", "silu"},
          {"scaling_factor", 0.41407}};
}

}  // namespace

std::span<const PublishedNetwork> published_conv() {
  constexpr std::string_view kUnet = "UNet2DConditionModel", kKl = "AutoencoderKL", kTiny = "AutoencoderTiny";
  static const std::vector<PublishedNetwork> rows{
      {"sd1.5", kUnet, sd_unet(4)},
      {"sd1.5-inpainting", kUnet, sd_unet(9)},
      {"instruct-pix2pix", kUnet, sd_unet(8)},
      {"lcm-sd1.5", kUnet, with_guidance(sd_unet(4))},
      {"sdxl", kUnet, sdxl_unet()},
      {"lcm-sdxl", kUnet, with_guidance(sdxl_unet())},
      {"sd-vae", kKl, kl(4, 0.18215, 0, true, 512)},
      {"sdxl-vae", kKl, kl(4, 0.13025, 0, true, 1024)},
      {"sd3-vae", kKl, kl(16, 1.5305, 0.0609, false, 1024)},
      {"flux-vae", kKl, kl(16, 0.3611, 0.1159, false, 1024)},
      {"taesd", kTiny, tiny(4)},
      {"taesdxl", kTiny, tiny(4)},
      {"taesd3", kTiny, tiny(16)},
      {"taef1", kTiny, tiny(16)},
      {"taef2", kTiny, tiny_flux2()},
      {"dc-ae-f32c32-sana", "AutoencoderDC", dc_sana()},
  };
  return rows;
}

const PublishedNetwork& published_conv(std::string_view name) {
  std::string known;
  for (const PublishedNetwork& row : published_conv()) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  fail(ErrorKind::unsupported, "no network is called '{}'; known are {}", name, known);
}

}  // namespace thimble::models
