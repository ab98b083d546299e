#include "models/blocks_transformer.h"

#include <cmath>

namespace thimble::models {

using graph::Builder;
using graph::Init;
using graph::Var;

Var two_linears(Var x, std::string_view name, std::int64_t width, graph::UnaryKind activation) {
  Builder& b = *x.builder;
  const auto scope = b.scope(name);
  return b.linear(b.unary(activation, b.linear(x, "linear_1", width)), "linear_2", width);
}

// The originals round frequencies and angles to f32, which moves an angle in the thousands by some 1e-4. So the angles
// are made first, in the same way, and the embedding op only turns each into its cosine and sine.
Var embed_number(Var t, std::string_view name, std::int64_t width) {
  constexpr int kHalf = 128;
  Builder& b = *t.builder;
  const auto slope = static_cast<float>(-std::log(10000.0));
  std::vector<double> frequencies;
  for (int i = 0; i < kHalf; ++i) {
    frequencies.push_back(static_cast<float>(std::exp(static_cast<double>(slope * static_cast<float>(i) / kHalf))));
  }
  const std::int64_t n = t.dim(0);
  const Var angles = b.reshape(t, {n, 1}) * b.constant({kHalf}, std::move(frequencies));
  const Var pairs = b.sinusoidal(b.reshape(angles, {n * kHalf}), {.dim = 2, .max_period = 10000, .scale = 1});
  const Var waves = b.transpose(b.reshape(pairs, {n, kHalf, 2}), {0, 2, 1});
  return two_linears(b.reshape(waves, {n, 2 * kHalf}), name, width, graph::UnaryKind::silu);
}

Var feed_forward(Var x, std::string_view name) {
  Builder& b = *x.builder;
  const auto scope = b.scope(name);
  const std::int64_t width = x.dim(-1);
  return b.linear(b.gelu_tanh(b.linear(x, "net.0.proj", 4 * width)), "net.2", width);
}

std::vector<Var> modulation(Var condition, std::string_view name, std::int64_t width, int parts) {
  Builder& b = *condition.builder;
  const Var all = b.linear(condition, name, parts * width, {.init_scale = 0});
  return b.chunk(b.reshape(all, {condition.dim(0), parts, width}), 1, parts);
}

std::vector<Var> table_modulation(Var shared, std::string_view name, std::int64_t width, int parts) {
  Builder& b = *shared.builder;
  const Var learned = b.param(name, {parts, width}, {Init::Kind::normal, 0.02});
  return b.chunk(b.reshape(shared, {shared.dim(0), shared.dim(1) / width, width}) + learned, 1, parts);
}

Var patch_embed(Var x, std::string_view name, int patch, std::int64_t width) {
  Builder& b = *x.builder;
  if (patch == 1) return b.linear(x, name, width);
  return b.conv2d(x, name, width, {.kernel = patch, .stride = patch, .padding = 0});
}

Var unpatchify(Var x, std::int64_t h, std::int64_t w, int patch) {
  Builder& b = *x.builder;
  const std::int64_t batch = x.dim(0), channels = x.dim(2) / (patch * patch);
  if (patch == 1) return b.reshape(x, {batch, h, w, channels});
  const Var cells = b.transpose(b.reshape(x, {batch, h, w, patch, patch, channels}), {0, 1, 3, 2, 4, 5});
  return b.reshape(cells, {batch, h * patch, w * patch, channels});
}

namespace {

constexpr double kQkNormEps = 1e-6;

// (B, T, heads, D/heads)
Var project_heads(Var x, std::string_view linear, std::string_view norm, const HeadOptions& o) {
  Builder& b = *x.builder;
  const std::int64_t width = x.dim(2);
  const Var y = b.reshape(b.linear(x, linear, width), {x.dim(0), x.dim(1), o.heads, width / o.heads});
  return o.qk_norm && !norm.empty() ? b.rms_norm(y, norm, kQkNormEps) : y;
}

// The checkpoint has these parameters; nothing depends on them.
void declare_head_parameters(Builder& b, std::string_view linear, std::string_view norm, std::int64_t width,
                             const HeadOptions& o) {
  {
    const auto scope = b.scope(linear);
    b.param("weight", {width, width}, {});
    b.param("bias", {width}, {});
  }
  if (!o.qk_norm) return;
  const auto scope = b.scope(norm);
  b.param("weight", {width / o.heads}, {Init::Kind::ones, 0});
}

Var attend(Var q, Var k, Var v, const HeadOptions& o) {
  Builder& b = *q.builder;
  const auto merged = [&](Var x) { return b.reshape(x, {x.dim(0), x.dim(1), x.dim(2) * x.dim(3)}); };
  if (o.rotary != nullptr) {
    q = rotate(q, *o.rotary);
    k = rotate(k, *o.rotary);
  }
  return b.attention(merged(q), merged(k), merged(v), {.heads = o.heads, .kv_heads = o.heads});
}

}  // namespace

Var self_attention(Var x, const HeadOptions& o) {
  return attend(project_heads(x, "to_q", "norm_q", o), project_heads(x, "to_k", "norm_k", o),
                project_heads(x, "to_v", "", o), o);
}

Streams joint_attention(Var image, Var text, const JointOptions& o) {
  Builder& b = *image.builder;
  const std::int64_t width = image.dim(2), cells = image.dim(1), words = text.dim(1);
  const auto join = [&](Var of_image, Var of_text) {
    return o.text_first ? b.concat({of_text, of_image}, 1) : b.concat({of_image, of_text}, 1);
  };
  const Var image_q = project_heads(image, "to_q", "norm_q", o.heads);
  const Var k =
      join(project_heads(image, "to_k", "norm_k", o.heads), project_heads(text, "add_k_proj", "norm_added_k", o.heads));
  const Var v = join(project_heads(image, "to_v", "", o.heads), project_heads(text, "add_v_proj", "", o.heads));
  if (!o.text_output) {
    declare_head_parameters(b, "add_q_proj", "norm_added_q", width, o.heads);
    return {b.linear(attend(image_q, k, v, o.heads), "to_out.0", width), {}};
  }
  const Var q = join(image_q, project_heads(text, "add_q_proj", "norm_added_q", o.heads));
  const Var y = attend(q, k, v, o.heads);
  const std::int64_t image_at = o.text_first ? words : 0, text_at = o.text_first ? 0 : cells;
  return {b.linear(b.slice(y, 1, image_at, image_at + cells), "to_out.0", width),
          b.linear(b.slice(y, 1, text_at, text_at + words), "to_add_out", width)};
}

}  // namespace thimble::models
