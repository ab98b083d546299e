#include "api/random_weights.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "base/rng.h"

namespace thimble::api {
namespace {

constexpr std::size_t kDrawn = std::size_t{1} << 20;  // elements; longer pools repeat them
constexpr std::int64_t kSpacing = 1024;               // elements between the windows of two parameters, where they fit

// The scale as a power of two: few pools serve all layers, and no activation leaves its range.
graph::Init rounded(graph::Init init) {
  if (init.scale > 0 && init.kind != graph::Init::Kind::constant)
    init.scale = std::exp2(std::round(std::log2(init.scale)));
  return init;
}

std::vector<float> block_of(const graph::Init& init, std::size_t n, std::uint64_t seed) {
  using Kind = graph::Init::Kind;
  std::vector<float> values(n, init.kind == Kind::ones       ? 1.0F
                               : init.kind == Kind::constant ? static_cast<float>(init.scale)
                                                             : 0.0F);
  if (init.kind != Kind::normal && init.kind != Kind::uniform) return values;
  fill_normal(values, seed);
  for (float& v : values) v *= static_cast<float>(init.scale);
  return values;
}

graph::Tensor make_pool(DType type, const graph::Init& init, std::int64_t elements, std::uint64_t seed) {
  graph::Tensor pool(graph::TensorType{type, {elements}});
  std::byte* to = pool.mutable_data();
  const auto all = static_cast<std::size_t>(elements);
  if (!is_float(type)) {
    // Bytes -127 .. 127, or pairs of 4 bits: both spread around zero, as trained weights are.
    Rng rng(seed);
    const std::size_t bytes = all * size_of(type), drawn = std::min(bytes, kDrawn);
    for (std::size_t i = 0; i < drawn; ++i) {
      to[i] = static_cast<std::byte>(type == DType::u8 ? rng.below(256) : rng.below(255) - 127);
    }
    for (std::size_t i = drawn; i < bytes; ++i) to[i] = to[i - drawn];
    return pool;
  }
  const std::vector<float> block = block_of(init, std::min(all, kDrawn), seed);
  for (std::size_t at = 0; at < all; at += block.size()) {
    convert(DType::f32, block.data(), type, to + at * size_of(type), std::min(block.size(), all - at));
  }
  return pool;
}

}  // namespace

graph::Weights RandomWeights::draw(const graph::Graph& g) {
  std::set<graph::ValueId> steps;  // scales of quantised weights, which stay f32
  for (const graph::Node& node : g.nodes) {
    if (std::holds_alternative<graph::QuantLinear>(node.op)) steps.insert(node.inputs[2]);
  }
  std::map<Kind, std::pair<std::int64_t, graph::Init>> longest;
  const auto kind_of = [&](const graph::Parameter& p) {
    const graph::Init init = rounded(p.init);
    const DType type = g.type(p.value).dtype;
    return Kind{is_float(type) && !steps.contains(p.value) ? stored_ : type, {static_cast<int>(init.kind), init.scale}};
  };
  for (const graph::Parameter& p : g.parameters) {
    auto& [elements, init] = longest[kind_of(p)];
    elements = std::max(elements, g.type(p.value).elements());
    init = rounded(p.init);
  }
  for (const auto& [kind, want] : longest) {
    graph::Tensor& pool = pools_[kind];
    if (pool.data() != nullptr && pool.type().elements() >= want.first) continue;
    pool = make_pool(kind.first, want.second, want.first, seed_);
  }
  graph::Weights weights;
  std::int64_t count = 0;
  for (const graph::Parameter& p : g.parameters) {
    const graph::Tensor& pool = pools_.at(kind_of(p));
    const graph::TensorType type{pool.type().dtype, g.type(p.value).shape};
    const std::int64_t room = (pool.type().elements() - type.elements()) / kSpacing;
    const std::int64_t first = room > 0 ? count++ % (room + 1) * kSpacing : 0;
    weights.set(g.value(p.value).name,
                graph::Tensor(type, pool.owner(), pool.data() + static_cast<std::size_t>(first) * size_of(type.dtype)));
  }
  return weights;
}

}  // namespace thimble::api
