// TensorFlow's operators in TFLite's words: the layout is the same, filters and attributes are not. Loops, tensor lists
// and what TFLite has no word for stay unknown.
#include <algorithm>
#include <map>

#include "gauge/import/lower.h"

namespace thimble::gauge {
namespace {

using Ints = std::vector<std::int64_t>;
using Attributes = Lowering::Attributes;

std::int64_t spatial(const ModelOp& op, const char* key, std::size_t axis) {
  const Ints v = op.integers(key);
  return v.size() == 4 ? v[axis] : 1;
}

bool channels_last(const ModelOp& op) { return op.text("data_format", "NHWC") == "NHWC"; }

// Explicit padding goes before as a layer of its own.
std::int32_t padded(Lowering& l, const ModelOp& op, std::int32_t x) {
  const Ints p = op.integers("explicit_paddings");
  if (op.text("padding", "") != "EXPLICIT" || p.size() != 8) return x;
  return l.make("PAD", {x, l.reshaped(l.integers(p), {4, 2})});
}

Attributes window(const ModelOp& op) {
  Attributes a{{"padding", std::int64_t{op.text("padding", "VALID") != "SAME"}},
               {"stride_h", spatial(op, "strides", 1)},
               {"stride_w", spatial(op, "strides", 2)}};
  if (op.has("dilations")) {
    a["dilation_h"] = spatial(op, "dilations", 1);
    a["dilation_w"] = spatial(op, "dilations", 2);
  }
  return a;
}

std::vector<std::string> words(std::string_view list) {
  std::vector<std::string> out;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    out.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return out;
}

// y = scale (x - mean) / sqrt(variance + eps) + offset; what depends on constants alone is computed at once.
std::int32_t normalised(Lowering& l, std::int32_t x, const Lowering::Inputs& p, double eps) {
  const std::int32_t deviation = l.make("RSQRT", {l.make("ADD", {p[3], l.number(eps)})});
  const std::int32_t scale = l.make("MUL", {p[0], deviation});
  const std::int32_t shift = l.make("SUB", {p[1], l.make("MUL", {p[2], scale})});
  return l.make("ADD", {l.make("MUL", {x, scale}), shift});
}

// What a fused operator does after its product: "BiasAdd", "Relu", "FusedBatchNorm" …; arguments follow the two first.
bool after(Lowering& l, const ModelOp& op, std::string type, Lowering::Inputs in, Attributes a) {
  std::vector<std::string> steps = words(op.text("fused_ops", ""));
  std::size_t next = 2;
  if (!steps.empty() && steps[0] == "BiasAdd") {
    in.push_back(l.real(l.in(next++)));
    steps.erase(steps.begin());
  }
  std::int32_t x = l.make(std::move(type), std::move(in), std::move(a));
  for (const std::string& s : steps) {
    if (s == "Relu") {
      x = l.make("RELU", {x});
    } else if (s == "Relu6") {
      x = l.make("RELU6", {x});
    } else if (s == "Elu") {
      x = l.make("ELU", {x});
    } else if (s == "Sigmoid") {
      x = l.make("LOGISTIC", {x});
    } else if (s == "LeakyRelu") {
      x = l.make("LEAKY_RELU", {x}, {{"alpha", op.number("leakyrelu_alpha", 0.2)}});
    } else if (s == "Prelu") {
      x = l.make("PRELU", {x, l.real(l.in(next++))});
    } else if (s == "FusedBatchNorm") {
      x = normalised(l, x, l.all(next, 4), op.number("epsilon", 1e-4));
      next += 4;
    } else {
      return false;
    }
  }
  l.alias(l.out(), x);
  return true;
}

bool convolution(Lowering& l, const ModelOp& op) {  // filter (kh, kw, I, O)
  if (!channels_last(op)) return false;
  const std::int32_t filter = l.make("TRANSPOSE", {l.real(l.in(1)), l.integers({3, 0, 1, 2})});
  return after(l, op, "CONV_2D", {padded(l, op, l.in(0)), filter}, window(op));
}

bool depthwise(Lowering& l, const ModelOp& op) {  // filter (kh, kw, C, multiplier)
  if (!channels_last(op)) return false;
  const graph::Shape s = l.tensor(l.in(1)).shape;
  if (s.size() != 4) return false;
  const std::int32_t filter = l.reshaped(l.real(l.in(1)), {1, s[0], s[1], s[2] * s[3]});
  Attributes a = window(op);
  a["multiplier"] = s[3];
  return after(l, op, "DEPTHWISE_CONV_2D", {padded(l, op, l.in(0)), filter}, std::move(a));
}

bool product(Lowering& l, const ModelOp& op) {
  const bool a = op.integer("transpose_a", 0) != 0, b = op.integer("transpose_b", 0) != 0;
  const std::int32_t weight = l.real(l.in(1));
  if (!a && l.tensor(weight).constant && l.tensor(weight).shape.size() == 2) {
    const std::int32_t rows = b ? weight : l.make("TRANSPOSE", {weight, l.integers({1, 0})});
    return after(l, op, "FULLY_CONNECTED", {l.in(0), rows}, {{"keep_num_dims", std::int64_t{1}}});
  }
  if (op.text("fused_ops", "").starts_with("BiasAdd")) return false;
  return after(l, op, "BATCH_MATMUL", {l.in(0), weight},
               {{"transpose_a", std::int64_t{a}}, {"transpose_b", std::int64_t{b}}});
}

bool pool(Lowering& l, const ModelOp& op, const char* to) {
  if (!channels_last(op)) return false;
  Attributes a = window(op);
  a["filter_h"] = spatial(op, "ksize", 1);
  a["filter_w"] = spatial(op, "ksize", 2);
  l.emit(to, {l.in(0)}, {l.out()}, std::move(a));
  return true;
}

bool transposed(Lowering& l, const ModelOp& op) {  // sizes, filter (kh, kw, O, I), input
  if (!channels_last(op)) return false;
  const std::int32_t filter = l.make("TRANSPOSE", {l.real(l.in(1)), l.integers({2, 0, 1, 3})});
  l.emit("TRANSPOSE_CONV", {l.in(0), filter, l.in(2)}, {l.out()}, window(op));
  return true;
}

struct Plain {
  const char* to;
  std::vector<std::pair<const char*, const char*>> attributes{};  // theirs, ours
};

const std::map<std::string_view, Plain>& plain() {
  static const std::map<std::string_view, Plain> table{
      {"Add", {"ADD"}},
      {"AddV2", {"ADD"}},
      {"BiasAdd", {"ADD"}},
      {"Sub", {"SUB"}},
      {"Mul", {"MUL"}},
      {"RealDiv", {"DIV"}},
      {"Div", {"DIV"}},
      {"Maximum", {"MAXIMUM"}},
      {"Minimum", {"MINIMUM"}},
      {"Pow", {"POW"}},
      {"FloorDiv", {"FLOOR_DIV"}},
      {"SquaredDifference", {"SQUARED_DIFFERENCE"}},
      {"AddN", {"ADD_N"}},
      {"Neg", {"NEG"}},
      {"Abs", {"ABS"}},
      {"Exp", {"EXP"}},
      {"Log", {"LOG"}},
      {"Sqrt", {"SQRT"}},
      {"Rsqrt", {"RSQRT"}},
      {"Square", {"SQUARE"}},
      {"Sin", {"SIN"}},
      {"Cos", {"COS"}},
      {"Floor", {"FLOOR"}},
      {"Ceil", {"CEIL"}},
      {"Round", {"ROUND"}},
      {"Sign", {"SIGN"}},
      {"Tanh", {"TANH"}},
      {"Sigmoid", {"LOGISTIC"}},
      {"Relu", {"RELU"}},
      {"Relu6", {"RELU6"}},
      {"Elu", {"ELU"}},
      {"Prelu", {"PRELU"}},
      {"LeakyRelu", {"LEAKY_RELU", {{"alpha", "alpha"}}}},
      {"Softmax", {"SOFTMAX"}},
      {"LogSoftmax", {"LOG_SOFTMAX"}},
      {"Equal", {"EQUAL"}},
      {"NotEqual", {"NOT_EQUAL"}},
      {"Less", {"LESS"}},
      {"LessEqual", {"LESS_EQUAL"}},
      {"Greater", {"GREATER"}},
      {"GreaterEqual", {"GREATER_EQUAL"}},
      {"LogicalNot", {"LOGICAL_NOT"}},
      {"LogicalAnd", {"LOGICAL_AND"}},
      {"LogicalOr", {"LOGICAL_OR"}},
      {"Select", {"SELECT"}},
      {"SelectV2", {"SELECT_V2"}},
      {"Cast", {"CAST"}},
      {"Reshape", {"RESHAPE"}},
      {"Transpose", {"TRANSPOSE"}},
      {"ExpandDims", {"EXPAND_DIMS"}},
      {"Squeeze", {"SQUEEZE", {{"squeeze_dims", "axes"}}}},
      {"Pad", {"PAD"}},
      {"PadV2", {"PADV2"}},
      {"Slice", {"SLICE"}},
      {"StridedSlice",
       {"STRIDED_SLICE",
        {{"begin_mask", "begin_mask"},
         {"end_mask", "end_mask"},
         {"ellipsis_mask", "ellipsis_mask"},
         {"new_axis_mask", "new_axis_mask"},
         {"shrink_axis_mask", "shrink_axis_mask"}}}},
      {"Pack", {"PACK", {{"axis", "axis"}}}},
      {"Unpack", {"UNPACK", {{"axis", "axis"}}}},
      {"Split", {"SPLIT"}},
      {"SplitV", {"SPLIT_V"}},
      {"Tile", {"TILE"}},
      {"Fill", {"FILL"}},
      {"BroadcastTo", {"BROADCAST_TO"}},
      {"Shape", {"SHAPE"}},
      {"Rank", {"RANK"}},
      {"ZerosLike", {"ZEROS_LIKE"}},
      {"Range", {"RANGE"}},
      {"Gather", {"GATHER"}},
      {"Mean", {"MEAN", {{"keep_dims", "keep_dims"}}}},
      {"Sum", {"SUM", {{"keep_dims", "keep_dims"}}}},
      {"Max", {"REDUCE_MAX", {{"keep_dims", "keep_dims"}}}},
      {"Min", {"REDUCE_MIN", {{"keep_dims", "keep_dims"}}}},
      {"Prod", {"REDUCE_PROD", {{"keep_dims", "keep_dims"}}}},
      {"ArgMax", {"ARG_MAX"}},
      {"ArgMin", {"ARG_MIN"}},
      {"TopKV2", {"TOPK_V2"}},
      {"ResizeBilinear",
       {"RESIZE_BILINEAR", {{"align_corners", "align_corners"}, {"half_pixel_centers", "half_pixel_centers"}}}},
      {"ResizeNearestNeighbor",
       {"RESIZE_NEAREST_NEIGHBOR", {{"align_corners", "align_corners"}, {"half_pixel_centers", "half_pixel_centers"}}}},
      {"DepthToSpace", {"DEPTH_TO_SPACE", {{"block_size", "block_size"}}}},
      {"SpaceToDepth", {"SPACE_TO_DEPTH", {{"block_size", "block_size"}}}},
      {"SpaceToBatchND", {"SPACE_TO_BATCH_ND"}},
      {"BatchToSpaceND", {"BATCH_TO_SPACE_ND"}},
      {"GatherNd", {"GATHER_ND"}},
  };
  return table;
}

bool special(Lowering& l, const ModelOp& op) {
  const std::string& t = op.type;
  if (t == "Const" || t == "VarHandleOp" || t == "VariableV2" || t == "Variable") return l.tensor(l.out()).constant;
  if (t == "Identity" || t == "ReadVariableOp" || t == "StopGradient" || t == "Snapshot" || t == "PreventGradient" ||
      t == "PlaceholderWithDefault") {
    l.alias(l.out(), l.real(l.in(0)));
    return true;
  }
  if (t == "IdentityN") {
    for (std::size_t i = 0; i < op.outputs.size(); ++i) l.alias(op.outputs[i], l.in(i));
    return true;
  }
  if (t == "NoOp" || t == "Assert") return true;
  if (t == "Conv2D" || t == "_FusedConv2D") return convolution(l, op);
  if (t == "DepthwiseConv2dNative" || t == "FusedDepthwiseConv2dNative") return depthwise(l, op);
  if (t == "MatMul" || t == "_FusedMatMul") return product(l, op);
  if (t == "Conv2DBackpropInput") return transposed(l, op);
  if (t == "MaxPool") return pool(l, op, "MAX_POOL_2D");
  if (t == "AvgPool") return pool(l, op, "AVERAGE_POOL_2D");
  if (t == "BatchMatMul" || t == "BatchMatMulV2") {
    l.emit("BATCH_MATMUL", {l.in(0), l.real(l.in(1))}, {l.out()},
           {{"transpose_a", op.integer("adj_x", 0)}, {"transpose_b", op.integer("adj_y", 0)}});
    return true;
  }
  if (t == "FusedBatchNorm" || t == "FusedBatchNormV2" || t == "FusedBatchNormV3") {
    if (!channels_last(op) || l.count() < 5) return false;
    l.alias(l.out(), normalised(l, l.in(0), {l.real(l.in(1)), l.real(l.in(2)), l.real(l.in(3)), l.real(l.in(4))},
                                op.number("epsilon", 1e-4)));
    return true;
  }
  if (t == "ConcatV2") {
    if (l.count() < 2) return false;
    const auto axis = l.known(l.real(l.in(l.count() - 1)));
    if (!axis || axis->size() != 1) return false;
    Lowering::Inputs in;
    for (std::size_t i = 0; i + 1 < l.count(); ++i) in.push_back(l.real(l.in(i)));
    l.emit("CONCATENATION", std::move(in), {l.out()}, {{"axis", (*axis)[0]}});
    return true;
  }
  if (t == "GatherV2") {
    const auto axis = l.has(2) ? l.known(l.real(l.in(2))) : std::optional(Ints{0});
    if (!axis || axis->size() != 1) return false;
    l.emit("GATHER", {l.real(l.in(0)), l.real(l.in(1))}, {l.out()},
           {{"axis", (*axis)[0]}, {"batch_dims", op.integer("batch_dims", 0)}});
    return true;
  }
  if (t == "Reciprocal" || t == "Inv") {
    l.emit("DIV", {l.number(1), l.in(0)}, {l.out()});
    return true;
  }
  if (t == "DivNoNan") {
    const std::int32_t none = l.make("EQUAL", {l.in(1), l.number(0)});
    const std::int32_t quotient = l.make("DIV", {l.in(0), l.in(1)});
    l.emit("SELECT_V2", {none, l.make("ZEROS_LIKE", {quotient}), quotient}, {l.out()});
    return true;
  }
  if (t == "Size") {
    l.emit("REDUCE_PROD", {l.make("SHAPE", {l.in(0)}), l.integers({0})}, {l.out()});
    return true;
  }
  if (t == "FloorMod") {
    const std::int32_t whole = l.make("FLOOR_DIV", {l.in(0), l.in(1)});
    l.emit("SUB", {l.in(0), l.make("MUL", {whole, l.in(1)})}, {l.out()});
    return true;
  }
  if (t == "MirrorPad") {
    l.emit("MIRROR_PAD", {l.in(0), l.real(l.in(1))}, {l.out()},
           {{"mode", std::int64_t{op.text("mode", "REFLECT") == "SYMMETRIC"}}});
    return true;
  }
  return false;
}

}  // namespace

bool lower_tensorflow(Lowering& l, const ModelOp& op) {
  if (op.outputs.empty()) return op.type == "NoOp" || op.type == "Assert";
  const auto it = plain().find(op.type);
  if (it == plain().end()) return special(l, op);
  if (op.text("data_format", "NHWC") != "NHWC") return false;
  Lowering::Inputs in;
  for (std::size_t i = 0; i < l.count(); ++i) in.push_back(l.real(l.in(i)));
  Attributes a;
  for (const auto& [theirs, ours] : it->second.attributes) {
    const auto found = op.attributes.find(theirs);
    if (found != op.attributes.end()) a[ours] = found->second;
  }
  l.emit(it->second.to, std::move(in), op.outputs, std::move(a));
  return true;
}

}  // namespace thimble::gauge
