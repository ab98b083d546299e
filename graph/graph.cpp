#include "graph/graph.h"

#include <set>

#include "base/error.h"

namespace thimble::graph {
namespace {

[[noreturn]] void broken(const std::string& what) { fail(ErrorKind::bad_input, "graph is not valid: {}", what); }

}  // namespace

std::optional<ValueId> Graph::find_input(std::string_view wanted) const {
  for (ValueId id : inputs) {
    if (value(id).name == wanted) return id;
  }
  return std::nullopt;
}

std::optional<ValueId> Graph::find_parameter(std::string_view wanted) const {
  for (const Parameter& p : parameters) {
    if (value(p.value).name == wanted) return p.value;
  }
  return std::nullopt;
}

std::int64_t Graph::parameter_count() const {
  std::int64_t n = 0;
  for (const Parameter& p : parameters) n += type(p.value).elements();
  return n;
}

std::vector<int> use_counts(const Graph& graph) {
  std::vector<int> uses(graph.values.size(), 0);
  for (const Node& node : graph.nodes) {
    for (ValueId id : node.inputs) ++uses[static_cast<std::size_t>(id)];
  }
  for (const auto* list : {&graph.outputs, &graph.taps}) {
    for (const NamedValue& v : *list) ++uses[static_cast<std::size_t>(v.value)];
  }
  return uses;
}

std::vector<TensorType> input_types(const Graph& graph, const Node& node) {
  std::vector<TensorType> types;
  types.reserve(node.inputs.size());
  for (ValueId id : node.inputs) types.push_back(graph.type(id));
  return types;
}

void verify(const Graph& graph) {
  const auto count = static_cast<ValueId>(graph.values.size());
  std::vector<bool> defined(graph.values.size(), false);
  const auto in_range = [&](ValueId id, const char* what) {
    if (id < 0 || id >= count) broken(fmt::format("{} refers to value {} of {}", what, id, count));
  };
  std::set<std::string_view> input_names, parameter_names, output_names;
  for (ValueId id : graph.inputs) {
    in_range(id, "an input");
    if (graph.value(id).kind != ValueKind::input) broken("an input is not of kind input");
    if (!input_names.insert(graph.value(id).name).second)
      broken(fmt::format("input '{}' occurs twice", graph.value(id).name));
    defined[static_cast<std::size_t>(id)] = true;
  }
  for (const Parameter& p : graph.parameters) {
    in_range(p.value, "a parameter");
    if (graph.value(p.value).kind != ValueKind::parameter) broken("a parameter is not of kind parameter");
    if (!parameter_names.insert(graph.value(p.value).name).second) {
      broken(fmt::format("parameter '{}' occurs twice", graph.value(p.value).name));
    }
    defined[static_cast<std::size_t>(p.value)] = true;
  }
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const std::string what = fmt::format("node {} ({})", i, op_name(node.op));
    for (ValueId id : node.inputs) {
      in_range(id, what.c_str());
      if (!defined[static_cast<std::size_t>(id)])
        broken(fmt::format("{} reads value {} before it is defined", what, id));
    }
    in_range(node.output, what.c_str());
    const Value& out = graph.value(node.output);
    if (defined[static_cast<std::size_t>(node.output)] || out.kind != ValueKind::node ||
        out.producer != static_cast<int>(i)) {
      broken(fmt::format("{} defines value {} a second time", what, node.output));
    }
    const TensorType inferred = with_context(what, [&] { return infer_type(node.op, input_types(graph, node)); });
    if (inferred != out.type) {
      broken(fmt::format("{} is declared {} but gives {}", what, to_string(out.type), to_string(inferred)));
    }
    defined[static_cast<std::size_t>(node.output)] = true;
  }
  if (graph.outputs.empty()) broken("it has no output");
  for (const NamedValue& o : graph.outputs) {
    in_range(o.value, "an output");
    if (!defined[static_cast<std::size_t>(o.value)]) broken(fmt::format("output '{}' is not defined", o.name));
    if (!output_names.insert(o.name).second) broken(fmt::format("output '{}' occurs twice", o.name));
  }
  for (const NamedValue& t : graph.taps) in_range(t.value, "a tap");
}

}  // namespace thimble::graph
