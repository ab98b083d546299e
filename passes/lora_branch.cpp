#include "passes/lora_branch.h"

#include <algorithm>
#include <optional>
#include <set>

#include "base/error.h"
#include "passes/rebuild.h"

namespace thimble::passes {

using namespace graph;

namespace {

std::string branch_name(std::string_view weight, std::string_view what) {
  constexpr std::string_view kEnding = ".weight";
  if (weight.ends_with(kEnding)) weight.remove_suffix(kEnding.size());
  return fmt::format("{}.{}.weight", weight, what);
}

// The convolution that a node is, of floats or of integers.
std::optional<Conv2d> convolution(const Node& node) {
  if (const auto* conv = std::get_if<Conv2d>(&node.op)) return *conv;
  if (const auto* q = std::get_if<QuantConv2d>(&node.op)) return Conv2d{q->stride, q->padding, q->dilation, q->groups};
  return {};
}

bool takes_branch(const Node& node) {
  const auto conv = convolution(node);
  return std::holds_alternative<Linear>(node.op) || std::holds_alternative<QuantLinear>(node.op) ||
         (conv && conv->groups == 1);
}

// U (D x) for the layer that `node` is; `weight` has the layer's shape.
Var branch_of(Builder& b, const Node& node, Var x, const std::string& weight, const Shape& shape, std::int64_t outputs,
              std::int64_t rank) {
  const Init start{Init::Kind::normal, 0.02};
  const std::string down = lora_down_name(weight), up = lora_up_name(weight);
  if (const auto conv = convolution(node)) {
    Shape lower = shape;
    lower[0] = rank;
    const Var h = b.add(*conv, {x, b.param(down, lower, start)});
    return b.add(Conv2d{}, {h, b.param(up, {outputs, rank, 1, 1}, {})});
  }
  const Var h = b.add(Linear{}, {x, b.param(down, {rank, x.dim(-1)}, start)});
  return b.add(Linear{}, {h, b.param(up, {outputs, rank}, {})});
}

std::size_t columns_of(const Shape& shape) {
  std::size_t n = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) n *= static_cast<std::size_t>(shape[i]);
  return n;
}

}  // namespace

std::string lora_down_name(std::string_view weight) { return branch_name(weight, "lora_down"); }
std::string lora_up_name(std::string_view weight) { return branch_name(weight, "lora_up"); }

Graph add_lora_branches(const Graph& g, const std::map<std::string, std::int64_t>& ranks) {
  std::map<ValueId, std::pair<std::string, std::int64_t>> wanted;
  for (const auto& [name, rank] : ranks) {
    const auto id = g.find_parameter(name);
    if (!id) fail(ErrorKind::bad_input, "a LoRA changes '{}', which this graph does not have", name);
    if (rank < 1) fail(ErrorKind::bad_input, "a LoRA of '{}' has the rank {}", name, rank);
    wanted[*id] = {name, rank};
  }
  Builder b(g.name);
  Rebuild rebuild(g, b);
  for (const ValueId v : g.inputs) rebuild.input(v);
  std::set<ValueId> found;
  for (const Node& node : g.nodes) {
    rebuild.copy(node);
    const auto it = takes_branch(node) ? wanted.find(node.inputs[1]) : wanted.end();
    if (it == wanted.end()) continue;
    found.insert(it->first);
    const auto& [name, rank] = it->second;
    const Var y = rebuild.get(node.output);
    rebuild.set(node.output,
                y + branch_of(b, node, rebuild.get(node.inputs[0]), name, g.type(it->first).shape, y.dim(-1), rank));
  }
  for (const auto& [id, want] : wanted) {
    if (!found.contains(id)) {
      fail(ErrorKind::bad_input, "a LoRA changes '{}', which no linear layer or convolution reads", want.first);
    }
  }
  for (const NamedValue& o : g.outputs) b.output(o.name, rebuild.get(o.value));
  for (const NamedValue& t : g.taps) b.tap(t.name, rebuild.get(t.value));
  return b.finish();
}

void set_lora_branch(Weights& weights, std::string_view weight, std::span<const LowRank> changes) {
  check(!changes.empty(), "a branch of at least one change");
  Shape lower = changes.front().down.shape(), upper = changes.front().up.shape();
  const auto outputs = static_cast<std::size_t>(upper.at(0));
  std::int64_t rank = 0;
  for (const LowRank& c : changes) {
    const Shape &d = c.down.shape(), &u = c.up.shape();
    if (d.size() < 2 || u.size() < 2 || d[0] != u[1] || columns_of(d) != columns_of(lower) || u[0] != upper[0] ||
        columns_of(u) != static_cast<std::size_t>(u[1])) {
      fail(ErrorKind::bad_input, "LoRA matrices {} and {} of '{}' do not fit each other or those before", to_string(d),
           to_string(u), weight);
    }
    rank += d[0];
  }
  lower[0] = rank;
  upper[1] = rank;
  Tensor down({DType::f32, lower}), up({DType::f32, upper});
  const auto d = down.mutable_as<float>(), u = up.mutable_as<float>();
  std::size_t first = 0;
  for (const LowRank& c : changes) {
    const Tensor cd = c.down.to(DType::f32), cu = c.up.to(DType::f32);
    const auto own = static_cast<std::size_t>(cd.shape()[0]);
    std::ranges::copy(cd.as<float>(), d.begin() + static_cast<std::ptrdiff_t>(first * columns_of(lower)));
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t r = 0; r < own; ++r) {
        u[o * static_cast<std::size_t>(rank) + first + r] = static_cast<float>(c.factor * cu.as<float>()[o * own + r]);
      }
    }
    first += own;
  }
  weights.set(lora_down_name(weight), std::move(down));
  weights.set(lora_up_name(weight), std::move(up));
}

}  // namespace thimble::passes
