#include "models/sd3.h"

#include <algorithm>

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

constexpr char kSd3Class[] = "SD3Transformer2DModel";
constexpr double kSd3NormEps = 1e-6;

Var sd3_norm(Var x) { return x.builder->layer_norm(x, kSd3NormEps); }

// Scale comes before shift in the checkpoints' final modulations.
Var final_modulation(Var x, Var condition, std::string_view name) {
  const auto m = modulation(condition, name, x.dim(2), 2);
  return x.builder->modulate(sd3_norm(x), m[1], m[0]);
}

// One block; `last`: the text is read, and not written again.
void joint_block(Builder& b, Var& image, Var& text, Var condition, const HeadOptions& heads, bool dual, bool last) {
  const std::int64_t width = image.dim(2);
  const auto m = modulation(condition, "norm1.linear", width, dual ? 9 : 6);
  std::vector<Var> mt;
  Var words;
  if (last) {
    words = final_modulation(text, condition, "norm1_context.linear");
  } else {
    mt = modulation(condition, "norm1_context.linear", width, 6);
    words = b.modulate(sd3_norm(text), mt[0], mt[1]);
  }
  Streams joint;
  {
    const auto scope = b.scope("attn");
    joint = joint_attention(b.modulate(sd3_norm(image), m[0], m[1]), words, {.heads = heads, .text_output = !last});
  }
  // Both attentions read the image as it came in.
  const Var came = image;
  image = image + m[2] * joint.image;
  if (dual) {
    const auto scope = b.scope("attn2");
    image = image + m[8] * b.linear(self_attention(b.modulate(sd3_norm(came), m[6], m[7]), heads), "to_out.0", width);
  }
  image = image + m[5] * feed_forward(b.modulate(sd3_norm(image), m[3], m[4]), "ff");
  if (last) return;
  text = text + mt[2] * joint.text;
  text = text + mt[5] * feed_forward(b.modulate(sd3_norm(text), mt[3], mt[4]), "ff_context");
}

}  // namespace

graph::Graph build_sd3(const Sd3Config& c, const BuildSize& size) {
  if (c.sample_size < c.patch_size) fail(ErrorKind::bad_file, "{}: sample_size is below patch_size", kSd3Class);
  check_build_size(size, c.patch_size, kSd3Class);
  const int width = c.width(), rows = size.height / c.patch_size, columns = size.width / c.patch_size;
  const int side = c.position_side, base = c.sample_size / c.patch_size;
  if (rows > side || columns > side) {
    fail(ErrorKind::bad_input, "{}: {} by {} latent cells came; at most {} a side were wanted", kSd3Class, size.height,
         size.width, side * c.patch_size);
  }
  Builder b("sd3");
  const Var latent = b.input("hidden_states", {size.batch, size.height, size.width, c.in_channels});
  const Var time = b.input("timestep", {size.batch});
  Var text = b.input("encoder_hidden_states", {size.batch, size.tokens, c.text_channels});
  const Var pooled = b.input("pooled_projections", {size.batch, c.pooled_channels});

  Var image = add_grid_positions(patch_embed(latent, "pos_embed.proj", c.patch_size, width),
                                 grid_positions((side - rows) / 2, rows, side, base, 1),
                                 grid_positions((side - columns) / 2, columns, side, base, 1));
  image = b.reshape(image, {size.batch, rows * columns, width});
  const Var condition = b.silu(embed_number(time, "time_text_embed.timestep_embedder", width) +
                               two_linears(pooled, "time_text_embed.text_embedder", width, UnaryKind::silu));
  text = b.linear(text, "context_embedder", width);

  const HeadOptions heads{.heads = c.heads, .qk_norm = c.qk_norm};
  for (int i = 0; i < c.layers; ++i) {
    const auto block = b.scope("transformer_blocks", i);
    const bool last = i == c.layers - 1;
    joint_block(b, image, text, condition, heads, std::ranges::count(c.dual_layers, i) > 0, last);
    b.tap(fmt::format("transformer_blocks.{}", i), image);
    if (!last) b.tap(fmt::format("transformer_blocks.{}.text", i), text);
  }

  image = final_modulation(image, condition, "norm_out.linear");
  image = b.linear(image, "proj_out", c.patch_size * c.patch_size * c.out_channels);
  b.output("sample", unpatchify(image, rows, columns, c.patch_size));
  return b.finish();
}

Json to_json(const Sd3Config& c) {
  return {{"_class_name", kSd3Class},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"num_attention_heads", c.heads},
          {"attention_head_dim", c.head_dim},
          {"num_layers", c.layers},
          {"joint_attention_dim", c.text_channels},
          {"caption_projection_dim", c.width()},
          {"pooled_projection_dim", c.pooled_channels},
          {"sample_size", c.sample_size},
          {"patch_size", c.patch_size},
          {"pos_embed_max_size", c.position_side},
          {"dual_attention_layers", c.dual_layers},
          {"qk_norm", c.qk_norm ? Json("rms_norm") : Json()}};
}

Sd3Config sd3_from_json(const Json& json) {
  const ForeignConfig r(json, kSd3Class);
  r.must_be("qk_norm", "rms_norm");
  Sd3Config c;
  c.in_channels = r.integer("in_channels", 16, 1, 1024);
  c.out_channels =
      r.has("out_channels") || !json.contains("out_channels") ? r.integer("out_channels", 16, 1, 1024) : c.in_channels;
  c.heads = r.integer("num_attention_heads", 18, 1, 256);
  c.head_dim = r.integer("attention_head_dim", 64, 1, 512);
  c.layers = r.integer("num_layers", 18, 1, 256);
  c.text_channels = r.integer("joint_attention_dim", 4096, 1, 1 << 16);
  c.pooled_channels = r.integer("pooled_projection_dim", 2048, 1, 1 << 16);
  c.sample_size = r.integer("sample_size", 128, 1, 4096);
  c.patch_size = r.integer("patch_size", 2, 1, 16);
  c.position_side = r.integer("pos_embed_max_size", 96, 1, 4096);
  c.dual_layers = r.indices("dual_attention_layers", 0, 255);
  c.qk_norm = r.has("qk_norm");
  const int text = r.integer("caption_projection_dim", 1152, 1, 1 << 16);
  if (text != c.width()) {
    fail(ErrorKind::bad_file, "{}: image tokens have {} channels, but caption_projection_dim is {}", kSd3Class,
         c.width(), text);
  }
  return c;
}

}  // namespace thimble::models
