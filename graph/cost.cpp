#include "graph/cost.h"

namespace thimble::graph {
namespace {

double bytes_of(const TensorType& type) {
  return static_cast<double>(type.elements()) * static_cast<double>(is_float(type.dtype) ? 4 : size_of(type.dtype));
}

}  // namespace

GraphCost cost(const Graph& graph) {
  GraphCost total;
  total.parameters = graph.parameter_count();
  for (const Node& node : graph.nodes) {
    NodeCost c;
    const TensorType& output = graph.type(node.output);
    c.flops = op_flops(node.op, input_types(graph, node), output);
    c.activation_bytes = bytes_of(output);
    for (ValueId id : node.inputs) {
      if (graph.value(id).kind == ValueKind::parameter) {
        c.parameters += graph.type(id).elements();
      } else {
        c.activation_bytes += bytes_of(graph.type(id));
      }
    }
    total.flops += c.flops;
    total.nodes.push_back(c);
  }
  return total;
}

}  // namespace thimble::graph
