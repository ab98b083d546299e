#include "models/sana.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/blocks_transformer.h"
#include "models/foreign_config.h"
#include "models/positions.h"

namespace thimble::models {

using graph::Builder;
using graph::UnaryKind;
using graph::Var;

namespace {

constexpr char kSanaClass[] = "SanaTransformer2DModel";
constexpr double kSanaQkNormEps = 1e-5, kCaptionNormEps = 1e-5;

struct Condition {
  Var embedded;  // (B, width)
  Var shared;    // (B, 6*width)
};

Condition condition_of(Builder& b, const SanaConfig& c, int batch) {
  const auto scope = b.scope("time_embed");
  const Var time = b.input("timestep", {batch});
  Var embedded;
  if (c.guidance_embeds) {
    embedded = embed_number(time, "timestep_embedder", c.width()) +
               embed_number(b.input("guidance", {batch}), "guidance_embedder", c.width());
  } else {
    embedded = embed_number(time, "emb.timestep_embedder", c.width());
  }
  return {embedded, b.linear(b.silu(embedded), "linear", 6 * c.width(), {.init_scale = 0})};
}

struct Projected {
  Var q, k, v;
};

Projected project(Var x, Var source, std::int64_t width, bool bias, bool qk_norm) {
  Builder& b = *x.builder;
  Projected p{b.linear(x, "to_q", width, {.bias = bias}), b.linear(source, "to_k", width, {.bias = bias}),
              b.linear(source, "to_v", width, {.bias = bias})};
  if (qk_norm) {
    p.q = b.rms_norm(p.q, "norm_q", kSanaQkNormEps);
    p.k = b.rms_norm(p.k, "norm_k", kSanaQkNormEps);
  }
  return p;
}

// Linear in the number of tokens: queries and keys past a ReLU, sums over the keys first.
Var linear_attention(const Projected& p, std::int64_t heads) {
  constexpr double kEps = 1e-15;
  return p.q.builder->add(graph::LinearAttention{heads, kEps}, {p.q, p.k, p.v});
}

Var glu_mb_conv(Var x, std::int64_t rows, std::int64_t columns, std::int64_t hidden) {
  Builder& b = *x.builder;
  const auto scope = b.scope("ff");
  const std::int64_t batch = x.dim(0), width = x.dim(2);
  const Var wide = b.silu(b.linear(x, "conv_inverted", 2 * hidden));
  const Var mixed =
      b.conv2d(b.reshape(wide, {batch, rows, columns, 2 * hidden}), "conv_depth", 2 * hidden, {.groups = 2 * hidden});
  const Var gated = b.reshape(b.glu(mixed, UnaryKind::silu), {batch, rows * columns, hidden});
  return b.linear(gated, "conv_point", width, {.bias = false});
}

}  // namespace

graph::Graph build_sana(const SanaConfig& c, const BuildSize& size) {
  if (c.sample_size < c.patch_size) fail(ErrorKind::bad_file, "{}: sample_size is below patch_size", kSanaClass);
  check_build_size(size, c.patch_size, kSanaClass);
  Builder b("sana");
  const int width = c.width(), rows = size.height / c.patch_size, columns = size.width / c.patch_size;
  const Var latent = b.input("hidden_states", {size.batch, size.height, size.width, c.in_channels});
  const Condition condition = condition_of(b, c, size.batch);
  Var text = b.input("encoder_hidden_states", {size.batch, size.tokens, c.caption_channels});
  const Var mask = b.input("encoder_attention_mask", {size.batch, 1, 1, size.tokens});

  Var x = patch_embed(latent, "patch_embed.proj", c.patch_size, width);
  if (c.interpolation_scale > 0) {
    const int base = c.sample_size / c.patch_size;
    x = add_grid_positions(x, grid_positions(0, rows, rows, base, c.interpolation_scale),
                           grid_positions(0, columns, columns, base, c.interpolation_scale));
  }
  x = b.reshape(x, {size.batch, rows * columns, width});
  text =
      b.rms_norm(two_linears(text, "caption_projection", width, UnaryKind::gelu_tanh), "caption_norm", kCaptionNormEps);

  const std::int64_t cross = c.cross_heads * c.cross_head_dim;
  const auto hidden = static_cast<std::int64_t>(c.mlp_ratio * width);
  for (int i = 0; i < c.layers; ++i) {
    const auto block = b.scope("transformer_blocks", i);
    const auto m = table_modulation(condition.shared, "scale_shift_table", width, 6);
    {
      const auto scope = b.scope("attn1");
      const Var h = b.modulate(b.layer_norm(x, c.norm_eps), m[0], m[1]);
      const Var a = linear_attention(project(h, h, width, c.attention_bias, c.qk_norm), c.heads);
      x = x + m[2] * b.linear(a, "to_out.0", width);
    }
    {
      const auto scope = b.scope("attn2");
      const Projected p = project(x, text, cross, true, c.qk_norm);
      const Var a = b.attention(p.q, p.k, p.v, mask, {.heads = c.cross_heads, .kv_heads = c.cross_heads});
      x = x + b.linear(a, "to_out.0", width);
    }
    const Var normed = c.norm_affine ? b.layer_norm(x, "norm2", c.norm_eps) : b.layer_norm(x, c.norm_eps);
    x = x + m[5] * glu_mb_conv(b.modulate(normed, m[3], m[4]), rows, columns, hidden);
    b.tap(fmt::format("transformer_blocks.{}", i), x);
  }

  const auto last = table_modulation(condition.embedded, "scale_shift_table", width, 2);
  x = b.modulate(b.layer_norm(x, 1e-6), last[0], last[1]);
  x = b.linear(x, "proj_out", c.patch_size * c.patch_size * c.out_channels);
  b.output("sample", unpatchify(x, rows, columns, c.patch_size));
  return b.finish();
}

Json to_json(const SanaConfig& c) {
  return {{"_class_name", kSanaClass},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"num_attention_heads", c.heads},
          {"attention_head_dim", c.head_dim},
          {"num_layers", c.layers},
          {"num_cross_attention_heads", c.cross_heads},
          {"cross_attention_head_dim", c.cross_head_dim},
          {"cross_attention_dim", c.width()},
          {"caption_channels", c.caption_channels},
          {"mlp_ratio", c.mlp_ratio},
          {"attention_bias", c.attention_bias},
          {"sample_size", c.sample_size},
          {"patch_size", c.patch_size},
          {"norm_elementwise_affine", c.norm_affine},
          {"norm_eps", c.norm_eps},
          {"interpolation_scale", c.interpolation_scale > 0 ? Json(c.interpolation_scale) : Json()},
          {"qk_norm", c.qk_norm ? Json("rms_norm_across_heads") : Json()},
          {"guidance_embeds", c.guidance_embeds},
          {"guidance_embeds_scale", c.guidance_scale},
          {"timestep_scale", c.timestep_scale}};
}

SanaConfig sana_from_json(const Json& json) {
  const ForeignConfig r(json, kSanaClass);
  r.must_be("qk_norm", "rms_norm_across_heads");
  SanaConfig c;
  c.in_channels = r.integer("in_channels", 32, 1, 1024);
  c.out_channels = r.integer("out_channels", c.in_channels, 1, 1024);
  c.heads = r.integer("num_attention_heads", 70, 1, 256);
  c.head_dim = r.integer("attention_head_dim", 32, 1, 512);
  c.layers = r.integer("num_layers", 20, 0, 256);
  c.cross_heads = r.integer("num_cross_attention_heads", 20, 1, 256);
  c.cross_head_dim = r.integer("cross_attention_head_dim", 112, 1, 512);
  c.caption_channels = r.integer("caption_channels", 2304, 1, 1 << 16);
  c.mlp_ratio = r.number("mlp_ratio", 2.5, 1e-2, 16);
  c.attention_bias = r.flag("attention_bias", false);
  c.sample_size = r.integer("sample_size", 32, 1, 4096);
  c.patch_size = r.integer("patch_size", 1, 1, 16);
  c.norm_affine = r.flag("norm_elementwise_affine", false);
  c.norm_eps = r.number("norm_eps", 1e-6, 0, 1);
  c.interpolation_scale = r.number("interpolation_scale", 0, 1e-3, 1e3);
  c.qk_norm = r.has("qk_norm");
  c.guidance_embeds = r.flag("guidance_embeds", false);
  c.guidance_scale = r.number("guidance_embeds_scale", 0.1, 0, 1e6);
  c.timestep_scale = r.number("timestep_scale", 1, 0, 1e6);
  const int text = r.integer("cross_attention_dim", 2240, 1, 1 << 16);
  if (text != c.width()) {
    fail(ErrorKind::bad_file, "{}: the projected text has {} channels, but cross_attention_dim is {}", kSanaClass,
         c.width(), text);
  }
  return c;
}

}  // namespace thimble::models
