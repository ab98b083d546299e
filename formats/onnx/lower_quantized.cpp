// Products by integer weights (graph/ops/quantized.h). Weights are integers with DequantizeLinear behind them, int4 as
// ONNX's own type, one scale per output or per block of inputs. Activations of 8 bits get their scale and zero point by
// row, from the row itself, and those of convolutions by picture, so that the numbers are those of the graph.
#include "base/error.h"
#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

namespace {

using Form = Initialiser::Form;

constexpr double kSmallest = 0x1p-100;  // a row below it counts as zero
constexpr std::int64_t kInt8 = static_cast<std::int64_t>(OnnxType::i8);

// Rows of x (rows, ...) as q = round(x / step) + zero, both (rows); zero is empty where it is 0.
struct Rounded {
  std::string whole, step, zero;
};

// `axes`: of x, all but the first.
Rounded round_rows(OnnxEmitter& e, const std::string& x, bool asymmetric, const Ints& axes) {
  const auto reduced = [&](const char* type, const std::string& of) {
    return e.node(type, {of, e.integers(axes)}, OnnxAttributes().integer("keepdims", 0));
  };
  const auto number = [&](double v) { return e.scalar(DType::f32, v); };
  if (!asymmetric) {
    const std::string most = reduced("ReduceMax", e.node("Abs", {x}));
    const std::string step = e.node("Div", {e.node("Max", {most, number(kSmallest)}), number(127)});
    const std::string whole =
        e.node("QuantizeLinear", {x, step}, OnnxAttributes().integer("axis", 0).integer("output_dtype", kInt8));
    return {whole, step, ""};
  }
  const std::string least = e.node("Min", {reduced("ReduceMin", x), number(0)});
  const std::string most = e.node("Max", {reduced("ReduceMax", x), number(0)});
  const std::string range = e.node("Max", {e.node("Sub", {most, least}), number(kSmallest)});
  const std::string step = e.node("Div", {range, number(255)});
  const std::string place = e.node("Round", {e.node("Sub", {number(-128), e.node("Div", {least, step})})});
  const std::string zero = e.cast(place, DType::i8);
  return {e.node("QuantizeLinear", {x, step, zero}, OnnxAttributes().integer("axis", 0)), step, zero};
}

std::string real_rows(OnnxEmitter& e, const Rounded& x) {
  std::vector<std::string> in{x.whole, x.step};
  if (!x.zero.empty()) in.push_back(x.zero);
  return e.node("DequantizeLinear", in, OnnxAttributes().integer("axis", 0));
}

// The weight's real numbers, (I, O).
std::string real_weight(OnnxEmitter& e, const QuantLinear& op, ValueId weight, ValueId scale) {
  const std::int64_t outputs = e.shape(weight)[0], inputs = e.shape(weight)[1] * (op.bits == 4 ? 2 : 1);
  const std::string whole =
      e.parameter(weight, op.bits == 4 ? Form::nibbles_transposed : Form::transposed, {inputs, outputs});
  if (op.group == 0) {
    const std::string steps = e.parameter(scale, Form::as_stored, {outputs});
    return e.node("DequantizeLinear", {whole, steps}, OnnxAttributes().integer("axis", 1));
  }
  const std::string steps = e.parameter(scale, Form::transposed, {e.shape(scale)[1], outputs});
  return e.node("DequantizeLinear", {whole, steps},
                OnnxAttributes().integer("axis", 0).integer("block_size", op.group));
}

// Integers times integers, then the scales: q - z goes through the sum of each output's weights.
std::string integer_product(OnnxEmitter& e, const QuantLinear& op, const Rounded& x, ValueId weight, ValueId scale) {
  const std::int64_t outputs = e.shape(weight)[0], inputs = e.shape(weight)[1] * (op.bits == 4 ? 2 : 1);
  const std::string whole =
      e.parameter(weight, op.bits == 4 ? Form::bytes_of_nibbles_transposed : Form::transposed, {inputs, outputs});
  const auto column = [&](const std::string& v) { return e.node("Unsqueeze", {v, e.integers({1})}); };
  std::string y = e.cast(e.node("MatMulInteger", {x.whole, whole}), DType::f32);
  if (!x.zero.empty()) {
    const std::string sums = e.parameter(weight, op.bits == 4 ? Form::nibble_sums : Form::column_sums, {outputs});
    y = e.node("Sub", {y, e.node("Mul", {column(e.cast(x.zero, DType::f32)), sums})});
  }
  y = e.node("Mul", {y, column(x.step)});
  return e.node("Mul", {y, e.parameter(scale, Form::as_stored, {outputs})});
}

}  // namespace

void lower(OnnxEmitter& e, const QuantLinear& op, const Node& node) {
  const ValueId xi = node.inputs[0], weight = node.inputs[1], scale = node.inputs[2];
  check(e.is_parameter(weight) && e.is_parameter(scale), "onnx: computed weights are expanded before");
  const DType type = e.dtype(xi);
  std::string x = type == DType::f32 ? e.in(xi) : e.cast(e.in(xi), DType::f32), y;
  if (op.activations == 16) {
    y = e.node("MatMul", {x, real_weight(e, op, weight, scale)});
  } else {
    const std::int64_t inputs = e.shape(xi).back(), rows = inputs == 0 ? 0 : e.graph.type(xi).elements() / inputs;
    if (e.shape(xi).size() != 2) x = e.reshape(x, {rows, inputs});
    const Rounded rounded = round_rows(e, x, op.asymmetric, {1});
    if (e.options.quantised == OnnxQuantised::integer && op.group == 0) {
      y = integer_product(e, op, rounded, weight, scale);
    } else {
      y = e.node("MatMul", {real_rows(e, rounded), real_weight(e, op, weight, scale)});
    }
    if (e.shape(xi).size() != 2) y = e.reshape(y, e.shape(node.output));
  }
  if (type != DType::f32) y = e.cast(y, type);
  if (node.inputs.size() > 3) y = lower_bias(e, y, node.inputs[3]);
  e.define(node.output, y);
}

// The integer form is the same: ConvInteger is not defined for steps by picture.
void lower(OnnxEmitter& e, const QuantConv2d& op, const Node& node) {
  const ValueId xi = node.inputs[0], weight = node.inputs[1], scale = node.inputs[2];
  check(e.is_parameter(weight) && e.is_parameter(scale), "onnx: computed weights are expanded before");
  const Shape& filter = e.shape(weight);
  const DType type = e.dtype(xi);
  std::string x = e.in(xi, Order::first);
  if (type != DType::f32) x = e.cast(x, DType::f32);
  const std::string steps = e.parameter(scale, Form::as_stored, {filter[0]});
  const std::string w = e.node("DequantizeLinear", {e.parameter(weight, Form::as_stored, filter), steps},
                               OnnxAttributes().integer("axis", 0));
  const std::string rows = real_rows(e, round_rows(e, x, op.asymmetric, {1, 2, 3}));
  std::string y =
      e.node("Conv", {rows, w}, conv_attributes(Conv2d{op.stride, op.padding, op.dilation, op.groups}, filter));
  if (type != DType::f32) y = e.cast(y, type);
  if (node.inputs.size() > 3) {
    const std::string bias = e.in(node.inputs[3]);
    y = e.node("Add", {y, e.node("Unsqueeze", {bias, e.integers({1, 2})})});
  }
  e.define(node.output, y, Order::first);
}

}  // namespace thimble::formats
