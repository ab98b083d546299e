// Ops that move values, and reductions.
#include <algorithm>

#include "base/error.h"
#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

void lower(OnnxEmitter& e, const Constant& op, const Node& node) {
  e.define(node.output, e.constant(op.dtype, op.shape, op.values));
}

void lower(OnnxEmitter& e, const Reshape& op, const Node& node) {
  const ValueId x = node.inputs[0];
  e.define(node.output, e.shape(x) == op.shape ? e.in(x) : e.reshape(e.in(x), op.shape));
}

void lower(OnnxEmitter& e, const Transpose& op, const Node& node) {
  const ValueId x = node.inputs[0];
  const std::size_t rank = op.perm.size();
  // Channels first is how convolutions leave a picture.
  if (rank > 2 && op.perm == to_first(rank) && e.order_of(x) == Order::first) {
    return e.define(node.output, e.in(x, Order::first));
  }
  e.define(node.output, e.transpose(e.in(x), op.perm));
}

void lower(OnnxEmitter& e, const Broadcast& op, const Node& node) {
  e.define(node.output, e.node("Expand", {e.in(node.inputs[0]), e.integers(op.shape)}));
}

void lower(OnnxEmitter& e, const Slice& op, const Node& node) {
  const ValueId x = node.inputs[0];
  const Order order = e.order_of(x);
  e.define(node.output,
           e.node("Slice", {e.in(x, order), e.integers({op.begin}), e.integers({op.end}),
                            e.integers({axis_in(order, op.axis, e.shape(x).size())}), e.integers({op.step})}),
           order);
}

void lower(OnnxEmitter& e, const Pad& op, const Node& node) {
  const ValueId x = node.inputs[0];
  const Order order = e.order_of(x);
  Ints pads = shape_in(order, op.before);
  const Ints after = shape_in(order, op.after);
  pads.insert(pads.end(), after.begin(), after.end());
  e.define(node.output, e.node("Pad", {e.in(x, order), e.integers(pads), e.scalar(e.dtype(x), op.value)}), order);
}

void lower(OnnxEmitter& e, const Concat& op, const Node& node) {
  const Order order = e.cheapest(node.inputs);
  std::vector<std::string> in;
  for (const ValueId id : node.inputs) in.push_back(e.in(id, order));
  const std::int64_t axis = axis_in(order, op.axis, e.shape(node.output).size());
  e.define(node.output, in.size() == 1 ? in[0] : e.node("Concat", in, OnnxAttributes().integer("axis", axis)), order);
}

// ONNX counts negative indices from the end and forbids larger ones: they are clamped first, as graph/ops says.
void lower(OnnxEmitter& e, const Gather& op, const Node& node) {
  const ValueId table = node.inputs[0], indices = node.inputs[1];
  const DType type = e.dtype(table);
  const auto [source, stored] = e.is_parameter(table) ? e.stored_parameter(table) : std::pair(e.in(table), type);
  const double last = static_cast<double>(e.shape(table)[static_cast<std::size_t>(op.axis)]) - 1;
  const std::string clamped =
      e.node("Clip", {e.in(indices), e.scalar(e.dtype(indices), 0), e.scalar(e.dtype(indices), last)});
  const std::string rows = e.node("Gather", {source, clamped}, OnnxAttributes().integer("axis", op.axis));
  e.define(node.output, stored == type ? rows : e.cast(rows, type));
}

void lower(OnnxEmitter& e, const Reduce& op, const Node& node) {
  const ValueId x = node.inputs[0];
  const std::size_t rank = e.shape(x).size();
  const Order order = op.keep_dims ? e.order_of(x) : Order::last;
  Ints axes;
  for (const std::int64_t a : op.axes) axes.push_back(axis_in(order, a, rank));
  std::ranges::sort(axes);
  const auto type = [&] {
    switch (op.kind) {
      case ReduceKind::sum: return "ReduceSum";
      case ReduceKind::mean: return "ReduceMean";
      case ReduceKind::max: return "ReduceMax";
      case ReduceKind::min: return "ReduceMin";
      case ReduceKind::prod: return "ReduceProd";
    }
    fail(ErrorKind::internal, "onnx: unknown reduction");
  }();
  e.define(node.output,
           e.node(type, {e.in(x, order), e.integers(axes)},
                  OnnxAttributes().integer("keepdims", op.keep_dims ? 1 : 0).integer("noop_with_empty_axes", 1)),
           order);
}

}  // namespace thimble::formats
