#include "models/dc_autoencoder.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/blocks_conv.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

using Config = DcAutoencoderConfig;

constexpr double kNormEps = 1e-5, kAttentionEps = 1e-15;
constexpr int kFeedForwardRatio = 4;

// RMS norm over the channels, with a bias.
Var norm(Builder& b, Var x, std::string_view name) {
  const Var y = b.rms_norm(x, name, kNormEps);
  const auto s = b.scope(name);
  return y + b.param("bias", {x.dim(-1)}, {});
}

Var activate(Builder& b, Var x, Config::Activation a) { return a == Config::Activation::silu ? b.silu(x) : b.relu(x); }

Var residual_block(Builder& b, Var x, Config::Activation activation) {
  Var h = activate(b, b.conv2d(x, "conv1", x.dim(-1)), activation);
  h = b.conv2d(h, "conv2", x.dim(-1), {.bias = false});
  return norm(b, h, "norm") + x;
}

// Queries, keys and values at scale 1 and, smoothed by a depthwise convolution and mixed within heads, at larger
// scales. The channels of all are cut into runs of 3 * head_width, each holding q, k and v of one head.
Var multi_scale_attention(Builder& b, Var x, const Config& c, const Config::Level& level) {
  const auto s = b.scope("attn");
  const graph::Shape shape = x.shape();
  const std::int64_t heads = shape[3] / c.head_width, inner = heads * c.head_width, tokens = shape[1] * shape[2];
  const Builder::LinearOptions plain{.bias = false};
  const Var qkv = b.concat(
      {b.linear(x, "to_q", inner, plain), b.linear(x, "to_k", inner, plain), b.linear(x, "to_v", inner, plain)}, -1);
  std::vector<Var> scales{qkv};
  for (std::size_t i = 0; i < level.scales.size(); ++i) {
    const auto m = b.scope("to_qkv_multiscale", static_cast<int>(i));
    const Var h = b.conv2d(qkv, "proj_in", 3 * inner, {.kernel = level.scales[i], .groups = 3 * inner, .bias = false});
    scales.push_back(b.conv2d(h, "proj_out", 3 * inner, {.kernel = 1, .groups = 3 * heads, .bias = false}));
  }
  const std::int64_t all = heads * static_cast<std::int64_t>(scales.size());
  Var h = scales.size() == 1 ? qkv : b.concat(scales, -1);
  std::vector<Var> parts;
  for (const Var part : b.chunk(b.reshape(h, {shape[0], tokens, all, 3 * c.head_width}), -1, 3)) {
    parts.push_back(b.reshape(part, {shape[0], tokens, all * c.head_width}));
  }
  h = b.add(graph::LinearAttention{all, kAttentionEps}, parts);
  h = b.linear(b.reshape(h, {shape[0], shape[1], shape[2], all * c.head_width}), "to_out", shape[3], plain);
  return norm(b, h, "norm_out") + x;
}

// Feed-forward part with a depthwise convolution and a gate.
Var gated_convolutions(Builder& b, Var x) {
  const auto s = b.scope("conv_out");
  const std::int64_t wide = 2 * kFeedForwardRatio * x.dim(-1);
  Var h = b.silu(b.conv2d(x, "conv_inverted", wide, {.kernel = 1}));
  h = b.glu(b.conv2d(h, "conv_depth", wide, {.groups = wide}), graph::UnaryKind::silu);
  return norm(b, b.conv2d(h, "conv_point", x.dim(-1), {.kernel = 1, .bias = false}), "norm") + x;
}

Var block(Builder& b, Var x, const Config& c, const Config::Level& level) {
  if (!level.attention) return residual_block(b, x, level.activation);
  return gated_convolutions(b, multi_scale_attention(b, x, c, level));
}

// To half the size and `channels`; the shortcut averages what space-to-depth leaves too much.
Var down(Builder& b, Var x, const Config& c, std::int64_t channels, bool shortcut) {
  const Var y = c.unshuffle_down ? b.pixel_unshuffle(b.conv2d(x, "conv", channels / 4), 2)
                                 : b.conv2d(x, "conv", channels, {.stride = 2});
  return shortcut ? y + mean_of_channels(b, b.pixel_unshuffle(x, 2), 4 * x.dim(-1) / channels) : y;
}

// To twice the size and `channels`; the shortcut repeats what depth-to-space lacks.
Var up(Builder& b, Var x, const Config& c, std::int64_t channels, bool shortcut) {
  const Var y = c.interpolate_up
                    ? b.conv2d(b.resize(x, graph::ResizeMode::nearest, 2 * x.dim(1), 2 * x.dim(2)), "conv", channels)
                    : b.pixel_shuffle(b.conv2d(x, "conv", 4 * channels), 2);
  return shortcut ? y + b.pixel_shuffle(repeat_channels(b, x, 4 * channels / x.dim(-1)), 2) : y;
}

}  // namespace

graph::Graph build_dc_encoder(const Config& c, const BuildSize& size) {
  check_picture("AutoencoderDC", size.height, size.width, c.compression());
  Builder b("encoder");
  const auto e = b.scope("encoder");
  Var x = b.input("image", {size.batch, size.height, size.width, c.image_channels});
  if (c.encoder[0].layers > 0) {
    x = b.conv2d(x, "conv_in", c.encoder[0].channels);
  } else {
    const auto s = b.scope("conv_in");
    x = down(b, x, c, c.encoder[1].channels, false);
  }
  for (std::size_t i = 0; i < c.encoder.size(); ++i) {
    const Config::Level& level = c.encoder[i];
    if (level.layers == 0) continue;
    for (int n = 0; n < level.layers; ++n) {
      const auto s = b.scope(fmt::format("down_blocks.{}.{}", i, n));
      x = block(b, x, c, level);
    }
    if (i + 1 < c.encoder.size()) {
      const auto s = b.scope(fmt::format("down_blocks.{}.{}", i, level.layers));
      x = down(b, x, c, c.encoder[i + 1].channels, true);
    }
    b.tap(fmt::format("encoder.down_blocks.{}", i), x);
  }
  const Var y = b.conv2d(x, "conv_out", c.latent_channels);
  b.output("latent", c.encoder_shortcut ? y + mean_of_channels(b, x, x.dim(-1) / c.latent_channels) : y);
  return b.finish();
}

graph::Graph build_dc_decoder(const Config& c, const BuildSize& size) {
  check_picture("AutoencoderDC", size.height, size.width, 1);
  Builder b("decoder");
  const auto d = b.scope("decoder");
  const Var latent = b.input("latent", {size.batch, size.height, size.width, c.latent_channels});
  const int widest = c.decoder.back().channels;
  Var x = b.conv2d(latent, "conv_in", widest);
  if (c.decoder_shortcut) x = x + repeat_channels(b, latent, widest / c.latent_channels);
  for (std::size_t i = c.decoder.size(); i-- > 0;) {
    const Config::Level& level = c.decoder[i];
    if (level.layers == 0) continue;
    int n = 0;
    if (i + 1 < c.decoder.size()) {
      const auto s = b.scope(fmt::format("up_blocks.{}.{}", i, n++));
      x = up(b, x, c, level.channels, true);
    }
    for (int k = 0; k < level.layers; ++k) {
      const auto s = b.scope(fmt::format("up_blocks.{}.{}", i, n++));
      x = block(b, x, c, level);
    }
    b.tap(fmt::format("decoder.up_blocks.{}", i), x);
  }
  x = activate(b, norm(b, x, "norm_out"), c.last_activation);
  if (c.decoder[0].layers > 0) {
    x = b.conv2d(x, "conv_out", c.image_channels);
  } else {
    const auto s = b.scope("conv_out");
    x = up(b, x, c, c.image_channels, false);
  }
  b.output("image", x);
  return b.finish();
}

}  // namespace thimble::models
