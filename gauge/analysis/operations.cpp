// How much arithmetic one operator is, from its shapes. The rules of convolutions, products and pooling are those of
// gauge.md A4.4; element-wise work counts one operation an element.
#include <set>

#include "gauge/analysis/analysis.h"

namespace thimble::gauge {

using graph::Shape;

namespace {

using Shapes = std::vector<std::optional<Shape>>;

double count(const Shape& s) {
  double n = 1;
  for (const std::int64_t d : s) n *= static_cast<double>(d < 0 ? 1 : d);
  return n;
}

double at(const Shape& s, std::size_t axis) { return axis < s.size() ? static_cast<double>(s[axis]) : 1; }

const Shape* input(const Shapes& in, std::size_t i) { return i < in.size() && in[i] ? &*in[i] : nullptr; }

double product_from(const Shape& s, std::size_t axis) {
  double n = 1;
  for (std::size_t i = axis; i < s.size(); ++i) n *= static_cast<double>(s[i]);
  return n;
}

bool is_one_of(std::string_view type, const std::set<std::string_view>& kinds) { return kinds.contains(type); }

const std::set<std::string_view>& free_kinds() {
  static const std::set<std::string_view> kinds{"RESHAPE",
                                                "TRANSPOSE",
                                                "CONCATENATION",
                                                "PAD",
                                                "PADV2",
                                                "MIRROR_PAD",
                                                "SLICE",
                                                "STRIDED_SLICE",
                                                "SPLIT",
                                                "SPLIT_V",
                                                "PACK",
                                                "UNPACK",
                                                "GATHER",
                                                "SQUEEZE",
                                                "CAST",
                                                "EXPAND_DIMS",
                                                "SHAPE",
                                                "FILL",
                                                "TILE",
                                                "DEQUANTIZE",
                                                "DENSIFY",
                                                "DEPTH_TO_SPACE",
                                                "RANK",
                                                "SPACE_TO_DEPTH",
                                                "QUANTIZE",
                                                "IF",
                                                "BROADCAST_TO",
                                                "ZEROS_LIKE",
                                                "Constant",
                                                "Reshape",
                                                "Transpose",
                                                "Concat",
                                                "Pad",
                                                "Slice",
                                                "Split",
                                                "Gather",
                                                "Squeeze",
                                                "Unsqueeze",
                                                "Cast",
                                                "Shape",
                                                "Size",
                                                "Identity",
                                                "Flatten",
                                                "Expand",
                                                "Tile",
                                                "ConstantOfShape",
                                                "If",
                                                "Dropout",
                                                "Range",
                                                "CastLike",
                                                "DepthToSpace",
                                                "SpaceToDepth",
                                                "WHILE",
                                                "EMBEDDING_LOOKUP",
                                                "GATHER_ND",
                                                "SPACE_TO_BATCH_ND",
                                                "BATCH_TO_SPACE_ND",
                                                "RANGE",
                                                "GatherND",
                                                "ScatterND"};
  return kinds;
}

const std::set<std::string_view>& adding() {
  static const std::set<std::string_view> kinds{"ADD",
                                                "SUB",
                                                "MUL",
                                                "NEG",
                                                "SQUARE",
                                                "SQUARED_DIFFERENCE",
                                                "ABS",
                                                "Add",
                                                "Sub",
                                                "Mul",
                                                "Neg",
                                                "Abs",
                                                "Sum",
                                                "ADD_N",
                                                "FLOOR",
                                                "ROUND",
                                                "CEIL",
                                                "Floor",
                                                "Round",
                                                "Ceil",
                                                "Sign",
                                                "SIGN",
                                                "QuantizeLinear",
                                                "DequantizeLinear",
                                                "BIAS_ADD",
                                                "Mean"};
  return kinds;
}

const std::set<std::string_view>& comparing() {
  static const std::set<std::string_view> kinds{"RELU",
                                                "RELU6",
                                                "RELU_N1_TO_1",
                                                "LEAKY_RELU",
                                                "PRELU",
                                                "MAXIMUM",
                                                "MINIMUM",
                                                "LESS",
                                                "GREATER",
                                                "EQUAL",
                                                "NOT_EQUAL",
                                                "LESS_EQUAL",
                                                "GREATER_EQUAL",
                                                "SELECT",
                                                "SELECT_V2",
                                                "LOGICAL_NOT",
                                                "LOGICAL_AND",
                                                "LOGICAL_OR",
                                                "Relu",
                                                "LeakyRelu",
                                                "PRelu",
                                                "Clip",
                                                "Max",
                                                "Min",
                                                "Less",
                                                "Greater",
                                                "Equal",
                                                "GreaterOrEqual",
                                                "LessOrEqual",
                                                "Where",
                                                "Not",
                                                "And",
                                                "Or",
                                                "Xor"};
  return kinds;
}

const std::set<std::string_view>& exponential() {
  static const std::set<std::string_view> kinds{"EXP", "LOG",  "SQRT", "RSQRT", "POW", "TANH", "SIN", "COS",     "Exp",
                                                "Log", "Sqrt", "Pow",  "Tanh",  "Erf", "Sin",  "Cos", "Softplus"};
  return kinds;
}

}  // namespace

Operations& Operations::operator+=(const Operations& o) {
  macs += o.macs;
  comparisons += o.comparisons;
  additions += o.additions;
  divisions += o.divisions;
  exponentials += o.exponentials;
  return *this;
}

std::optional<Operations> operations_of(const ModelOp& op, const Shapes& in, const std::vector<Shape>& outputs) {
  Operations o;
  const std::string_view t = op.type;
  if (is_one_of(t, free_kinds())) return o;
  if (outputs.empty()) return std::nullopt;
  const double out = count(outputs[0]);
  const Shape *x = input(in, 0), *w = input(in, 1);
  if (t == "CONV_2D" && w && w->size() == 4) {  // filter (O, kh, kw, I)
    o.macs = out * product_from(*w, 1);
  } else if (t == "DEPTHWISE_CONV_2D" && w && w->size() == 4) {  // filter (1, kh, kw, O)
    o.macs = out * at(*w, 1) * at(*w, 2);
  } else if (t == "FULLY_CONNECTED" && w && w->size() == 2 && x) {
    o.macs = count(*x) / at(*w, 1) * count(*w);
  } else if (t == "TRANSPOSE_CONV" && w && w->size() == 4 && input(in, 2)) {
    o.macs = count(*input(in, 2)) * at(*w, 1) * at(*w, 2) * at(*w, 0);
  } else if (t == "BATCH_MATMUL" && x && w && w->size() >= 2) {
    const std::size_t columns = op.integer("transpose_b", 0) != 0 ? w->size() - 2 : w->size() - 1;
    o.macs = count(*x) * at(*w, columns);
  } else if ((t == "Conv" || t == "ConvInteger") && w) {  // (O, I/groups, kernel …)
    o.macs = out * product_from(*w, 1);
  } else if (t == "ConvTranspose" && x && w) {  // (I, O/groups, kernel …)
    o.macs = count(*x) * product_from(*w, 1);
  } else if (t == "Gemm" && w && w->size() == 2) {
    o.macs = out * at(*w, op.integer("transB", 0) != 0 ? 1 : 0);
  } else if ((t == "MatMul" || t == "MatMulInteger") && x && !x->empty()) {
    o.macs = out * static_cast<double>(x->back());
  } else if ((t == "LSTM" || t == "GRU" || t == "RNN") && x && x->size() == 3 && w && input(in, 2)) {
    // Steps and batch times all weights of both products.
    o.macs = at(*x, 0) * at(*x, 1) * (count(*w) + count(*input(in, 2)));
    const double states = at(*x, 0) * at(*x, 1) * count(*input(in, 2)) / std::max(at(*input(in, 2), 2), 1.0);
    o.additions = o.divisions = o.exponentials = states;
  } else if (t == "MAX_POOL_2D" || t == "MaxPool" || t == "AVERAGE_POOL_2D" || t == "AveragePool") {
    double window = static_cast<double>(op.integer("filter_h", 1) * op.integer("filter_w", 1));
    for (const std::int64_t k : op.integers("kernel_shape")) window *= static_cast<double>(k);
    (t == "MAX_POOL_2D" || t == "MaxPool" ? o.comparisons : o.additions) = out * window;
  } else if (t == "GlobalAveragePool" || t == "MEAN" || t == "SUM" || t == "ReduceMean" || t == "ReduceSum" ||
             t == "REDUCE_PROD" || t == "ReduceL1" || t == "ReduceL2") {
    o.additions = x ? count(*x) : out;
  } else if (t == "GlobalMaxPool" || t == "REDUCE_MAX" || t == "REDUCE_MIN" || t == "ReduceMax" || t == "ReduceMin") {
    o.comparisons = x ? count(*x) : out;
  } else if (t == "ARG_MAX" || t == "ARG_MIN" || t == "ArgMax" || t == "ArgMin" || t == "TOPK_V2" || t == "TopK") {
    o.comparisons = x ? count(*x) : out;
  } else if (t == "BatchNormalization" || t == "InstanceNormalization" || t == "LayerNormalization" ||
             t == "L2_NORMALIZATION") {
    o.additions = o.divisions = out;
  } else if (t == "SOFTMAX" || t == "Softmax" || t == "LOG_SOFTMAX" || t == "LogSoftmax" || t == "LOGISTIC" ||
             t == "Sigmoid" || t == "ELU" || t == "Elu" || t == "Erf" || t == "Gelu" || t == "GELU" || t == "Selu") {
    o.additions = o.divisions = o.exponentials = out;
  } else if (t == "HARD_SWISH" || t == "HardSwish" || t == "HardSigmoid") {
    o.comparisons = o.additions = o.divisions = out;
  } else if (t == "RESIZE_BILINEAR" || (t == "Resize" && op.text("mode", "nearest") != "nearest")) {
    o.additions = 9 * out;  // three blends, each a difference and a multiply-add
  } else if (t == "RESIZE_NEAREST_NEIGHBOR" || t == "Resize" || t == "Upsample") {
    return o;
  } else if (t == "DIV" || t == "Div" || t == "Reciprocal" || t == "FLOOR_DIV") {
    o.divisions = out;
  } else if (t == "DynamicQuantizeLinear" && x) {
    o.comparisons = 2 * count(*x);
    o.additions = o.divisions = count(*x);
  } else if (t == "CUSTOM:Convolution2DTransposeBias" && x && w && w->size() == 4) {
    o.macs = count(*x) * at(*w, 1) * at(*w, 2) * at(*w, 0);
  } else if (is_one_of(t, adding())) {
    o.additions = out;
  } else if (is_one_of(t, comparing())) {
    o.comparisons = out;
  } else if (is_one_of(t, exponential())) {
    o.exponentials = out;
  } else {
    return std::nullopt;
  }
  return o;
}

}  // namespace thimble::gauge
