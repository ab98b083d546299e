#include "models/dit.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/config.h"

namespace thimble::models {

using graph::Builder;
using graph::Init;
using graph::Var;

namespace {

// Six vectors (B, 1, width) per block: shift, scale and gate for attention, then for the feed-forward part.
std::vector<Var> block_modulation(Builder& b, Var shared, int width) {
  Var table = b.param("modulation", {1, 6, width}, {Init::Kind::normal, 0.02});
  return b.chunk(shared + table, 1, 6);
}

}  // namespace

graph::Graph build_dit(const DitConfig& c, int batch, int text_length) {
  if (c.grid % c.patch != 0 || c.width % c.heads != 0) {
    fail(ErrorKind::bad_input, "a grid of {} by patches of {} and a width of {} by {} heads do not divide", c.grid,
         c.patch, c.width, c.heads);
  }
  Builder b("dit");
  const auto scope = b.scope("dit");
  const int side = c.grid / c.patch, tokens = side * side;
  Var latent = b.input("latent", {batch, c.grid, c.grid, c.latent_channels});
  Var time = b.input("time", {batch});
  Var text = b.input("text", {batch, text_length, c.text_width});
  Var pooled = b.input("pooled", {batch, c.text_width});
  Var mask = b.input("mask", {batch, 1, 1, text_length});

  Var x = c.patch > 1 ? b.pixel_unshuffle(latent, c.patch) : latent;
  x = b.linear(b.reshape(x, {batch, tokens, -1}), "embed", c.width);
  x = x + b.param("positions", {1, tokens, c.width}, {Init::Kind::normal, 0.02});

  Var t = b.sinusoidal(time, {.dim = 256, .max_period = 10000, .scale = 1000});
  t = b.linear(b.silu(b.linear(t, "time.fc1", c.width)), "time.fc2", c.width);
  Var condition = b.silu(t + b.linear(pooled, "pooled", c.width));
  Var shared = b.reshape(b.linear(condition, "modulation", 6 * c.width, {.init_scale = 0}), {batch, 6, c.width});

  const graph::Attention heads{.heads = c.heads, .kv_heads = c.heads};
  for (int i = 0; i < c.depth; ++i) {
    const auto block = b.scope("block", i);
    const auto m = block_modulation(b, shared, c.width);
    {
      const auto self = b.scope("self");
      Var h = b.modulate(b.layer_norm(x), m[0], m[1]);
      const auto qkv = b.chunk(b.linear(h, "qkv", 3 * c.width), -1, 3);
      x = x + m[2] * b.linear(b.attention(qkv[0], qkv[1], qkv[2], heads), "out", c.width);
    }
    {
      const auto cross = b.scope("cross");
      const auto kv = b.chunk(b.linear(text, "kv", 2 * c.width), -1, 2);
      Var a = b.attention(b.linear(b.layer_norm(x, "norm"), "q", c.width), kv[0], kv[1], mask, heads);
      x = x + b.linear(a, "out", c.width, {.init_scale = 0.5});
    }
    {
      const auto ffn = b.scope("ffn");
      Var h = b.modulate(b.layer_norm(x), m[3], m[4]);
      h = b.gelu_tanh(b.linear(h, "fc1", c.ffn_ratio * c.width));
      x = x + m[5] * b.linear(h, "fc2", c.width);
    }
    b.tap(fmt::format("block.{}", i), x);
  }

  const auto last = b.chunk(
      b.reshape(b.linear(condition, "final.modulation", 2 * c.width, {.init_scale = 0}), {batch, 2, c.width}), 1, 2);
  x = b.linear(b.modulate(b.layer_norm(x), last[0], last[1]), "final.linear", c.patch * c.patch * c.latent_channels,
               {.init_scale = 0});
  x = b.reshape(x, {batch, side, side, -1});
  b.output("velocity", c.patch > 1 ? b.pixel_shuffle(x, c.patch) : x);
  return b.finish();
}

Json to_json(const DitConfig& c) {
  return {{"type", "dit"},
          {"latent_channels", c.latent_channels},
          {"grid", c.grid},
          {"patch", c.patch},
          {"width", c.width},
          {"depth", c.depth},
          {"heads", c.heads},
          {"ffn_ratio", c.ffn_ratio},
          {"text_width", c.text_width}};
}

DitConfig dit_from_json(const Json& json) {
  const ConfigReader r(json, "dit");
  DitConfig c;
  c.latent_channels = r.integer("latent_channels", 1, 1024);
  c.grid = r.integer("grid", 1, 512);
  c.patch = r.integer("patch", 1, 16);
  c.width = r.integer("width", 1, 1 << 14);
  c.depth = r.integer("depth", 0, 256);
  c.heads = r.integer("heads", 1, 256);
  c.ffn_ratio = r.integer("ffn_ratio", 1, 16);
  c.text_width = r.integer("text_width", 1, 1 << 14);
  return c;
}

}  // namespace thimble::models
