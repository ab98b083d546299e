#include "models/pixart.h"

#include <algorithm>

#include "base/error.h"
#include "models/blocks_transformer.h"
#include "models/foreign_config.h"
#include "models/positions.h"

namespace thimble::models {

using graph::Builder;
using graph::UnaryKind;
using graph::Var;

namespace {

constexpr char kPixArtClass[] = "PixArtTransformer2DModel";

void check_config(const PixArtConfig& c) {
  if (c.caption_channels > 0 && c.cross_attention_dim != c.width()) {
    fail(ErrorKind::bad_file, "{}: the projected text has {} channels, but cross_attention_dim is {}", kPixArtClass,
         c.width(), c.cross_attention_dim);
  }
  if (c.size_conditions && c.width() % 3 != 0) {
    fail(ErrorKind::bad_file, "{}: size conditions share a width of {} in three, which it does not divide by",
         kPixArtClass, c.width());
  }
  if (c.sample_size < c.patch_size) fail(ErrorKind::bad_file, "{}: sample_size is below patch_size", kPixArtClass);
}

// Of time, and of the picture's size where the config says so: (B, width).
Var condition_of(Builder& b, const PixArtConfig& c, int batch) {
  const auto scope = b.scope("adaln_single.emb");
  const int width = c.width(), third = width / 3;
  Var condition = embed_number(b.input("timestep", {batch}), "timestep_embedder", width);
  if (!c.size_conditions) return condition;
  const auto embed = [&](Var sizes, std::string_view name) {
    const std::int64_t count = sizes.dim(1);
    return b.reshape(embed_number(b.reshape(sizes, {batch * count}), name, third), {batch, count * third});
  };
  const Var resolution = embed(b.input("resolution", {batch, 2}), "resolution_embedder");
  const Var aspect = embed(b.input("aspect_ratio", {batch, 1}), "aspect_ratio_embedder");
  return condition + b.concat({resolution, aspect}, 1);
}

Var attention(Var x, Var source, const Var* mask, const PixArtConfig& c, std::int64_t rows, int compression) {
  Builder& b = *x.builder;
  const Builder::LinearOptions linear{.bias = c.attention_bias};
  const Var q = b.linear(x, "to_q", c.width(), linear);
  Var k = b.linear(source, "to_k", c.width(), linear), v = b.linear(source, "to_v", c.width(), linear);
  if (compression > 1) {
    k = compress_tokens(k, rows, k.dim(1) / rows, compression);
    v = compress_tokens(v, rows, v.dim(1) / rows, compression);
  }
  const graph::Attention heads{.heads = c.heads, .kv_heads = c.heads};
  return b.linear(mask ? b.attention(q, k, v, *mask, heads) : b.attention(q, k, v, heads), "to_out.0", c.width());
}

}  // namespace

Var compress_tokens(Var x, std::int64_t rows, std::int64_t columns, int factor) {
  constexpr double kNormEps = 1e-5;
  Builder& b = *x.builder;
  const std::int64_t batch = x.dim(0), channels = x.dim(2);
  const Var grid = b.reshape(x, {batch, rows, columns, channels});
  const Var fewer =
      b.conv2d(grid, "sr", channels, {.kernel = factor, .stride = factor, .padding = 0, .groups = channels});
  return b.layer_norm(b.reshape(fewer, {batch, -1, channels}), "norm", kNormEps);
}

graph::Graph build_pixart(const PixArtConfig& c, const BuildSize& size) {
  check_config(c);
  check_build_size(size, c.patch_size, kPixArtClass);
  Builder b("pixart");
  const int width = c.width(), rows = size.height / c.patch_size, columns = size.width / c.patch_size;
  const Var latent = b.input("hidden_states", {size.batch, size.height, size.width, c.in_channels});
  const Var condition = condition_of(b, c, size.batch);
  const int text_width = c.caption_channels > 0 ? c.caption_channels : c.cross_attention_dim;
  Var text = b.input("encoder_hidden_states", {size.batch, size.tokens, text_width});
  const Var mask = b.input("encoder_attention_mask", {size.batch, 1, 1, size.tokens});

  const int base = c.sample_size / c.patch_size;
  Var x = add_grid_positions(patch_embed(latent, "pos_embed.proj", c.patch_size, width),
                             grid_positions(0, rows, rows, base, c.interpolation_scale),
                             grid_positions(0, columns, columns, base, c.interpolation_scale));
  x = b.reshape(x, {size.batch, rows * columns, width});
  if (c.caption_channels > 0) text = two_linears(text, "caption_projection", width, UnaryKind::gelu_tanh);
  const Var shared = b.linear(b.silu(condition), "adaln_single.linear", 6 * width, {.init_scale = 0});

  for (int i = 0; i < c.layers; ++i) {
    const auto block = b.scope("transformer_blocks", i);
    const auto m = table_modulation(shared, "scale_shift_table", width, 6);
    {
      const auto scope = b.scope("attn1");
      const Var h = b.modulate(b.layer_norm(x, c.norm_eps), m[0], m[1]);
      x = x + m[2] * attention(h, h, nullptr, c, rows, i >= c.kv_compression_from ? c.kv_compression : 1);
    }
    {
      const auto scope = b.scope("attn2");
      x = x + attention(x, text, &mask, c, rows, 1);
    }
    x = x + m[5] * feed_forward(b.modulate(b.layer_norm(x, c.norm_eps), m[3], m[4]), "ff");
    b.tap(fmt::format("transformer_blocks.{}", i), x);
  }

  const auto last = table_modulation(condition, "scale_shift_table", width, 2);
  x = b.modulate(b.layer_norm(x, 1e-6), last[0], last[1]);
  x = b.linear(x, "proj_out", c.patch_size * c.patch_size * c.out_channels);
  b.output("sample", unpatchify(x, rows, columns, c.patch_size));
  return b.finish();
}

Json to_json(const PixArtConfig& c) {
  Json json{{"_class_name", kPixArtClass},
            {"num_attention_heads", c.heads},
            {"attention_head_dim", c.head_dim},
            {"in_channels", c.in_channels},
            {"out_channels", c.out_channels},
            {"num_layers", c.layers},
            {"cross_attention_dim", c.cross_attention_dim},
            {"caption_channels", c.caption_channels > 0 ? Json(c.caption_channels) : Json()},
            {"attention_bias", c.attention_bias},
            {"sample_size", c.sample_size},
            {"patch_size", c.patch_size},
            {"norm_eps", c.norm_eps},
            {"interpolation_scale", c.interpolation_scale},
            {"use_additional_conditions", c.size_conditions}};
  if (c.kv_compression > 1) {
    json["kv_compression"] = c.kv_compression;
    json["kv_compression_from"] = c.kv_compression_from;
  }
  return json;
}

PixArtConfig pixart_from_json(const Json& json) {
  const ForeignConfig r(json, kPixArtClass);
  r.must_be("activation_fn", "gelu-approximate");
  r.must_be("norm_type", "ada_norm_single");
  r.must_be("attention_type", "default");
  r.must_be("norm_elementwise_affine", false);
  PixArtConfig c;
  c.heads = r.integer("num_attention_heads", 16, 1, 256);
  c.head_dim = r.integer("attention_head_dim", 72, 1, 512);
  c.in_channels = r.integer("in_channels", 4, 1, 1024);
  c.out_channels = r.has("out_channels") ? r.integer("out_channels", 8, 1, 1024) : c.in_channels;
  c.layers = r.integer("num_layers", 28, 0, 256);
  c.cross_attention_dim = r.integer("cross_attention_dim", 1152, 1, 1 << 16);
  c.caption_channels = r.integer("caption_channels", 0, 1, 1 << 16);
  c.attention_bias = r.flag("attention_bias", true);
  c.sample_size = r.integer("sample_size", 128, 1, 4096);
  c.patch_size = r.integer("patch_size", 2, 1, 16);
  c.norm_eps = r.number("norm_eps", 1e-6, 0, 1);
  c.interpolation_scale = r.number("interpolation_scale", std::max(c.sample_size / 64, 1), 1e-3, 1e3);
  c.size_conditions = r.flag("use_additional_conditions", c.sample_size == 128);
  c.kv_compression = r.integer("kv_compression", 1, 1, 16);
  c.kv_compression_from = r.integer("kv_compression_from", 14, 0, 256);
  return c;
}

}  // namespace thimble::models
