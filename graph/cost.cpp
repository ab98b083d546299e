#include "graph/cost.h"

#include <map>

namespace thimble::graph {
namespace {

double bytes_of(const TensorType& type) {
  return static_cast<double>(type.elements()) * static_cast<double>(is_float(type.dtype) ? 4 : size_of(type.dtype));
}

// Two weights of 4 bits share a byte.
std::int64_t parameters_in(const Graph& graph, const Node& node, std::size_t operand) {
  const auto* quantised = std::get_if<QuantLinear>(&node.op);
  return graph.type(node.inputs[operand]).elements() * (quantised && quantised->bits == 4 && operand == 1 ? 2 : 1);
}

}  // namespace

GraphCost cost(const Graph& graph) {
  GraphCost total;
  std::map<ValueId, std::int64_t> counted;
  for (const Parameter& p : graph.parameters) counted[p.value] = graph.type(p.value).elements();
  for (const Node& node : graph.nodes) {
    NodeCost c;
    const TensorType& output = graph.type(node.output);
    c.flops = op_flops(node.op, input_types(graph, node), output);
    c.activation_bytes = bytes_of(output);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (graph.value(id).kind == ValueKind::parameter) {
        counted[id] = parameters_in(graph, node, i);
        c.parameters += counted[id];
      } else {
        c.activation_bytes += bytes_of(graph.type(id));
      }
    }
    total.flops += c.flops;
    total.nodes.push_back(c);
  }
  for (const auto& [id, count] : counted) total.parameters += count;
  return total;
}

}  // namespace thimble::graph
