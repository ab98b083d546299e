#include "models/clip_text.h"

#include <algorithm>

#include "base/error.h"
#include "graph/builder.h"
#include "models/foreign_config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

Var activation(Builder& b, const ClipTextConfig& c, Var x) {
  return c.hidden_act == "gelu" ? b.gelu(x) : x * b.sigmoid(x * 1.702);
}

Var attention(Builder& b, const ClipTextConfig& c, Var x) {
  const auto s = b.scope("self_attn");
  const std::int64_t width = c.hidden_size;
  Var a = b.attention(b.linear(x, "q_proj", width), b.linear(x, "k_proj", width), b.linear(x, "v_proj", width),
                      {.heads = c.num_attention_heads, .kv_heads = c.num_attention_heads, .causal = true});
  return b.linear(a, "out_proj", width);
}

Var clip_feed_forward(Builder& b, const ClipTextConfig& c, Var x) {
  const auto s = b.scope("mlp");
  return b.linear(activation(b, c, b.linear(x, "fc1", c.intermediate_size)), "fc2", c.hidden_size);
}

// x (B, T, C), at (B) i32 -> (B, C)
Var state_at(Builder& b, Var x, Var at) {
  const std::int64_t batch = x.dim(0), tokens = x.dim(1), width = x.dim(2);
  std::vector<double> starts;
  for (std::int64_t i = 0; i < batch; ++i) starts.push_back(static_cast<double>(i * tokens));
  return b.gather(b.reshape(x, {batch * tokens, width}), at + b.constant({batch}, starts, DType::i32));
}

}  // namespace

graph::Graph build_clip_text(const ClipTextConfig& c, bool projection, int batch, int tokens) {
  check_text_size(batch, tokens, c.max_position_embeddings);
  Builder b("clip_text");
  Var ids = b.input("ids", {batch, tokens}, DType::i32);
  Var eos = b.input("eos", {batch}, DType::i32);
  Var pooled;
  {
    const auto model = b.scope("text_model");
    std::vector<Var> states;  // what each layer reads, and what the last one gives
    {
      const auto s = b.scope("embeddings");
      Var positions = b.param("position_embedding.weight", {c.max_position_embeddings, c.hidden_size},
                              {graph::Init::Kind::normal, 0.02});
      states.push_back(b.embedding(ids, "token_embedding", c.vocab_size, c.hidden_size) +
                       b.slice(positions, 0, 0, tokens));
    }
    for (int i = 0; i < c.num_hidden_layers; ++i) {
      const auto layer = b.scope("encoder.layers", i);
      Var x = states.back();
      x = x + attention(b, c, b.layer_norm(x, "layer_norm1", c.layer_norm_eps));
      x = x + clip_feed_forward(b, c, b.layer_norm(x, "layer_norm2", c.layer_norm_eps));
      states.push_back(x);
      b.tap(fmt::format("layer.{}", i), x);
    }
    const auto last = states.size() - 1, kept = last - static_cast<std::size_t>(c.clip_skip);
    Var normed = b.layer_norm(states[last], "final_layer_norm", c.layer_norm_eps);
    b.output("last_hidden_state",
             kept == last ? normed : b.layer_norm(states[kept], "final_layer_norm", c.layer_norm_eps));
    b.output("penultimate", states[kept - 1]);
    pooled = state_at(b, normed, eos);
  }
  b.output("pooled", projection ? b.linear(pooled, "text_projection", c.projection_dim, {.bias = false}) : pooled);
  return b.finish();
}

std::int32_t clip_eos(const ClipTextConfig& c, std::span<const std::int32_t> ids) {
  constexpr int kLegacy = 2;
  if (ids.empty()) return 0;
  if (c.eos_token_id == kLegacy) return static_cast<std::int32_t>(std::ranges::max_element(ids) - ids.begin());
  const auto it = std::ranges::find(ids, c.eos_token_id);
  return it == ids.end() ? 0 : static_cast<std::int32_t>(it - ids.begin());
}

Json to_json(const ClipTextConfig& c) {
  return {{"vocab_size", c.vocab_size},
          {"hidden_size", c.hidden_size},
          {"intermediate_size", c.intermediate_size},
          {"num_hidden_layers", c.num_hidden_layers},
          {"num_attention_heads", c.num_attention_heads},
          {"max_position_embeddings", c.max_position_embeddings},
          {"projection_dim", c.projection_dim},
          {"hidden_act", c.hidden_act},
          {"layer_norm_eps", c.layer_norm_eps},
          {"eos_token_id", c.eos_token_id},
          {"clip_skip", c.clip_skip}};
}

ClipTextConfig clip_text_from_json(const Json& json) {
  const ForeignConfig r(json, "CLIP text");
  ClipTextConfig c;
  c.vocab_size = r.integer("vocab_size", c.vocab_size, 1, 1 << 22);
  c.hidden_size = r.integer("hidden_size", c.hidden_size, 1, 1 << 14);
  c.intermediate_size = r.integer("intermediate_size", c.intermediate_size, 1, 1 << 16);
  c.num_hidden_layers = r.integer("num_hidden_layers", c.num_hidden_layers, 1, 256);
  c.num_attention_heads = r.integer("num_attention_heads", c.num_attention_heads, 1, 256);
  c.max_position_embeddings = r.integer("max_position_embeddings", c.max_position_embeddings, 1, 1 << 14);
  c.projection_dim = r.integer("projection_dim", c.projection_dim, 1, 1 << 14);
  c.hidden_act = r.text("hidden_act", c.hidden_act);
  c.layer_norm_eps = r.number("layer_norm_eps", c.layer_norm_eps, 0, 1);
  c.eos_token_id = r.integer("eos_token_id", c.eos_token_id, 0, 1 << 22);
  c.clip_skip = r.integer("clip_skip", 0, 0, c.num_hidden_layers - 1);
  if (c.hidden_act != "quick_gelu" && c.hidden_act != "gelu") {
    fail(ErrorKind::unsupported, "{}: the activation '{}' is not built; quick_gelu and gelu are", r.what(),
         c.hidden_act);
  }
  if (c.hidden_size % c.num_attention_heads != 0) {
    fail(ErrorKind::bad_file, "{}: {} heads do not divide the width {}", r.what(), c.num_attention_heads,
         c.hidden_size);
  }
  return c;
}

}  // namespace thimble::models
