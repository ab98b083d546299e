#include "models/scorer.h"

#include "base/error.h"
#include "graph/builder.h"
#include "models/config.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

Var unit_length(Builder& b, Var x) {
  Var squared = b.sum(b.unary(graph::UnaryKind::square, x), {-1});
  return x * b.unary(graph::UnaryKind::rsqrt, squared + 1e-6);
}

}  // namespace

graph::Graph build_scorer_image(const ScorerConfig& c, int batch) {
  Builder b("scorer_image");
  const auto s = b.scope("image");
  Var x = b.pixel_unshuffle(b.input("image", {batch, c.image_size, c.image_size, 3}), 2);
  x = b.conv2d(x, "stem", c.channels[0]);
  for (std::size_t level = 0; level < c.channels.size(); ++level) {
    const auto l = b.scope("level", static_cast<int>(level));
    if (level > 0) x = b.conv2d(x, "down", c.channels[level], {.kernel = 2, .stride = 2, .padding = 0});
    Var h = b.conv2d(b.relu(b.group_norm(x, "norm1", 8)), "conv1", c.channels[level]);
    x = x + b.conv2d(b.relu(b.group_norm(h, "norm2", 8)), "conv2", c.channels[level], {.init_scale = 0.2});
  }
  x = b.mean(b.group_norm(x, "norm", 8), {1, 2}, false);
  b.output("embedding", unit_length(b, b.linear(x, "proj", c.width)));
  return b.finish();
}

graph::Graph build_scorer_text(const ScorerConfig& c, int batch, int length) {
  graph::Graph encoder = build_text_encoder(c.text, batch, length);
  Builder b("scorer_text");
  // Rebuilds the encoder's nodes here and goes on from its pooled output.
  std::vector<Var> map(encoder.values.size());
  for (graph::ValueId id : encoder.inputs) {
    const auto& v = encoder.value(id);
    map[static_cast<std::size_t>(id)] = b.input(v.name, v.type.shape, v.type.dtype);
  }
  for (const auto& p : encoder.parameters) {
    const auto& v = encoder.value(p.value);
    map[static_cast<std::size_t>(p.value)] = b.param(v.name, v.type.shape, p.init);
  }
  for (const auto& node : encoder.nodes) {
    std::vector<Var> inputs;
    for (graph::ValueId id : node.inputs) inputs.push_back(map[static_cast<std::size_t>(id)]);
    map[static_cast<std::size_t>(node.output)] = b.add(node.op, std::move(inputs));
  }
  Var pooled = map[static_cast<std::size_t>(encoder.outputs.at(1).value)];
  b.output("embedding", unit_length(b, b.linear(pooled, "text.to_shared", c.width)));
  return b.finish();
}

Json to_json(const ScorerConfig& c) {
  return {{"type", "scorer"},
          {"image_size", c.image_size},
          {"channels", c.channels},
          {"width", c.width},
          {"text", to_json(c.text)}};
}

ScorerConfig scorer_from_json(const Json& json) {
  const ConfigReader r(json, "scorer");
  ScorerConfig c;
  c.image_size = r.integer("image_size", 16, 1024);
  c.channels = r.integers("channels", 8, 4096);
  c.width = r.integer("width", 1, 4096);
  c.text = text_encoder_from_json(get_object(json, "text", "scorer config"));
  if (c.channels.empty() || c.channels.size() > 8)
    fail(ErrorKind::bad_file, "scorer config: 1 to 8 levels were wanted");
  return c;
}

}  // namespace thimble::models
