#include "models/text_encoder.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

graph::Graph build_text_encoder(const TextEncoderConfig& c, int batch, int length) {
  if (length < 1 || length > c.max_length) {
    fail(ErrorKind::bad_input, "text length {} is not between 1 and {}", length, c.max_length);
  }
  Builder b("text");
  const auto s = b.scope("text");
  Var ids = b.input("ids", {batch, length}, DType::i32);
  Var mask = b.input("mask", {batch, 1, 1, length});
  Var keep = b.input("keep", {batch, length, 1});
  Var positions = b.param("positions", {c.max_length, c.width}, {graph::Init::Kind::normal, 0.02});
  Var x = b.embedding(ids, "tokens", c.vocabulary, c.width, 0.02) + b.slice(positions, 0, 0, length);
  for (int i = 0; i < c.depth; ++i) {
    const auto block = b.scope("block", i);
    Var h = b.layer_norm(x, "norm1");
    Var a = b.attention(b.linear(h, "q", c.width), b.linear(h, "k", c.width), b.linear(h, "v", c.width), mask,
                        {.heads = c.heads, .kv_heads = c.heads});
    x = x + b.linear(a, "out", c.width, {.init_scale = 0.5});
    h = b.gelu_tanh(b.linear(b.layer_norm(x, "norm2"), "fc1", c.ffn_ratio * c.width));
    x = x + b.linear(h, "fc2", c.width, {.init_scale = 0.5});
  }
  Var states = b.linear(b.layer_norm(x, "norm"), "proj", c.out_width);
  b.output("states", states);
  b.output("pooled", b.sum(states * keep, {1}, false) / b.sum(keep, {1}, false));
  return b.finish();
}

Json to_json(const TextEncoderConfig& c) {
  return {{"type", "text_encoder"},     {"vocabulary", c.vocabulary}, {"width", c.width},
          {"depth", c.depth},           {"heads", c.heads},           {"ffn_ratio", c.ffn_ratio},
          {"max_length", c.max_length}, {"out_width", c.out_width}};
}

TextEncoderConfig text_encoder_from_json(const Json& json) {
  const ConfigReader r(json, "text_encoder");
  TextEncoderConfig c;
  c.vocabulary = r.integer("vocabulary", 1, 1 << 20);
  c.width = r.integer("width", 1, 1 << 14);
  c.depth = r.integer("depth", 0, 128);
  c.heads = r.integer("heads", 1, 256);
  c.ffn_ratio = r.integer("ffn_ratio", 1, 16);
  c.max_length = r.integer("max_length", 1, 1 << 14);
  c.out_width = r.integer("out_width", 1, 1 << 14);
  return c;
}

}  // namespace thimble::models
