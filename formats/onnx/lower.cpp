#include "formats/onnx/lower.h"

#include "base/error.h"

namespace thimble::formats {

void lower_graph(OnnxEmitter& e) {
  const graph::Graph& g = e.graph;
  std::vector<bool> needed(g.values.size(), false);
  for (const graph::NamedValue& out : g.outputs) needed[static_cast<std::size_t>(out.value)] = true;
  for (auto node = g.nodes.rbegin(); node != g.nodes.rend(); ++node) {
    if (!needed[static_cast<std::size_t>(node->output)]) continue;
    for (const graph::ValueId id : node->inputs) needed[static_cast<std::size_t>(id)] = true;
  }
  for (const graph::Node& node : g.nodes) {
    if (!needed[static_cast<std::size_t>(node.output)]) continue;
    e.begin(node);
    with_context(fmt::format("at the op '{}'", graph::op_name(node.op)),
                 [&] { std::visit([&](const auto& op) { lower(e, op, node); }, node.op); });
  }
  e.finish();
}

}  // namespace thimble::formats
