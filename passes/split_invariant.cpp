#include "passes/split_invariant.h"

#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "passes/rebuild.h"

namespace thimble::passes {

using namespace graph;

namespace {

// What a value depends on. Parameters and constants alone: neither.
enum class Depends : std::uint8_t { nothing, invariant, varying };

std::vector<Depends> dependences(const Graph& g, const std::set<std::string>& invariant_inputs) {
  std::vector<Depends> d(g.values.size(), Depends::nothing);
  for (ValueId v : g.inputs)
    d[index(v)] = invariant_inputs.contains(g.value(v).name) ? Depends::invariant : Depends::varying;
  for (const Node& node : g.nodes) {
    for (ValueId v : node.inputs) d[index(node.output)] = std::max(d[index(node.output)], d[index(v)]);
  }
  return d;
}

bool is_view(const Op& op) {
  return std::holds_alternative<Reshape>(op) || std::holds_alternative<Slice>(op) ||
         std::holds_alternative<Transpose>(op) || std::holds_alternative<Broadcast>(op);
}

}  // namespace

Split split_invariant(const Graph& g, const std::set<std::string>& invariant_inputs) {
  for (const std::string& name : invariant_inputs) {
    if (!g.find_input(name)) fail(ErrorKind::bad_input, "graph '{}' has no input '{}' to split by", g.name, name);
  }
  const std::vector<Depends> depends = dependences(g, invariant_inputs);
  // Computed once and handed over, if the rest reads it.
  const auto once = [&](ValueId v) {
    const std::int32_t n = g.value(v).producer;
    return n >= 0 && depends[index(v)] == Depends::invariant && !is_view(g.nodes[index(n)].op);
  };

  std::vector<ValueId> results;
  for (const NamedValue& o : g.outputs) results.push_back(o.value);
  for (const NamedValue& t : g.taps) results.push_back(t.value);
  const std::vector<bool> in_rest = needed_nodes(g, results, once);

  std::vector<bool> read(g.values.size(), false);  // by the rest
  for (ValueId v : results) read[index(v)] = true;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (!in_rest[n]) continue;
    for (ValueId v : g.nodes[n].inputs) read[index(v)] = true;
  }
  std::vector<ValueId> border;
  for (const Node& node : g.nodes) {
    if (read[index(node.output)] && once(node.output)) border.push_back(node.output);
  }
  Split split;
  if (border.empty()) {
    split.once.name = g.name + ".once";
    split.rest = g;
    return split;
  }

  const std::vector<bool> in_once = needed_nodes(g, border, [](ValueId) { return false; });
  std::vector<bool> read_once(g.values.size(), false);
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (!in_once[n]) continue;
    for (ValueId v : g.nodes[n].inputs) read_once[index(v)] = true;
  }
  Builder first(g.name + ".once"), second(g.name);
  Rebuild once_graph(g, first), rest_graph(g, second);
  for (ValueId v : g.inputs) {
    if (read_once[index(v)]) once_graph.input(v);
    if (read[index(v)] || depends[index(v)] == Depends::varying) rest_graph.input(v);
  }
  for (std::size_t i = 0; i < border.size(); ++i) {
    const TensorType& type = g.type(border[i]);
    rest_graph.set(border[i], second.input(fmt::format("once.{}", i), type.shape, type.dtype));
  }
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (in_once[n]) once_graph.copy(g.nodes[n]);
    if (in_rest[n]) rest_graph.copy(g.nodes[n]);
  }
  for (std::size_t i = 0; i < border.size(); ++i) first.output(fmt::format("once.{}", i), once_graph.get(border[i]));
  for (const NamedValue& o : g.outputs) second.output(o.name, rest_graph.get(o.value));
  for (const NamedValue& t : g.taps) second.tap(t.name, rest_graph.get(t.value));
  split.once = first.finish();
  split.rest = second.finish();
  return split;
}

}  // namespace thimble::passes
