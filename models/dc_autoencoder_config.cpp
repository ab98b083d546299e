#include "models/dc_autoencoder.h"
#include "models/foreign_config.h"

namespace thimble::models {
namespace {

using Config = DcAutoencoderConfig;

Config::Activation activation_of(const ForeignConfig& r, std::string_view key, const std::string& name) {
  if (name == "silu" || name == "swish") return Config::Activation::silu;
  if (name == "relu") return Config::Activation::relu;
  r.unknown(key, name, "silu and relu");
}

std::vector<Config::Level> levels_of(const ForeignConfig& r, const std::string& side, std::vector<int> layers) {
  const auto channels = r.integers(side + "_block_out_channels", {128, 256, 512, 512, 1024, 1024}, 1, kMaxChannels);
  const std::size_t count = channels.size();
  layers = r.integers(side + "_layers_per_block", std::move(layers), 0, 64);
  if (layers.size() != count) r.bad("'layers_per_block' and 'block_out_channels' must list the same levels");
  const std::string type_key = side + "_block_types";
  const auto types = r.texts_per_level(type_key, count, "ResBlock");
  const auto scales = r.lists_per_level(side + "_qkv_multiscales", count, {{}, {}, {}, {5}, {5}, {5}}, 1, 31);
  std::vector<Config::Level> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (types[i] != "ResBlock" && types[i] != "EfficientViTBlock") {
      r.unknown(type_key, types[i], "ResBlock and EfficientViTBlock");
    }
    out[i].channels = channels[i];
    out[i].layers = layers[i];
    out[i].attention = types[i] == "EfficientViTBlock";
    if (out[i].attention) out[i].scales = scales[i];
    for (const int kernel : out[i].scales) {
      if (kernel % 2 == 0) r.bad("kernels of '" + side + "_qkv_multiscales' must be odd");
    }
  }
  return out;
}

// Every level changes the size by two, so that only the finest may be empty; the shortcuts deal out whole channels.
void check_levels(const ForeignConfig& r, const Config& c, const std::vector<Config::Level>& levels) {
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const Config::Level& level = levels[i];
    if (level.layers == 0 && (i > 0 || levels.size() == 1)) r.bad("a level other than the finest has no layers");
    if (level.attention && level.channels % c.head_width != 0) {
      r.bad("'attention_head_dim' must divide the channels of every level with attention");
    }
    if (i + 1 == levels.size()) continue;
    const int fine = level.channels, coarse = levels[i + 1].channels;
    if (4 * fine % coarse != 0 || coarse % 4 != 0) {
      r.bad("channels of a level must be a multiple of 4 and divide four times those of the finer level");
    }
  }
}

}  // namespace

DcAutoencoderConfig dc_autoencoder_from_json(const Json& json) {
  const ForeignConfig r(json, "AutoencoderDC");
  Config c;
  c.image_channels = r.integer("in_channels", 3, 1, 64);
  c.latent_channels = r.integer("latent_channels", 32, 1, 1024);
  c.head_width = r.integer("attention_head_dim", 32, 1, 1024);
  c.encoder = levels_of(r, "encoder", {2, 2, 2, 3, 3, 3});
  c.decoder = levels_of(r, "decoder", {3, 3, 3, 3, 3, 3});
  const auto activations = r.texts_per_level("decoder_act_fns", c.decoder.size(), "silu");
  const auto norms = r.texts_per_level("decoder_norm_types", c.decoder.size(), "rms_norm");
  for (std::size_t i = 0; i < c.decoder.size(); ++i) {
    c.decoder[i].activation = activation_of(r, "decoder_act_fns", activations[i]);
    if (norms[i] != "rms_norm") r.unknown("decoder_norm_types", norms[i], "rms_norm");
  }
  c.last_activation = activation_of(r, "decoder_conv_act_fn", r.text("decoder_conv_act_fn", "relu"));
  // Any other value than these means the strided convolution and depth-to-space, as in the original.
  c.unshuffle_down = r.text("downsample_block_type", "pixel_unshuffle") == "pixel_unshuffle";
  c.interpolate_up = r.text("upsample_block_type", "pixel_shuffle") == "interpolate";
  c.encoder_shortcut = r.flag("encoder_out_shortcut", true);
  c.decoder_shortcut = r.flag("decoder_in_shortcut", true);
  check_levels(r, c, c.encoder);
  check_levels(r, c, c.decoder);
  if (c.encoder.size() != c.decoder.size()) r.bad("encoder and decoder must have equally many levels");
  if ((c.encoder_shortcut && c.encoder.back().channels % c.latent_channels != 0) ||
      (c.decoder_shortcut && c.decoder.back().channels % c.latent_channels != 0)) {
    r.bad("'latent_channels' must divide the channels of the coarsest level");
  }
  return c;
}

}  // namespace thimble::models
