#include "formats/onnx/expand.h"

#include <algorithm>

#include "graph/builder.h"
#include "graph/decompose.h"

namespace thimble::formats {

using namespace graph;

namespace {

bool has_no_form(const Graph& g, const Node& node) {
  const auto parameter = [&](ValueId id) { return g.value(id).kind == ValueKind::parameter; };
  const bool quantised = std::holds_alternative<QuantLinear>(node.op) || std::holds_alternative<QuantConv2d>(node.op);
  return quantised && !(parameter(node.inputs[1]) && parameter(node.inputs[2]));
}

// The core ops of one node, its inputs as the graph's.
Graph alone(const Graph& g, const Node& node) {
  Builder b("node");
  std::vector<Var> in;
  for (const ValueId id : node.inputs) {
    in.push_back(b.input(std::to_string(in.size()), g.type(id).shape, g.type(id).dtype));
  }
  b.output("y", b.add(node.op, in));
  return decompose(b.finish());
}

Var inlined(Builder& b, const Graph& g, const std::vector<Var>& in) {
  std::vector<Var> made(g.values.size());
  for (std::size_t i = 0; i < in.size(); ++i) made[static_cast<std::size_t>(g.inputs[i])] = in[i];
  for (const Node& node : g.nodes) {
    std::vector<Var> args;
    for (const ValueId id : node.inputs) args.push_back(made[static_cast<std::size_t>(id)]);
    made[static_cast<std::size_t>(node.output)] = b.add(node.op, args);
  }
  return made[static_cast<std::size_t>(g.outputs[0].value)];
}

}  // namespace

bool needs_expansion(const Graph& graph) {
  return std::ranges::any_of(graph.nodes, [&](const Node& n) { return has_no_form(graph, n); });
}

Graph expand_for_onnx(const Graph& graph) {
  Builder b(graph.name);
  std::vector<Var> made(graph.values.size());
  const auto at = [&](ValueId id) -> Var& { return made[static_cast<std::size_t>(id)]; };
  for (const ValueId id : graph.inputs) {
    at(id) = b.input(graph.value(id).name, graph.type(id).shape, graph.type(id).dtype);
  }
  for (const Parameter& p : graph.parameters) {
    at(p.value) = b.param(graph.value(p.value).name, graph.type(p.value).shape, p.init, graph.type(p.value).dtype);
  }
  for (const Node& node : graph.nodes) {
    std::vector<Var> in;
    for (const ValueId id : node.inputs) in.push_back(at(id));
    at(node.output) = has_no_form(graph, node) ? inlined(b, alone(graph, node), in) : b.add(node.op, in);
  }
  for (const NamedValue& out : graph.outputs) b.output(out.name, at(out.value));
  return b.finish();
}

}  // namespace thimble::formats
