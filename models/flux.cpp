#include "models/flux.h"

#include <numeric>

#include "base/error.h"
#include "graph/builder.h"
#include "models/blocks_transformer.h"
#include "models/foreign_config.h"
#include "models/rope.h"

namespace thimble::models {

using graph::Builder;
using graph::Tensor;
using graph::UnaryKind;
using graph::Var;

namespace {

constexpr char kFluxClass[] = "FluxTransformer2DModel";
constexpr double kFluxNormEps = 1e-6;
constexpr double kTimeScale = 1000;  // times and guidance come in units of one

Var flux_norm(Var x) { return x.builder->layer_norm(x, kFluxNormEps); }

Var condition_of(Builder& b, const FluxConfig& c, Var pooled, int batch) {
  const auto scope = b.scope("time_text_embed");
  Var sum = embed_number(b.input("timestep", {batch}) * kTimeScale, "timestep_embedder", c.width());
  if (c.guidance_embeds) {
    sum = sum + embed_number(b.input("guidance", {batch}) * kTimeScale, "guidance_embedder", c.width());
  }
  return b.silu(sum + two_linears(pooled, "text_embedder", c.width(), UnaryKind::silu));
}

void double_block(Builder& b, Var& image, Var& text, Var condition, const HeadOptions& heads) {
  const std::int64_t width = image.dim(2);
  const auto m = modulation(condition, "norm1.linear", width, 6);
  const auto mt = modulation(condition, "norm1_context.linear", width, 6);
  Streams joint;
  {
    const auto scope = b.scope("attn");
    joint = joint_attention(b.modulate(flux_norm(image), m[0], m[1]), b.modulate(flux_norm(text), mt[0], mt[1]),
                            {.heads = heads, .text_first = true});
  }
  image = image + m[2] * joint.image;
  image = image + m[5] * feed_forward(b.modulate(flux_norm(image), m[3], m[4]), "ff");
  text = text + mt[2] * joint.text;
  text = text + mt[5] * feed_forward(b.modulate(flux_norm(text), mt[3], mt[4]), "ff_context");
}

// Attention and feed-forward side by side, with one projection out.
Var single_block(Builder& b, Var x, Var condition, const HeadOptions& heads) {
  const std::int64_t width = x.dim(2);
  const auto m = modulation(condition, "norm.linear", width, 3);
  const Var h = b.modulate(flux_norm(x), m[0], m[1]);
  const Var wide = b.gelu_tanh(b.linear(h, "proj_mlp", 4 * width));
  Var a;
  {
    const auto scope = b.scope("attn");
    a = self_attention(h, heads);
  }
  return x + m[2] * b.linear(b.concat({a, wide}, 2), "proj_out", width);
}

}  // namespace

graph::Graph build_flux(const FluxConfig& c, const BuildSize& size) {
  check_build_size(size, 2, kFluxClass);
  if (std::accumulate(c.axes.begin(), c.axes.end(), 0) != c.head_dim) {
    fail(ErrorKind::bad_file, "{}: axes_dims_rope [{}] do not sum to a head's {} channels", kFluxClass,
         fmt::join(c.axes, ", "), c.head_dim);
  }
  Builder b("flux");
  const int width = c.width(), rows = size.height / 2, columns = size.width / 2, cells = rows * columns;
  Var image = b.input("hidden_states", {size.batch, cells, c.in_channels});
  Var text = b.input("encoder_hidden_states", {size.batch, size.tokens, c.text_channels});
  const Var pooled = b.input("pooled_projections", {size.batch, c.pooled_channels});
  const Var condition = condition_of(b, c, pooled, size.batch);

  image = b.linear(image, "x_embedder", width);
  text = b.linear(text, "context_embedder", width);
  const RotaryTables rotary = rotary_tables(b, size.tokens, rows, columns, c.axes);
  const HeadOptions heads{.heads = c.heads, .qk_norm = true, .rotary = &rotary};

  for (int i = 0; i < c.double_layers; ++i) {
    const auto block = b.scope("transformer_blocks", i);
    double_block(b, image, text, condition, heads);
    b.tap(fmt::format("transformer_blocks.{}", i), image);
    b.tap(fmt::format("transformer_blocks.{}.text", i), text);
  }
  Var all = b.concat({text, image}, 1);
  for (int i = 0; i < c.single_layers; ++i) {
    const auto block = b.scope("single_transformer_blocks", i);
    all = single_block(b, all, condition, heads);
    b.tap(fmt::format("single_transformer_blocks.{}", i), all);
  }
  image = b.slice(all, 1, size.tokens, size.tokens + cells);

  const auto last = modulation(condition, "norm_out.linear", width, 2);  // scale, then shift
  b.output("sample", b.linear(b.modulate(flux_norm(image), last[1], last[0]), "proj_out", c.out_channels));
  return b.finish();
}

namespace {

// Calls f(index in the latent, index in the tokens) for every element.
template <class F>
void each_packed(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t channels, F&& f) {
  std::size_t at = 0;
  for (std::int64_t n = 0; n < batch; ++n) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t token = (n * (height / 2) + y / 2) * (width / 2) + x / 2;
        for (std::int64_t c = 0; c < channels; ++c, ++at) {
          f(at, static_cast<std::size_t>((token * channels + c) * 4 + y % 2 * 2 + x % 2));
        }
      }
    }
  }
}

}  // namespace

Tensor pack_latent(const Tensor& latent) {
  const graph::Shape s = latent.shape();
  if (latent.type().dtype != DType::f32 || s.size() != 4 || s[1] % 2 != 0 || s[2] % 2 != 0) {
    fail(ErrorKind::bad_input, "an f32 latent (B, H, W, C) with even sides was wanted, {} came",
         graph::to_string(latent.type()));
  }
  Tensor tokens(graph::TensorType{DType::f32, {s[0], s[1] / 2 * (s[2] / 2), s[3] * 4}});
  const auto from = latent.as<float>();
  const auto to = tokens.mutable_as<float>();
  each_packed(s[0], s[1], s[2], s[3], [&](std::size_t cell, std::size_t packed) { to[packed] = from[cell]; });
  return tokens;
}

Tensor unpack_latent(const Tensor& tokens, std::int64_t height, std::int64_t width) {
  const graph::Shape s = tokens.shape();
  if (tokens.type().dtype != DType::f32 || s.size() != 3 || s[2] % 4 != 0 || height % 2 != 0 || width % 2 != 0 ||
      s[1] != height / 2 * (width / 2)) {
    fail(ErrorKind::bad_input, "f32 tokens (B, {}*{}/4, 4C) were wanted, {} came", height, width,
         graph::to_string(tokens.type()));
  }
  Tensor latent(graph::TensorType{DType::f32, {s[0], height, width, s[2] / 4}});
  const auto from = tokens.as<float>();
  const auto to = latent.mutable_as<float>();
  each_packed(s[0], height, width, s[2] / 4, [&](std::size_t cell, std::size_t packed) { to[cell] = from[packed]; });
  return latent;
}

Json to_json(const FluxConfig& c) {
  return {{"_class_name", kFluxClass},
          {"patch_size", 1},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"num_layers", c.double_layers},
          {"num_single_layers", c.single_layers},
          {"num_attention_heads", c.heads},
          {"attention_head_dim", c.head_dim},
          {"joint_attention_dim", c.text_channels},
          {"pooled_projection_dim", c.pooled_channels},
          {"guidance_embeds", c.guidance_embeds},
          {"axes_dims_rope", c.axes}};
}

FluxConfig flux_from_json(const Json& json) {
  const ForeignConfig r(json, kFluxClass);
  if (r.integer("patch_size", 1, 1, 1024) != 1) fail(ErrorKind::unsupported, "{}: patch_size must be 1", kFluxClass);
  FluxConfig c;
  c.in_channels = r.integer("in_channels", 64, 1, 4096);
  c.out_channels = r.integer("out_channels", c.in_channels, 1, 4096);
  c.double_layers = r.integer("num_layers", 19, 0, 256);
  c.single_layers = r.integer("num_single_layers", 38, 0, 256);
  c.heads = r.integer("num_attention_heads", 24, 1, 256);
  c.head_dim = r.integer("attention_head_dim", 128, 1, 512);
  c.text_channels = r.integer("joint_attention_dim", 4096, 1, 1 << 16);
  c.pooled_channels = r.integer("pooled_projection_dim", 768, 1, 1 << 16);
  c.guidance_embeds = r.flag("guidance_embeds", false);
  c.axes = r.integers("axes_dims_rope", {16, 56, 56}, 0, 512);
  return c;
}

}  // namespace thimble::models
