// Unary, binary, where, cast, gated linear units.
#include <algorithm>

#include "base/error.h"
#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

namespace {

// A value that spreads over results of `rank` axes, in an order.
std::string spread(OnnxEmitter& e, ValueId id, std::size_t rank, Order order) {
  const Shape& shape = e.shape(id);
  if (order == Order::last || e.graph.type(id).elements() == 1) return e.in(id);
  if (shape.size() == rank) return e.in(id, Order::first);
  if (shape.size() == 1) return e.channels(id, rank - 2);
  Shape wide(rank - shape.size(), 1);
  wide.insert(wide.end(), shape.begin(), shape.end());
  return e.transpose(e.reshape(e.in(id), wide), to_first(rank));
}

Order order_for(const OnnxEmitter& e, const Node& node) {
  const std::size_t rank = e.shape(node.output).size();
  for (const ValueId id : node.inputs) {
    if (e.shape(id).size() == rank && e.order_of(id) == Order::first) return e.cheapest(node.inputs);
  }
  return Order::last;
}

std::string_view name_of(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::add: return "Add";
    case BinaryKind::sub: return "Sub";
    case BinaryKind::mul: return "Mul";
    case BinaryKind::div: return "Div";
    case BinaryKind::max: return "Max";
    case BinaryKind::min: return "Min";
    case BinaryKind::pow: return "Pow";
    case BinaryKind::equal: return "Equal";
    case BinaryKind::less: return "Less";
    case BinaryKind::greater: return "Greater";
  }
  fail(ErrorKind::internal, "onnx: unknown binary kind");
}

}  // namespace

std::string lower_unary(OnnxEmitter& e, UnaryKind kind, const std::string& x, DType dtype) {
  switch (kind) {
    case UnaryKind::neg: return e.node("Neg", {x});
    case UnaryKind::abs: return e.node("Abs", {x});
    case UnaryKind::sign: return e.node("Sign", {x});
    case UnaryKind::exp: return e.node("Exp", {x});
    case UnaryKind::log: return e.node("Log", {x});
    case UnaryKind::sqrt: return e.node("Sqrt", {x});
    case UnaryKind::rsqrt: return e.node("Reciprocal", {e.node("Sqrt", {x})});
    case UnaryKind::reciprocal: return e.node("Reciprocal", {x});
    case UnaryKind::square: return e.node("Mul", {x, x});
    case UnaryKind::sin: return e.node("Sin", {x});
    case UnaryKind::cos: return e.node("Cos", {x});
    case UnaryKind::tanh: return e.node("Tanh", {x});
    case UnaryKind::sigmoid: return e.node("Sigmoid", {x});
    case UnaryKind::relu: return e.node("Relu", {x});
    case UnaryKind::silu: return e.node("Mul", {x, e.node("Sigmoid", {x})});
    case UnaryKind::gelu: return e.node("Gelu", {x});
    case UnaryKind::gelu_tanh: return e.node("Gelu", {x}, OnnxAttributes().text("approximate", "tanh"));
    case UnaryKind::softplus: return e.node("Softplus", {x});
    case UnaryKind::hard_swish: return e.node("HardSwish", {x});
    case UnaryKind::floor: return e.node("Floor", {x});
    case UnaryKind::round: return e.node("Round", {x});
    case UnaryKind::logical_not: return e.node("Not", {x});
  }
  fail(ErrorKind::unsupported, "ONNX has no form of this operation on {}", to_string(dtype));
}

void lower(OnnxEmitter& e, const Unary& op, const Node& node) {
  const Order order = e.order_of(node.inputs[0]);
  e.define(node.output, lower_unary(e, op.kind, e.in(node.inputs[0], order), e.dtype(node.inputs[0])), order);
}

void lower(OnnxEmitter& e, const Binary& op, const Node& node) {
  const Order order = order_for(e, node);
  const std::size_t rank = e.shape(node.output).size();
  const std::string a = spread(e, node.inputs[0], rank, order), b = spread(e, node.inputs[1], rank, order);
  e.define(node.output, e.node(name_of(op.kind), {a, b}), order);
}

void lower(OnnxEmitter& e, const Where&, const Node& node) {
  const Order order = order_for(e, node);
  const std::size_t rank = e.shape(node.output).size();
  std::vector<std::string> in;
  for (const ValueId id : node.inputs) in.push_back(spread(e, id, rank, order));
  e.define(node.output, e.node("Where", in), order);
}

void lower(OnnxEmitter& e, const Cast& op, const Node& node) {
  const ValueId x = node.inputs[0];
  const Order order = e.order_of(x);
  const std::string in = e.in(x, order);
  e.define(node.output, e.dtype(x) == op.dtype ? in : e.cast(in, op.dtype), order);
}

void lower(OnnxEmitter& e, const Glu& op, const Node& node) {
  const ValueId x = node.inputs[0];
  const Order order = e.order_of(x);
  const auto rank = e.shape(x).size();
  const auto halves = e.nodes("Split", {e.in(x, order)}, 2,
                              OnnxAttributes()
                                  .integer("axis", axis_in(order, static_cast<std::int64_t>(rank) - 1, rank))
                                  .integer("num_outputs", 2));
  e.define(node.output, e.node("Mul", {halves[0], lower_unary(e, op.activation, halves[1], e.dtype(x))}), order);
}

}  // namespace thimble::formats
