#include "passes/rebuild.h"

#include "base/error.h"

namespace thimble::passes {

using namespace graph;

Var Rebuild::get(ValueId v) {
  if (!has(v)) {
    check(from_.value(v).kind == ValueKind::parameter, "a pass copies a node before its inputs");
    for (const Parameter& p : from_.parameters) {
      if (p.value == v) set(v, builder_.param(from_.value(v).name, from_.type(v).shape, p.init, from_.type(v).dtype));
    }
  }
  return made_[static_cast<std::size_t>(v)];
}

void Rebuild::copy(const Node& node) {
  std::vector<Var> in;
  for (ValueId v : node.inputs) in.push_back(get(v));
  set(node.output, builder_.add(node.op, in));
}

void Rebuild::input(ValueId v) {
  set(v, builder_.input(from_.value(v).name, from_.type(v).shape, from_.type(v).dtype));
}

std::vector<bool> needed_nodes(const Graph& graph, const std::vector<ValueId>& wanted,
                               const std::function<bool(ValueId)>& stop) {
  std::vector<bool> value(graph.values.size(), false), node(graph.nodes.size(), false);
  for (ValueId v : wanted) value[static_cast<std::size_t>(v)] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const ValueId out = graph.nodes[n].output;
    if (!value[static_cast<std::size_t>(out)] || stop(out)) continue;
    node[n] = true;
    for (ValueId v : graph.nodes[n].inputs) value[static_cast<std::size_t>(v)] = true;
  }
  return node;
}

}  // namespace thimble::passes
