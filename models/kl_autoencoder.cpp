#include "models/kl_autoencoder.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/blocks_conv.h"
#include "models/foreign_config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

constexpr double kEps = 1e-6;

Var resnet(Builder& b, const KlAutoencoderConfig& c, Var x, int index, int channels) {
  const auto s = b.scope("resnets", index);
  return resnet_block(b, x, {}, channels, {.groups = c.norm_groups, .eps = kEps});
}

// One head over all positions.
Var attention(Builder& b, const KlAutoencoderConfig& c, Var x) {
  const auto s = b.scope("attentions.0");
  const graph::Shape shape = x.shape();
  const std::int64_t width = shape[3];
  const Var h = b.reshape(b.group_norm(x, "group_norm", c.norm_groups, kEps), {shape[0], shape[1] * shape[2], width});
  const Var a = b.attention(b.linear(h, "to_q", width), b.linear(h, "to_k", width), b.linear(h, "to_v", width),
                            graph::Attention());
  return x + b.reshape(b.linear(a, "to_out.0", width), shape);
}

Var mid_block(Builder& b, const KlAutoencoderConfig& c, Var x) {
  const auto s = b.scope("mid_block");
  x = resnet(b, c, x, 0, c.channels.back());
  if (c.mid_attention) x = attention(b, c, x);
  return resnet(b, c, x, 1, c.channels.back());
}

Var head(Builder& b, const KlAutoencoderConfig& c, Var x, int out) {
  return b.conv2d(b.silu(b.group_norm(x, "conv_norm_out", c.norm_groups, kEps)), "conv_out", out);
}

}  // namespace

graph::Graph build_kl_encoder(const KlAutoencoderConfig& c, const BuildSize& size) {
  check_picture("AutoencoderKL", size.height, size.width, c.compression());
  Builder b("encoder");
  Var x = b.input("image", {size.batch, size.height, size.width, c.in_channels});
  {
    const auto e = b.scope("encoder");
    x = b.conv2d(x, "conv_in", c.channels[0]);
    for (std::size_t level = 0; level < c.channels.size(); ++level) {
      const auto s = b.scope("down_blocks", static_cast<int>(level));
      for (int i = 0; i < c.layers; ++i) x = resnet(b, c, x, i, c.channels[level]);
      if (level + 1 < c.channels.size()) x = downsample(b, x, 0);
      b.tap(fmt::format("encoder.down_blocks.{}", level), x);
    }
    x = mid_block(b, c, x);
    b.tap("encoder.mid_block", x);
    x = head(b, c, x, 2 * c.latent_channels);
  }
  if (c.quant_conv) x = b.conv2d(x, "quant_conv", 2 * c.latent_channels, {.kernel = 1});
  b.output("latent", b.slice(x, -1, 0, c.latent_channels));
  b.output("moments", x);
  return b.finish();
}

graph::Graph build_kl_decoder(const KlAutoencoderConfig& c, const BuildSize& size) {
  check_picture("AutoencoderKL", size.height, size.width, 1);
  Builder b("decoder");
  Var x = b.input("latent", {size.batch, size.height, size.width, c.latent_channels});
  if (c.post_quant_conv) x = b.conv2d(x, "post_quant_conv", c.latent_channels, {.kernel = 1});
  const auto d = b.scope("decoder");
  x = mid_block(b, c, b.conv2d(x, "conv_in", c.channels.back()));
  b.tap("decoder.mid_block", x);
  for (std::size_t level = c.channels.size(); level-- > 0;) {
    const std::size_t up = c.channels.size() - 1 - level;
    const auto s = b.scope("up_blocks", static_cast<int>(up));
    for (int i = 0; i <= c.layers; ++i) x = resnet(b, c, x, i, c.channels[level]);
    if (level > 0) x = upsample(b, x, 2 * x.dim(1), 2 * x.dim(2));
    b.tap(fmt::format("decoder.up_blocks.{}", up), x);
  }
  b.output("image", head(b, c, x, c.out_channels));
  return b.finish();
}

KlAutoencoderConfig kl_autoencoder_from_json(const Json& json) {
  const ForeignConfig r(json, "AutoencoderKL");
  r.must_be("act_fn", "silu");
  KlAutoencoderConfig c;
  c.in_channels = r.integer("in_channels", 3, 1, 64);
  c.out_channels = r.integer("out_channels", 3, 1, 64);
  c.channels = r.integers("block_out_channels", {64}, 1, kMaxChannels);
  c.layers = r.integer("layers_per_block", 1, 1, 16);
  c.latent_channels = r.integer("latent_channels", 4, 1, 1024);
  c.norm_groups = r.integer("norm_num_groups", 32, 1, kMaxChannels);
  c.mid_attention = r.flag("mid_block_add_attention", true);
  c.quant_conv = r.flag("use_quant_conv", true);
  c.post_quant_conv = r.flag("use_post_quant_conv", true);
  for (const std::string& name : r.texts_per_level("down_block_types", c.channels.size(), "DownEncoderBlock2D")) {
    if (name != "DownEncoderBlock2D") r.unknown("down_block_types", name, "DownEncoderBlock2D");
  }
  for (const std::string& name : r.texts_per_level("up_block_types", c.channels.size(), "UpDecoderBlock2D")) {
    if (name != "UpDecoderBlock2D") r.unknown("up_block_types", name, "UpDecoderBlock2D");
  }
  for (const int channels : c.channels) {
    if (channels % c.norm_groups != 0) r.bad("'norm_num_groups' must divide every entry of 'block_out_channels'");
  }
  return c;
}

}  // namespace thimble::models
