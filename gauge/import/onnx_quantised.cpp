// ONNX's quantised operators, carried in f32: a quantised value is the whole number that the file means, held in f32,
// so that what is rounded in the file is rounded here. Sums of products are f32 and lose what lies below 2^-24 of them.
#include "gauge/import/onnx_ops.h"
#include "gauge/model/onnx_tensor.h"

namespace thimble::gauge {

using namespace graph;

namespace {

// A scale or zero point of one value, of as many as axis `axis` of x has, or of one for each block along it.
Value along(Context& c, const Value& v, const Value& x) {
  const std::int64_t block = c.op.integer("block_size", 0);
  if (v.type.elements() == 1 && block == 0) return c.e.reshape(v, {});
  const std::int64_t axis = Context::axis(c.op.integer("axis", 1), x.rank());
  if (block != 0) {
    if (v.rank() != x.rank() || block < 1 || v.dim(axis) != (x.dim(axis) + block - 1) / block) {
      fail(ErrorKind::bad_file, "blocks of {} with scales {} of {}", block, to_string(v.type), to_string(x.type));
    }
    Shape one = v.shape(), wide, all = v.shape();
    one.insert(one.begin() + axis + 1, 1);
    wide = one;
    wide[static_cast<std::size_t>(axis) + 1] = block;
    all[static_cast<std::size_t>(axis)] *= block;
    const Value each = c.e.reshape(c.e.broadcast(c.e.reshape(v, one), wide), all);
    return c.e.slice(each, axis, 0, x.dim(axis));
  }
  if (v.rank() != 1 || v.dim(0) != x.dim(axis))
    fail(ErrorKind::unsupported, "scales {} of {}", to_string(v.type), to_string(x.type));
  Shape shape(x.shape().size(), 1);
  shape[static_cast<std::size_t>(axis)] = v.dim(0);
  return c.e.reshape(v, shape);
}

Value as_number(Context& c, const Value& v) { return c.e.cast(v, DType::f32); }

void dequantize_linear(Context& c) {
  const Value x = as_number(c, c.in(0));
  const Value centred = c.has(2) ? c.e.sub(x, along(c, as_number(c, c.in(2)), x)) : x;
  c.out(c.e.mul(centred, along(c, c.in(1), x)));
}

// The type of input 2: as the file has it, or as the cast that makes it says.
std::string_view type_of_zero(Context& c) {
  const std::int32_t zero = c.op.inputs[2];
  for (const ModelOp& op : c.graph.ops) {
    if (op.type == "Cast" && !op.outputs.empty() && op.outputs[0] == zero)
      return onnx_element(static_cast<std::uint64_t>(op.integer("to", 0))).name;
  }
  return c.graph.tensors[static_cast<std::size_t>(zero)].type.name;
}

void quantize_linear(Context& c) {
  const Value& x = c.in(0);
  constexpr std::int64_t kUint8 = 2, kInt8 = 3;  // of TensorProto.DataType
  double low = 0, high = 255;
  std::string_view type = "u8";
  if (const std::int64_t asked = c.op.integer("output_dtype", 0); asked != 0) {
    type = asked == kInt8 ? "i8" : asked == kUint8 ? "u8" : "another type";
  } else if (c.has(2)) {
    type = type_of_zero(c);
  }
  if (type == "i8") {
    low = -128;
    high = 127;
  } else if (type != "u8") {
    fail(ErrorKind::unsupported, "quantised to {}", type);
  }
  const Value rounded = c.e.unary(UnaryKind::round, c.e.div(x, along(c, c.in(1), x)));
  const Value placed = c.has(2) ? c.e.add(rounded, along(c, as_number(c, c.in(2)), x)) : rounded;
  c.out(c.e.clamp(placed, low, high));
}

void dynamic_quantize_linear(Context& c) {
  const Value& x = c.in(0);
  Ints all(x.shape().size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const Value zero = c.e.scalar(0);
  const Value high = c.e.binary(BinaryKind::max, c.e.reduce(ReduceKind::max, x, all, false), zero);
  const Value low = c.e.binary(BinaryKind::min, c.e.reduce(ReduceKind::min, x, all, false), zero);
  const Value scale = c.e.div(c.e.sub(high, low), c.e.scalar(255));
  const Value point = c.e.clamp(c.e.unary(UnaryKind::round, c.e.div(c.e.unary(UnaryKind::neg, low), scale)), 0, 255);
  c.out(0, c.e.clamp(c.e.add(c.e.unary(UnaryKind::round, c.e.div(x, scale)), point), 0, 255));
  c.out(1, scale);
  c.out(2, point);
}

// Operands 0 and 1 with their zero points, 2 and 3, taken off.
std::pair<Value, Value> centred(Context& c) {
  Value a = as_number(c, c.in(0)), b = as_number(c, c.in(1));
  if (c.has(2)) a = c.e.sub(a, as_number(c, c.in(2)));
  if (c.has(3)) {
    Value zero = as_number(c, c.in(3));
    if (zero.rank() == 1 && c.op.type == "ConvInteger" && zero.dim(0) > 1) {
      Shape shape(b.shape().size(), 1);
      shape[0] = zero.dim(0);
      zero = c.e.reshape(zero, shape);
    }
    b = c.e.sub(b, zero);
  }
  b.name = c.in(1).name;
  return {a, b};
}

void matmul_integer(Context& c) {
  auto [a, b] = centred(c);
  c.out(b.rank() == 2 && b.constant ? c.e.linear(a, c.e.transpose(b, {1, 0}), nullptr) : c.e.matmul(a, b));
}

void conv_integer(Context& c) {
  auto [x, w] = centred(c);
  ModelOp op = c.op;
  const std::vector<int> readers;
  const Context::Branch branch;
  Context inner(c.e, c.model, c.graph, op, {x, w}, {true, true}, readers, branch);
  onnx_layer_handlers().at("Conv")(inner);
  c.out(*inner.results()[0]);
}

}  // namespace

HandlerTable onnx_quantised_handlers() {
  return {{"DequantizeLinear", dequantize_linear},
          {"QuantizeLinear", quantize_linear},
          {"DynamicQuantizeLinear", dynamic_quantize_linear},
          {"MatMulInteger", matmul_integer},
          {"ConvInteger", conv_integer}};
}

}  // namespace thimble::gauge
