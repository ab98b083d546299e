#include "base/error.h"
#include "models/foreign_config.h"
#include "models/unet.h"

namespace thimble::models {
namespace {

// Which levels attend to the text, by the names of their blocks.
std::vector<bool> attention_of(const ForeignConfig& r, std::string_view key, std::size_t levels, std::string_view with,
                               std::string_view without, std::size_t plain_level) {
  std::vector<bool> out(levels, true);
  if (!r.has(key)) {
    out[plain_level] = false;
    return out;
  }
  const auto names = r.texts_per_level(key, levels, "");
  for (std::size_t i = 0; i < levels; ++i) {
    if (names[i] != with && names[i] != without) r.unknown(key, names[i], fmt::format("{} and {}", with, without));
    out[i] = names[i] == with;
  }
  return out;
}

UnetConfig::Mid mid_of(const ForeignConfig& r, const Json& json) {
  if (json.contains("mid_block_type") && json["mid_block_type"].is_null()) return UnetConfig::Mid::none;
  const std::string name = r.text("mid_block_type", "UNetMidBlock2DCrossAttn");
  if (name == "UNetMidBlock2DCrossAttn") return UnetConfig::Mid::attention;
  if (name == "UNetMidBlock2D") return UnetConfig::Mid::resnet;
  r.unknown("mid_block_type", name, "UNetMidBlock2DCrossAttn and UNetMidBlock2D");
}

// Settings of other networks that share the class.
void refuse_others(const ForeignConfig& r, const Json& json) {
  for (const char* key : {"reverse_transformer_layers_per_block", "encoder_hid_dim", "encoder_hid_dim_type",
                          "num_attention_heads", "class_embed_type", "num_class_embeds", "time_embedding_dim",
                          "time_embedding_act_fn", "timestep_post_act", "cross_attention_norm"}) {
    r.must_be(key, nullptr);
  }
  for (const char* key : {"center_input_sample", "dual_cross_attention", "resnet_skip_time_act",
                          "class_embeddings_concat", "mid_block_only_cross_attention"}) {
    r.must_be(key, false);
  }
  const auto only = json.find("only_cross_attention");
  const bool listed = only != json.end() && only->is_array();
  r.must_be("only_cross_attention", listed ? Json(only->size(), false) : Json(false));
  for (const char* key : {"downsample_padding", "mid_block_scale_factor", "resnet_out_scale_factor"}) r.must_be(key, 1);
  for (const char* key : {"conv_in_kernel", "conv_out_kernel"}) r.must_be(key, 3);
  for (const char* key : {"resnet_time_scale_shift", "attention_type"}) r.must_be(key, "default");
  r.must_be("time_embedding_type", "positional");
  r.must_be("act_fn", "silu");
  r.must_be("flip_sin_to_cos", true);
  r.must_be("freq_shift", 0);
}

}  // namespace

UnetConfig unet_from_json(const Json& json) {
  const ForeignConfig r(json, "UNet2DConditionModel");
  refuse_others(r, json);
  UnetConfig c;
  c.in_channels = r.integer("in_channels", 4, 1, 1024);
  c.out_channels = r.integer("out_channels", 4, 1, 1024);
  c.channels = r.integers("block_out_channels", c.channels, 1, kMaxChannels);
  const std::size_t levels = c.channels.size();
  c.layers = r.per_level("layers_per_block", levels, 2, 1, 16);
  c.down_attention = attention_of(r, "down_block_types", levels, "CrossAttnDownBlock2D", "DownBlock2D", levels - 1);
  c.up_attention = attention_of(r, "up_block_types", levels, "CrossAttnUpBlock2D", "UpBlock2D", 0);
  c.mid = mid_of(r, json);
  c.transformer_layers = r.per_level("transformer_layers_per_block", levels, 1, 1, 64);
  // The key means the number of heads, whatever its name says; published files are too many to mend.
  c.heads = r.per_level("attention_head_dim", levels, 8, 1, 1024);
  c.text_width = r.integer("cross_attention_dim", 1280, 1, kMaxChannels);
  c.norm_groups = r.integer("norm_num_groups", 32, 1, kMaxChannels);
  c.norm_eps = r.number("norm_eps", 1e-5, 0, 1);
  c.guidance_width = r.integer("time_cond_proj_dim", 0, 1, kMaxChannels);

  const std::string added = r.text("addition_embed_type", "");
  if (!added.empty()) {
    if (added != "text_time") r.unknown("addition_embed_type", added, "text_time and none");
    c.size_width = r.integer("addition_time_embed_dim", 0, 2, kMaxChannels);
    c.pooled_width = r.integer("projection_class_embeddings_input_dim", 0, 1, 1 << 17) - kSizeIds * c.size_width;
    if (c.size_width == 0 || c.pooled_width < 1) {
      r.bad("'projection_class_embeddings_input_dim' must exceed six times 'addition_time_embed_dim'");
    }
  }
  for (std::size_t i = 0; i < levels; ++i) {
    if (c.channels[i] % c.norm_groups != 0) r.bad("'norm_num_groups' must divide every entry of 'block_out_channels'");
    const bool in_mid = i + 1 == levels && c.mid == UnetConfig::Mid::attention;
    const bool attends = c.down_attention[i] || c.up_attention[levels - 1 - i] || in_mid;
    if (attends && c.channels[i] % c.heads[i] != 0) {
      r.bad("'attention_head_dim' (the number of heads) must divide 'block_out_channels' on every level");
    }
  }
  return c;
}

}  // namespace thimble::models
