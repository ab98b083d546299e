#include "models/gemma_text.h"

#include <cmath>

#include "base/error.h"
#include "graph/builder.h"
#include "models/foreign_config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

constexpr int kGemmaLongest = 4096;  // of the literals: one place a token

// Weights are stored as their distance from one.
Var norm(Builder& b, const GemmaTextConfig& c, Var x, std::string_view name) {
  const auto s = b.scope(name);
  return b.add(graph::RmsNorm{c.rms_norm_eps}, {x, b.param("weight", {c.hidden_size}, {}) + 1.0});
}

struct Rotation {
  Var cos, sin;  // (T, 1, head_dim / 2)
};

// Angles in f64: in lower precisions the places of far tokens would blur.
Rotation rotation(Builder& b, const GemmaTextConfig& c, int tokens) {
  std::vector<double> places, frequencies;
  for (int i = 0; i < tokens; ++i) places.push_back(i);
  for (int i = 0; i < c.head_dim; i += 2) {
    frequencies.push_back(static_cast<float>(1 / std::pow(c.rope_theta, static_cast<double>(i) / c.head_dim)));
  }
  Var angles =
      b.constant({tokens, 1, 1}, places, DType::f64) * b.constant({1, 1, c.head_dim / 2}, frequencies, DType::f64);
  return {b.cast(b.unary(graph::UnaryKind::cos, angles), DType::f32),
          b.cast(b.unary(graph::UnaryKind::sin, angles), DType::f32)};
}

// x (B, T, heads, D): the first half of each head's channels and the second turn as pairs.
Var rotate(Builder& b, const Rotation& r, Var x) {
  const auto half = b.chunk(x, 3, 2);
  return b.concat({half[0] * r.cos - half[1] * r.sin, half[1] * r.cos + half[0] * r.sin}, 3);
}

// (T, T): 0 where the query of a row reads the key of a column, the last `window` up to itself; -1e9 elsewhere.
Var causal_mask(Builder& b, int tokens, int window) {
  std::vector<double> places, ends;
  for (int i = 0; i < tokens; ++i) {
    places.push_back(i);
    ends.push_back(i - window + 1);
  }
  Var keys = b.constant({1, tokens}, places), open = b.constant(0.0), shut = b.constant(-1e9);
  Var mask = b.where(b.binary(graph::BinaryKind::greater, keys, b.constant({tokens, 1}, places)), shut, open);
  if (window >= tokens) return mask;
  return mask + b.where(b.binary(graph::BinaryKind::less, keys, b.constant({tokens, 1}, ends)), shut, open);
}

// mask (B, 1, T, T). Queries of a group of heads meet one head of keys and values.
Var attention(Builder& b, const GemmaTextConfig& c, Var x, Var mask, const Rotation& r) {
  const auto s = b.scope("self_attn");
  const std::int64_t batch = x.dim(0), tokens = x.dim(1), heads = c.num_attention_heads,
                     kv_heads = c.num_key_value_heads, width = c.head_dim, group = heads / kv_heads;
  const auto project = [&](std::string_view name, std::int64_t n) {
    return b.reshape(b.linear(x, name, n * width, {.bias = c.attention_bias}), {batch, tokens, n, width});
  };
  Var q = rotate(b, r, project("q_proj", heads)), k = rotate(b, r, project("k_proj", kv_heads)),
      v = project("v_proj", kv_heads);
  q = b.transpose(b.reshape(q, {batch, tokens, kv_heads, group, width}), {0, 2, 3, 1, 4});
  k = b.transpose(b.reshape(k, {batch, tokens, kv_heads, 1, width}), {0, 2, 3, 1, 4});
  v = b.transpose(b.reshape(v, {batch, tokens, kv_heads, 1, width}), {0, 2, 3, 1, 4});
  Var scores = b.matmul(q * (1 / std::sqrt(c.query_pre_attn_scalar)), k, false, true);
  if (const double cap = c.attn_logit_softcapping; cap > 0) scores = b.tanh(scores * (1 / cap)) * cap;
  Var y = b.matmul(b.softmax(scores + b.reshape(mask, {batch, 1, 1, tokens, tokens})), v);
  y = b.reshape(b.transpose(y, {0, 3, 1, 2, 4}), {batch, tokens, heads * width});
  return b.linear(y, "o_proj", c.hidden_size, {.bias = c.attention_bias});
}

Var gemma_feed_forward(Builder& b, const GemmaTextConfig& c, Var x) {
  const auto s = b.scope("mlp");
  Var h = b.gelu_tanh(b.linear(x, "gate_proj", c.intermediate_size, {.bias = false})) *
          b.linear(x, "up_proj", c.intermediate_size, {.bias = false});
  return b.linear(h, "down_proj", c.hidden_size, {.bias = false});
}

bool slides(const GemmaTextConfig& c, int layer) {
  return c.sliding.empty() ? layer % 2 == 0 : c.sliding[static_cast<std::size_t>(layer)];
}

}  // namespace

graph::Graph build_gemma_text(const GemmaTextConfig& c, int batch, int tokens) {
  check_text_size(batch, tokens, std::min(kGemmaLongest, c.max_position_embeddings));
  Builder b("gemma_text");
  Var ids = b.input("ids", {batch, tokens}, DType::i32);
  Var mask = b.input("mask", {batch, 1, 1, tokens});
  const Rotation r = rotation(b, c, tokens);
  const Var full = mask + causal_mask(b, tokens, tokens);
  const Var sliding = c.sliding_window < tokens ? mask + causal_mask(b, tokens, c.sliding_window) : full;
  const double scale = static_cast<float>(std::sqrt(static_cast<double>(c.hidden_size)));
  Var x = b.embedding(ids, "embed_tokens", c.vocab_size, c.hidden_size) * scale;
  for (int i = 0; i < c.num_hidden_layers; ++i) {
    const auto layer = b.scope("layers", i);
    Var a = attention(b, c, norm(b, c, x, "input_layernorm"), slides(c, i) ? sliding : full, r);
    x = x + norm(b, c, a, "post_attention_layernorm");
    Var h = gemma_feed_forward(b, c, norm(b, c, x, "pre_feedforward_layernorm"));
    x = x + norm(b, c, h, "post_feedforward_layernorm");
    b.tap(fmt::format("layer.{}", i), x);
  }
  b.output("last_hidden_state", norm(b, c, x, "norm"));
  return b.finish();
}

Json to_json(const GemmaTextConfig& c) {
  Json json = {{"vocab_size", c.vocab_size},
               {"hidden_size", c.hidden_size},
               {"intermediate_size", c.intermediate_size},
               {"num_hidden_layers", c.num_hidden_layers},
               {"num_attention_heads", c.num_attention_heads},
               {"num_key_value_heads", c.num_key_value_heads},
               {"head_dim", c.head_dim},
               {"max_position_embeddings", c.max_position_embeddings},
               {"rms_norm_eps", c.rms_norm_eps},
               {"rope_theta", c.rope_theta},
               {"attention_bias", c.attention_bias},
               {"query_pre_attn_scalar", c.query_pre_attn_scalar},
               {"attn_logit_softcapping", c.attn_logit_softcapping},
               {"sliding_window", c.sliding_window},
               {"hidden_activation", "gelu_pytorch_tanh"}};
  for (const bool s : c.sliding) json["layer_types"].push_back(s ? "sliding_attention" : "full_attention");
  return json;
}

GemmaTextConfig gemma_text_from_json(const Json& json) {
  const ForeignConfig r(json, "Gemma 2");
  GemmaTextConfig c;
  c.vocab_size = r.integer("vocab_size", c.vocab_size, 1, 1 << 22);
  c.hidden_size = r.integer("hidden_size", c.hidden_size, 1, 1 << 14);
  c.intermediate_size = r.integer("intermediate_size", c.intermediate_size, 1, 1 << 17);
  c.num_hidden_layers = r.integer("num_hidden_layers", c.num_hidden_layers, 1, 256);
  c.num_attention_heads = r.integer("num_attention_heads", c.num_attention_heads, 1, 256);
  c.num_key_value_heads = r.integer("num_key_value_heads", c.num_key_value_heads, 1, 256);
  c.head_dim = r.integer("head_dim", c.head_dim, 2, 1 << 12);
  c.max_position_embeddings = r.integer("max_position_embeddings", c.max_position_embeddings, 1, 1 << 24);
  c.rms_norm_eps = r.number("rms_norm_eps", c.rms_norm_eps, 0, 1);
  // Newer files keep the base of the rotation in an object of its own.
  if (const Json* rope = r.find("rope_parameters")) {
    const ForeignConfig parameters(*rope, "Gemma 2 rope_parameters");
    if (const std::string type = parameters.text("rope_type", "default"); type != "default") {
      fail(ErrorKind::unsupported, "{}: rotary positions of the type '{}' are not built", r.what(), type);
    }
    c.rope_theta = parameters.number("rope_theta", c.rope_theta, 1, 1e9);
  }
  c.rope_theta = r.number("rope_theta", c.rope_theta, 1, 1e9);
  c.attention_bias = r.flag("attention_bias", false);
  c.query_pre_attn_scalar = r.number("query_pre_attn_scalar", c.query_pre_attn_scalar, 1e-3, 1e6);
  // Here null is not the default but no squashing.
  const bool capped = !json.contains("attn_logit_softcapping") || r.find("attn_logit_softcapping") != nullptr;
  c.attn_logit_softcapping = capped ? r.number("attn_logit_softcapping", c.attn_logit_softcapping, 0, 1e6) : 0;
  c.sliding_window = r.integer("sliding_window", c.sliding_window, 1, 1 << 24);
  for (const std::string& type : r.texts("layer_types")) {
    if (type != "sliding_attention" && type != "full_attention") {
      fail(ErrorKind::unsupported, "{}: layers of the type '{}' are not built", r.what(), type);
    }
    c.sliding.push_back(type == "sliding_attention");
  }
  if (!c.sliding.empty() && c.sliding.size() != static_cast<std::size_t>(c.num_hidden_layers)) {
    fail(ErrorKind::bad_file, "{}: 'layer_types' names {} layers of {}", r.what(), c.sliding.size(),
         c.num_hidden_layers);
  }
  // Early files say "gelu" under the older key and mean the tanh approximation.
  const std::string act = r.text("hidden_activation", "gelu_pytorch_tanh");
  if (act != "gelu_pytorch_tanh" || r.flag("use_bidirectional_attention", false)) {
    fail(ErrorKind::unsupported, "{}: only causal layers with gelu_pytorch_tanh are built", r.what());
  }
  if (c.num_attention_heads % c.num_key_value_heads != 0 || c.head_dim % 2 != 0) {
    fail(ErrorKind::bad_file, "{}: {} heads do not share {} heads of keys, or the head's width {} is odd", r.what(),
         c.num_attention_heads, c.num_key_value_heads, c.head_dim);
  }
  return c;
}

}  // namespace thimble::models
