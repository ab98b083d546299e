#include "models/t5_text.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "graph/builder.h"
#include "models/foreign_config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

constexpr int kT5Longest = 2048;  // of the literals: 2 T - 1 distances

// (heads, T, T): the learned bias of a key at column j for the query at row i.
Var position_bias(Builder& b, const T5TextConfig& c, int tokens) {
  std::vector<double> buckets, places;
  for (int offset = 1 - tokens; offset < tokens; ++offset) {
    buckets.push_back(t5_bucket(offset, c.relative_attention_num_buckets, c.relative_attention_max_distance));
  }
  for (int i = 0; i < tokens; ++i) places.push_back(i);
  Var table = b.param("block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                      {c.relative_attention_num_buckets, c.num_heads}, {graph::Init::Kind::normal, 0.1});
  const auto distances = static_cast<std::int64_t>(buckets.size());
  Var by_distance = b.gather(table, b.constant({distances}, buckets, DType::i32));
  Var offsets = b.constant({1, tokens}, places) - b.constant({tokens, 1}, places) + (tokens - 1);
  return b.transpose(b.gather(by_distance, b.cast(offsets, DType::i32)), {2, 0, 1});
}

Var attention(Builder& b, const T5TextConfig& c, Var x, Var bias) {
  const auto s = b.scope("SelfAttention");
  const std::int64_t inner = std::int64_t{c.num_heads} * c.d_kv;
  const auto project = [&](std::string_view name) { return b.linear(x, name, inner, {.bias = false}); };
  Var a = b.attention(project("q"), project("k"), project("v"), bias,
                      {.heads = c.num_heads, .kv_heads = c.num_heads, .scale = 1});
  return b.linear(a, "o", c.d_model, {.bias = false});
}

Var feed_forward(Builder& b, const T5TextConfig& c, Var x) {
  const auto s = b.scope("DenseReluDense");
  Var h = c.feed_forward_proj == "relu" ? b.relu(b.linear(x, "wi", c.d_ff, {.bias = false}))
                                        : b.gelu_tanh(b.linear(x, "wi_0", c.d_ff, {.bias = false})) *
                                              b.linear(x, "wi_1", c.d_ff, {.bias = false});
  return b.linear(h, "wo", c.d_model, {.bias = false});
}

}  // namespace

int t5_bucket(int offset, int buckets, int max_distance) {
  const int half = buckets / 2, single = half / 2, distance = std::abs(offset);
  const int first = offset > 0 ? half : 0;
  if (distance < single) return first + distance;
  // In f32, as the published code has it: at a border of two buckets the rounding decides.
  const float place = std::log(static_cast<float>(distance) / static_cast<float>(single)) /
                      static_cast<float>(std::log(static_cast<double>(max_distance) / single)) *
                      static_cast<float>(half - single);
  return first + std::min(half - 1, single + static_cast<int>(place));
}

graph::Graph build_t5_text(const T5TextConfig& c, int batch, int tokens) {
  check_text_size(batch, tokens, kT5Longest);
  Builder b("t5_text");
  Var ids = b.input("ids", {batch, tokens}, DType::i32);
  Var mask = b.input("mask", {batch, 1, 1, tokens});
  Var x = b.embedding(ids, "shared", c.vocab_size, c.d_model, 1.0);
  const auto encoder = b.scope("encoder");
  Var bias = position_bias(b, c, tokens);
  b.tap("bias", bias);
  bias = bias + mask;
  for (int i = 0; i < c.num_layers; ++i) {
    const auto block = b.scope("block", i);
    {
      const auto layer = b.scope("layer.0");
      x = x + attention(b, c, b.rms_norm(x, "layer_norm", c.layer_norm_epsilon), bias);
    }
    {
      const auto layer = b.scope("layer.1");
      x = x + feed_forward(b, c, b.rms_norm(x, "layer_norm", c.layer_norm_epsilon));
    }
    b.tap(fmt::format("layer.{}", i), x);
  }
  b.output("last_hidden_state", b.rms_norm(x, "final_layer_norm", c.layer_norm_epsilon));
  return b.finish();
}

Json to_json(const T5TextConfig& c) {
  return {{"vocab_size", c.vocab_size},
          {"d_model", c.d_model},
          {"d_kv", c.d_kv},
          {"d_ff", c.d_ff},
          {"num_layers", c.num_layers},
          {"num_heads", c.num_heads},
          {"relative_attention_num_buckets", c.relative_attention_num_buckets},
          {"relative_attention_max_distance", c.relative_attention_max_distance},
          {"layer_norm_epsilon", c.layer_norm_epsilon},
          {"feed_forward_proj", c.feed_forward_proj}};
}

T5TextConfig t5_text_from_json(const Json& json) {
  const ForeignConfig r(json, "T5 text");
  T5TextConfig c;
  c.vocab_size = r.integer("vocab_size", c.vocab_size, 1, 1 << 22);
  c.d_model = r.integer("d_model", c.d_model, 1, 1 << 14);
  c.d_kv = r.integer("d_kv", c.d_kv, 1, 1 << 12);
  c.d_ff = r.integer("d_ff", c.d_ff, 1, 1 << 17);
  c.num_layers = r.integer("num_layers", c.num_layers, 1, 256);
  c.num_heads = r.integer("num_heads", c.num_heads, 1, 256);
  c.relative_attention_num_buckets =
      r.integer("relative_attention_num_buckets", c.relative_attention_num_buckets, 4, 4096);
  c.relative_attention_max_distance =
      r.integer("relative_attention_max_distance", c.relative_attention_max_distance, 1, 1 << 20);
  c.layer_norm_epsilon = r.number("layer_norm_epsilon", c.layer_norm_epsilon, 0, 1);
  c.feed_forward_proj = r.text("feed_forward_proj", c.feed_forward_proj);
  if (c.feed_forward_proj != "relu" && c.feed_forward_proj != "gated-gelu") {
    fail(ErrorKind::unsupported, "{}: the feed-forward layer '{}' is not built; relu and gated-gelu are", r.what(),
         c.feed_forward_proj);
  }
  if (c.relative_attention_max_distance <= c.relative_attention_num_buckets / 4) {
    fail(ErrorKind::bad_file, "{}: {} buckets want a longer distance than {}", r.what(),
         c.relative_attention_num_buckets, c.relative_attention_max_distance);
  }
  return c;
}

}  // namespace thimble::models
