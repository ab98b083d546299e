// ncnn's layers in ONNX's words. Blobs have no batch, so axes count from channels; parameters go by number.
#include <cmath>

#include "gauge/import/lower.h"

namespace thimble::gauge {
namespace {

using Ints = std::vector<std::int64_t>;

double number(const ModelOp& op, std::string_view key, double fallback) {
  if (op.integer(key, INT64_MIN) != INT64_MIN) return static_cast<double>(op.integer(key, 0));
  const auto list = op.numbers(key);
  return list.empty() ? fallback : list[0];
}

// 9 and 10: 1 relu, 2 leaky relu, 3 clip, 4 sigmoid, 6 hard swish.
bool activated(Lowering& l, const ModelOp& op, std::int32_t x) {
  const auto p = op.numbers("10");
  switch (op.integer("9", 0)) {
    case 0: l.alias(l.out(), x); return true;
    case 1: l.emit("Relu", {x}, {l.out()}); return true;
    case 2: l.emit("LeakyRelu", {x}, {l.out()}, {{"alpha", p.empty() ? 0.0 : p[0]}}); return true;
    case 3:
      if (p.size() < 2) return false;
      l.emit("Clip", {x}, {l.out()}, {{"min", p[0]}, {"max", p[1]}});
      return true;
    case 4: l.emit("Sigmoid", {x}, {l.out()}); return true;
    default: return false;
  }
}

bool convolution(Lowering& l, const ModelOp& op, bool transposed, bool depthwise) {
  if (!l.has(1) || op.integer("bottoms", 1) != 1 || l.tensor(l.in(1)).shape.size() != 4) return false;
  const std::int64_t kw = op.integer("1", 1), dw = op.integer("2", 1), sw = op.integer("3", 1),
                     left = op.integer("4", 0);
  const std::int64_t group = depthwise ? op.integer("7", 1) : 1, top = op.integer("14", left);
  Lowering::Attributes a{{"kernel_shape", Ints{op.integer("11", kw), kw}},
                         {"dilations", Ints{op.integer("12", dw), dw}},
                         {"strides", Ints{op.integer("13", sw), sw}},
                         {"group", group}};
  if (left == -233 || left == -234) {
    a["auto_pad"] = std::string(left == -233 ? "SAME_UPPER" : "SAME_LOWER");
  } else {
    a["pads"] = Ints{top, left, op.integer("16", top), op.integer("15", left)};
  }
  std::int32_t w = l.in(1);
  if (transposed) {  // stored (O, I, kh, kw) within each group, wanted (I, O/groups, kh, kw)
    if (group != 1) return false;
    w = l.make("Transpose", {w}, {{"perm", Ints{1, 0, 2, 3}}});
  }
  Lowering::Inputs in{l.in(0), w};
  if (l.has(2)) in.push_back(l.in(2));
  if (op.integer("9", 0) == 0) {
    l.emit(transposed ? "ConvTranspose" : "Conv", std::move(in), {l.out()}, std::move(a));
    return true;
  }
  return activated(l, op, l.make(transposed ? "ConvTranspose" : "Conv", std::move(in), std::move(a)));
}

bool pooling(Lowering& l, const ModelOp& op) {
  const bool max = op.integer("0", 0) == 0;
  if (op.integer("4", 0) != 0) {
    l.emit(max ? "GlobalMaxPool" : "GlobalAveragePool", {l.in(0)}, {l.out()});
    return true;
  }
  const std::int64_t kw = op.integer("1", 1), sw = op.integer("2", 1), left = op.integer("3", 0),
                     mode = op.integer("5", 0);
  if (op.integer("7", 0) != 0) return false;  // adaptive
  Lowering::Attributes a{{"kernel_shape", Ints{op.integer("11", kw), kw}},
                         {"strides", Ints{op.integer("12", sw), sw}},
                         {"count_include_pad", op.integer("6", 0)},
                         {"ceil_mode", std::int64_t{mode == 0}}};
  if (mode == 2 || mode == 3) {
    a["auto_pad"] = std::string(mode == 2 ? "SAME_UPPER" : "SAME_LOWER");
  } else {
    const std::int64_t top = op.integer("13", left);
    a["pads"] = Ints{top, left, op.integer("15", top), op.integer("14", left)};
  }
  l.emit(max ? "MaxPool" : "AveragePool", {l.in(0)}, {l.out()}, std::move(a));
  return true;
}

bool binary(Lowering& l, const ModelOp& op) {
  static constexpr const char* kKinds[] = {"Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"};
  const std::int64_t kind = op.integer("0", 0);
  const bool swapped = kind == 7 || kind == 8;  // b - a, b / a
  if (kind < 0 || kind > 8) return false;
  std::int32_t a = l.in(0), b = op.integer("1", 0) != 0 ? l.number(number(op, "2", 0)) : l.in(1);
  if (swapped) std::swap(a, b);
  l.emit(kind == 7 ? "Sub" : kind == 8 ? "Div" : kKinds[kind], {a, b}, {l.out()});
  return true;
}

bool eltwise(Lowering& l, const ModelOp& op) {
  static constexpr const char* kKinds[] = {"Mul", "Add", "Max"};
  const std::int64_t kind = op.integer("0", 0);
  if (kind < 0 || kind > 2) return false;
  Lowering::Inputs in = l.all(0, l.count());
  const auto weights = op.numbers("1");
  for (std::size_t i = 0; kind == 1 && weights.size() == in.size() && i < in.size(); ++i) {
    if (weights[i] != 1) in[i] = l.make("Mul", {in[i], l.number(weights[i])});
  }
  std::int32_t sum = in[0];
  for (std::size_t i = 1; i + 1 < in.size(); ++i) sum = l.make(kKinds[kind], {sum, in[i]});
  if (in.size() > 1) {
    l.emit(kKinds[kind], {sum, in.back()}, {l.out()});
  } else {
    l.alias(l.out(), sum);
  }
  return true;
}

bool interp(Lowering& l, const ModelOp& op) {
  const std::int64_t kind = op.integer("0", 0);
  if ((kind != 1 && kind != 2) || op.integer("3", 0) != 0 || op.integer("4", 0) != 0) return false;
  const double h = number(op, "1", 1), w = number(op, "2", 1);
  Lowering::Attributes a{{"mode", std::string(kind == 1 ? "nearest" : "linear")},
                         {"coordinate_transformation_mode", std::string(kind == 1                 ? "asymmetric"
                                                                        : op.integer("6", 0) != 0 ? "align_corners"
                                                                                                  : "half_pixel")},
                         {"nearest_mode", std::string("floor")}};
  const std::int32_t one = l.reshaped(l.number(1), {1});
  const std::int32_t scales = l.make("Concat", {one, one, l.reshaped(l.number(h), {1}), l.reshaped(l.number(w), {1})},
                                     {{"axis", std::int64_t{0}}});
  l.emit("Resize", {l.in(0), -1, scales}, {l.out()}, std::move(a));
  return true;
}

bool inner_product(Lowering& l, const ModelOp& op) {
  if (!l.has(1)) return false;
  const std::int32_t rows = l.make("Flatten", {l.in(0)}, {{"axis", std::int64_t{1}}});
  Lowering::Inputs in{rows, l.in(1)};
  if (l.has(2)) in.push_back(l.in(2));
  return activated(l, op, l.make("Gemm", std::move(in), {{"transB", std::int64_t{1}}}));
}

}  // namespace

bool lower_ncnn(Lowering& l, const ModelOp& op) {
  const std::string& t = op.type;
  if (op.outputs.empty() || l.count() == 0) return false;
  if (t.starts_with("Convolution") && (t.size() == 11 || t == "ConvolutionDepthWise")) {
    return convolution(l, op, false, t.size() > 11);
  }
  if (t.starts_with("Deconvolution") && (t.size() == 13 || t == "DeconvolutionDepthWise")) {
    return convolution(l, op, true, t.size() > 13);
  }
  if (t == "Pooling") return pooling(l, op);
  if (t == "BinaryOp") return binary(l, op);
  if (t == "Eltwise") return eltwise(l, op);
  if (t == "Interp") return interp(l, op);
  if (t == "InnerProduct") return inner_product(l, op);
  if (t == "Split" || t == "Dropout" || t == "Noop") {
    for (const std::int32_t o : op.outputs) l.alias(o, l.in(0));
    return true;
  }
  if (t == "ReLU") {
    const double leak = number(op, "0", 0);
    l.emit(leak == 0 ? "Relu" : "LeakyRelu", {l.in(0)}, {l.out()},
           leak == 0 ? Lowering::Attributes{} : Lowering::Attributes{{"alpha", leak}});
    return true;
  }
  if (t == "PReLU" && l.has(1)) {
    l.emit("PRelu", {l.in(0), l.reshaped(l.in(1), {-1, 1, 1})}, {l.out()});
    return true;
  }
  if (t == "Concat") {
    const std::int64_t axis = op.integer("0", 0);
    l.emit("Concat", l.all(0, l.count()), {l.out()}, {{"axis", axis < 0 ? axis : axis + 1}});
    return true;
  }
  if (t == "PixelShuffle") {
    l.emit("DepthToSpace", {l.in(0)}, {l.out()},
           {{"blocksize", op.integer("0", 1)}, {"mode", std::string(op.integer("1", 0) == 0 ? "CRD" : "DCR")}});
    return true;
  }
  if (t == "Softmax") {
    const std::int64_t axis = op.integer("0", 0);
    l.emit("Softmax", {l.in(0)}, {l.out()}, {{"axis", axis < 0 ? axis : axis + 1}});
    return true;
  }
  if (t == "Clip") {
    l.emit("Clip", {l.in(0)}, {l.out()}, {{"min", number(op, "0", -3.4e38)}, {"max", number(op, "1", 3.4e38)}});
    return true;
  }
  if (t == "BatchNorm" && l.count() >= 5) {
    l.emit("BatchNormalization", {l.in(0), l.in(1), l.in(4), l.in(2), l.in(3)}, {l.out()},
           {{"epsilon", number(op, "1", 0)}});
    return true;
  }
  if (t == "Padding" && op.integer("4", 0) == 0) {
    const auto n = [&](const char* key) { return op.integer(key, 0); };
    l.emit("Pad", {l.in(0), l.integers({0, 0, n("0"), n("2"), 0, 0, n("1"), n("3")}), l.number(number(op, "5", 0))},
           {l.out()});
    return true;
  }
  static constexpr std::pair<std::string_view, const char*> kPlain[] = {
      {"Sigmoid", "Sigmoid"}, {"TanH", "Tanh"}, {"AbsVal", "Abs"}, {"HardSwish", "HardSwish"}, {"GELU", "Gelu"}};
  for (const auto& [from, to] : kPlain) {
    if (t != from) continue;
    l.emit(to, {l.in(0)}, {l.out()});
    return true;
  }
  if (t == "Swish") {
    l.emit("Mul", {l.in(0), l.make("Sigmoid", {l.in(0)})}, {l.out()});
    return true;
  }
  if (t == "Flatten") {
    l.emit("Flatten", {l.in(0)}, {l.out()}, {{"axis", std::int64_t{1}}});
    return true;
  }
  return false;
}

}  // namespace thimble::gauge
