#include "models/unet.h"

#include <optional>

#include "base/error.h"
#include "models/blocks_conv.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

// What every block of one network reads.
struct Context {
  Builder& b;
  const UnetConfig& c;
  Var time;  // (B, D), through SiLU
  std::optional<Var> text;
  ResnetOptions resnet;
};

Var embedding_mlp(Builder& b, Var x, std::string_view name, std::int64_t width) {
  const auto s = b.scope(name);
  return b.linear(b.silu(b.linear(x, "linear_1", width)), "linear_2", width);
}

Var multi_head(Builder& b, Var x, Var source, std::string_view name, int heads) {
  const auto s = b.scope(name);
  const std::int64_t width = x.dim(-1);
  const Var a =
      b.attention(b.linear(x, "to_q", width, {.bias = false}), b.linear(source, "to_k", width, {.bias = false}),
                  b.linear(source, "to_v", width, {.bias = false}), {.heads = heads, .kv_heads = heads});
  return b.linear(a, "to_out.0", width);
}

// Self-attention, cross-attention and a gated feed-forward part, each before its own norm. x (B, T, C).
Var transformer_block(Builder& b, Var x, Var text, int heads) {
  constexpr double kEps = 1e-5;
  Var h = b.layer_norm(x, "norm1", kEps);
  x = x + multi_head(b, h, h, "attn1", heads);
  x = x + multi_head(b, b.layer_norm(x, "norm2", kEps), text, "attn2", heads);
  h = b.linear(b.layer_norm(x, "norm3", kEps), "ff.net.0.proj", 8 * x.dim(-1));
  return x + b.linear(b.glu(h, graph::UnaryKind::gelu), "ff.net.2", x.dim(-1));
}

Var spatial_transformer(const Context& n, Var x, int index, std::size_t level) {
  Builder& b = n.b;
  const auto s = b.scope("attentions", index);
  const graph::Shape shape = x.shape();
  // "proj_in" and "proj_out" are stored as matrices (use_linear_projection) or as 1x1 convolutions: the same products.
  Var h = b.reshape(b.group_norm(x, "norm", n.c.norm_groups, 1e-6), {shape[0], shape[1] * shape[2], shape[3]});
  h = b.linear(h, "proj_in", shape[3]);
  for (int i = 0; i < n.c.transformer_layers[level]; ++i) {
    const auto block = b.scope("transformer_blocks", i);
    h = transformer_block(b, h, *n.text, n.c.heads[level]);
  }
  return x + b.reshape(b.linear(h, "proj_out", shape[3]), shape);
}

Var resnet(const Context& n, Var x, int index, int channels) {
  const auto s = n.b.scope("resnets", index);
  return resnet_block(n.b, x, n.time, channels, n.resnet);
}

Var mid_block(const Context& n, Var x) {
  if (n.c.mid == UnetConfig::Mid::none) return x;
  const auto s = n.b.scope("mid_block");
  const std::size_t last = n.c.channels.size() - 1;
  x = resnet(n, x, 0, n.c.channels[last]);
  if (n.c.mid == UnetConfig::Mid::attention) {
    x = resnet(n, spatial_transformer(n, x, 0, last), 1, n.c.channels[last]);
  }
  return x;
}

bool reads_text(const UnetConfig& c) {
  if (c.mid == UnetConfig::Mid::attention) return true;
  for (std::size_t i = 0; i < c.channels.size(); ++i) {
    if (c.down_attention[i] || c.up_attention[i]) return true;
  }
  return false;
}

// Of the time step and of whatever else conditions the whole picture; (B, 4 * channels[0]).
Var time_embedding(Builder& b, const UnetConfig& c, int batch) {
  const std::int64_t width = 4 * c.channels[0];
  Var t = b.sinusoidal(b.input("timestep", {batch}), {.dim = c.channels[0]});
  if (c.guidance_width > 0) {
    const Var w = b.input("timestep_cond", {batch, c.guidance_width});
    t = t + b.linear(w, "time_embedding.cond_proj", c.channels[0], {.bias = false});
  }
  t = embedding_mlp(b, t, "time_embedding", width);
  b.tap("time_embedding", t);
  if (c.pooled_width == 0) return t;
  const Var pooled = b.input("text_embeds", {batch, c.pooled_width});
  const Var sizes = b.reshape(b.input("time_ids", {batch, kSizeIds}), {batch * kSizeIds});
  const Var embedded = b.reshape(b.sinusoidal(sizes, {.dim = c.size_width}), {batch, kSizeIds * c.size_width});
  const Var added = embedding_mlp(b, b.concat({pooled, embedded}, 1), "add_embedding", width);
  b.tap("add_embedding", added);
  return t + added;
}

}  // namespace

graph::Graph build_unet(const UnetConfig& c, const BuildSize& size) {
  check_picture("UNet2DConditionModel", size.height, size.width, 1);
  if (reads_text(c) && size.tokens < 1)
    fail(ErrorKind::bad_input, "UNet2DConditionModel: it reads a prompt of no tokens");
  Builder b("unet");
  const std::size_t levels = c.channels.size();
  Var x = b.input("sample", {size.batch, size.height, size.width, c.in_channels});
  const Var time = b.silu(time_embedding(b, c, size.batch));
  Context n{b, c, time, {}, {.groups = c.norm_groups, .eps = c.norm_eps}};
  if (reads_text(c)) n.text = b.input("encoder_hidden_states", {size.batch, size.tokens, c.text_width});

  x = b.conv2d(x, "conv_in", c.channels[0]);
  std::vector<Var> skips{x};
  for (std::size_t level = 0; level < levels; ++level) {
    const auto s = b.scope("down_blocks", static_cast<int>(level));
    for (int i = 0; i < c.layers[level]; ++i) {
      x = resnet(n, x, i, c.channels[level]);
      if (c.down_attention[level]) x = spatial_transformer(n, x, i, level);
      skips.push_back(x);
    }
    if (level + 1 < levels) {
      x = downsample(b, x, 1);
      skips.push_back(x);
    }
    b.tap(fmt::format("down_blocks.{}", level), x);
  }

  x = mid_block(n, x);
  if (c.mid != UnetConfig::Mid::none) b.tap("mid_block", x);

  for (std::size_t up = 0; up < levels; ++up) {
    const auto s = b.scope("up_blocks", static_cast<int>(up));
    const std::size_t level = levels - 1 - up;
    for (int i = 0; i <= c.layers[level]; ++i) {
      x = resnet(n, b.concat({x, skips.back()}, -1), i, c.channels[level]);
      skips.pop_back();
      if (c.up_attention[up]) x = spatial_transformer(n, x, i, level);
    }
    if (level > 0) x = upsample(b, x, skips.back().dim(1), skips.back().dim(2));
    b.tap(fmt::format("up_blocks.{}", up), x);
  }

  x = b.silu(b.group_norm(x, "conv_norm_out", c.norm_groups, c.norm_eps));
  b.output("sample", b.conv2d(x, "conv_out", c.out_channels));
  return b.finish();
}

}  // namespace thimble::models
