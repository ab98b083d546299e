// Normalisations, modulation, softmax.
#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

namespace {

// Input `i` of a norm over `channels`, or a vector of `fallback`.
std::string vector_or(OnnxEmitter& e, const Node& node, std::size_t i, std::int64_t channels, double fallback) {
  if (node.inputs.size() > i) return e.in(node.inputs[i]);
  return e.constant(e.dtype(node.inputs[0]), {channels}, {fallback});
}

}  // namespace

void lower(OnnxEmitter& e, const Softmax& op, const Node& node) {
  e.define(node.output, e.node("Softmax", {e.in(node.inputs[0])}, OnnxAttributes().integer("axis", op.axis)));
}

void lower(OnnxEmitter& e, const LayerNorm& op, const Node& node) {
  const std::int64_t channels = e.shape(node.inputs[0]).back();
  std::vector<std::string> in{e.in(node.inputs[0]), vector_or(e, node, 1, channels, 1)};
  if (node.inputs.size() > 2) in.push_back(e.in(node.inputs[2]));
  e.define(node.output,
           e.node("LayerNormalization", in, OnnxAttributes().integer("axis", -1).number("epsilon", op.eps)));
}

void lower(OnnxEmitter& e, const RmsNorm& op, const Node& node) {
  const ValueId id = node.inputs[0];
  const std::string x = e.in(id), weight = vector_or(e, node, 1, e.shape(id).back(), 1);
  if (e.options.form == OnnxForm::onnx) {
    return e.define(node.output, e.node("RMSNormalization", {x, weight},
                                        OnnxAttributes().integer("axis", -1).number("epsilon", op.eps)));
  }
  const DType type = e.dtype(id);
  const std::string squares = e.node("Pow", {x, e.scalar(type, 2)});
  const std::string mean = e.node("ReduceMean", {squares, e.integers({-1})}, OnnxAttributes().integer("keepdims", 1));
  const std::string root = e.node("Sqrt", {e.node("Add", {mean, e.scalar(type, op.eps)})});
  const std::string y = e.node("Div", {x, root});
  e.define(node.output, node.inputs.size() > 1 ? e.node("Mul", {y, weight}) : y);
}

void lower(OnnxEmitter& e, const GroupNorm& op, const Node& node) {
  const ValueId id = node.inputs[0];
  const Shape& shape = e.shape(id);
  const std::size_t rank = shape.size();
  const Order order = rank > 2 ? Order::first : Order::last;
  const std::int64_t channels = shape.back();
  const DType type = e.dtype(id);
  const std::string x = e.in(id, order);
  if (e.options.form == OnnxForm::onnx) {
    return e.define(
        node.output,
        e.node("GroupNormalization", {x, vector_or(e, node, 1, channels, 1), vector_or(e, node, 2, channels, 0)},
               OnnxAttributes().number("epsilon", op.eps).integer("num_groups", op.groups)),
        order);
  }
  const std::int64_t each = e.graph.type(id).elements() / (shape[0] * op.groups);
  const std::string grouped = e.reshape(x, {shape[0], op.groups, each});
  const std::string ones = e.constant(type, {op.groups}, {1}), zeros = e.constant(type, {op.groups}, {0});
  std::string y =
      e.reshape(e.node("InstanceNormalization", {grouped, ones, zeros}, OnnxAttributes().number("epsilon", op.eps)),
                shape_in(order, shape));
  if (node.inputs.size() > 1) y = e.node("Mul", {y, e.channels(node.inputs[1], rank - 2)});
  if (node.inputs.size() > 2) y = e.node("Add", {y, e.channels(node.inputs[2], rank - 2)});
  e.define(node.output, y, order);
}

void lower(OnnxEmitter& e, const Modulate&, const Node& node) {
  const std::string factor = e.node("Add", {e.in(node.inputs[2]), e.scalar(e.dtype(node.inputs[2]), 1)});
  e.define(node.output, e.node("Add", {e.node("Mul", {e.in(node.inputs[0]), factor}), e.in(node.inputs[1])}));
}

}  // namespace thimble::formats
