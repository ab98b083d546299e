// MNN's operators in ONNX's words, for networks of plain numbers; those of MNN's own packing stay unknown. A tensor
// that MNN keeps in blocks of four channels is the same tensor here, so conversions between orders are nothing, except
// those between channels first and last, which its converter writes as permutations.
#include "gauge/import/lower.h"

namespace thimble::gauge {
namespace {

using Ints = std::vector<std::int64_t>;

// 0 by numbers, 1 VALID, 2 SAME.
void set_padding(const ModelOp& op, std::int64_t mode, Lowering::Attributes& a) {
  if (mode == 2) {
    a["auto_pad"] = std::string("SAME_UPPER");
    return;
  }
  if (mode == 1) return;
  const Ints p = op.integers("pads");
  const std::int64_t x = op.integer("pad_x", 0), y = op.integer("pad_y", 0);
  a["pads"] = p.size() == 4 ? p : p.size() == 2 ? Ints{p[0], p[1], p[0], p[1]} : Ints{y, x, y, x};
}

bool finish(Lowering& l, const ModelOp& op, std::int32_t x) {
  if (op.integer("relu6", 0) != 0) {
    l.emit("Clip", {x}, {l.out()}, {{"min", 0.0}, {"max", 6.0}});
  } else if (op.integer("relu", 0) != 0) {
    l.emit("Relu", {x}, {l.out()});
  } else {
    l.alias(l.out(), x);
  }
  return true;
}

bool convolution(Lowering& l, const ModelOp& op, bool transposed) {
  if (!l.has(1)) return false;  // its own, or constants among its inputs
  const ModelTensor w = l.tensor(l.in(1));
  const std::int64_t outputs = op.integer("outputs", 0), kh = op.integer("kernel_y", 1), kw = op.integer("kernel_x", 1);
  std::int64_t group = std::max<std::int64_t>(op.integer("group", 1), 1);
  if (!w.constant || !w.type.dtype || !is_float(*w.type.dtype) || outputs < 1 || kh < 1 || kw < 1) return false;
  if (op.type.ends_with("Depthwise")) group = outputs;
  std::int64_t inner = w.elements();
  for (const std::int64_t size : {outputs, kh, kw}) {  // one after another: their product may pass 64 bits
    if (inner % size != 0) return false;
    inner /= size;
  }
  Lowering::Attributes a{{"kernel_shape", Ints{kh, kw}},
                         {"strides", Ints{op.integer("stride_y", 1), op.integer("stride_x", 1)}},
                         {"dilations", Ints{op.integer("dilate_y", 1), op.integer("dilate_x", 1)}},
                         {"group", group}};
  set_padding(op, op.integer("pad_mode", 0), a);
  if (transposed && (group != 1 || op.integer("pad_mode", 0) != 0)) return false;
  Lowering::Inputs in{l.in(0),
                      l.reshaped(l.in(1), transposed ? Ints{inner, outputs, kh, kw} : Ints{outputs, inner, kh, kw})};
  if (l.has(2)) in.push_back(l.in(2));
  return finish(l, op, l.make(transposed ? "ConvTranspose" : "Conv", std::move(in), std::move(a)));
}

bool pooling(Lowering& l, const ModelOp& op) {
  const bool max = op.integer("type", 0) == 0;
  if (op.integer("global", 0) != 0) {
    l.emit(max ? "GlobalMaxPool" : "GlobalAveragePool", {l.in(0)}, {l.out()});
    return true;
  }
  Lowering::Attributes a{{"kernel_shape", Ints{op.integer("kernel_y", 1), op.integer("kernel_x", 1)}},
                         {"strides", Ints{op.integer("stride_y", 1), op.integer("stride_x", 1)}},
                         {"ceil_mode", op.integer("ceil", 1)},
                         {"count_include_pad", std::int64_t{op.integer("count_type", 0) == 1}}};
  set_padding(op, op.integer("pad_type", 0), a);
  l.emit(max ? "MaxPool" : "AveragePool", {l.in(0)}, {l.out()}, std::move(a));
  return true;
}

const char* binary_kind(std::int64_t kind) {
  static constexpr const char* kKinds[] = {"Add",  "Sub", "Mul", "Div",   "Max",        "Min",
                                           "Pow",  "Div", "Min", "Max",   "Greater",    "GreaterOrEqual",
                                           "Less", "",    "",    "Equal", "LessOrEqual"};
  return kind >= 0 && kind < std::ssize(kKinds) ? kKinds[kind] : "";
}

const char* unary_kind(std::int64_t kind) {
  static constexpr const char* kKinds[] = {"Abs", "Neg", "Floor", "Ceil", "", "Sqrt", "", "Exp", "Log", "Sin", "Cos"};
  if (kind == 15) return "Reciprocal";
  if (kind == 22) return "Sign";
  if (kind == 23) return "Round";
  if (kind == 25) return "Erf";
  if (kind == 29) return "Sigmoid";
  if (kind == 30) return "Tanh";
  if (kind == 31) return "HardSwish";
  return kind >= 0 && kind < std::ssize(kKinds) ? kKinds[kind] : "";
}

bool reduction(Lowering& l, const ModelOp& op) {
  static constexpr const char* kKinds[] = {"ReduceSum", "ReduceL1",  "",          "ReduceMean",
                                           "ReduceMax", "ReduceMin", "ReduceProd"};
  const std::int64_t kind = op.integer("operation", 0);
  if (kind < 0 || kind >= std::ssize(kKinds) || *kKinds[kind] == '\0') return false;
  std::optional<Ints> axes = op.integers("dims");
  if (axes->empty() && l.has(1)) axes = l.known(l.in(1));
  if (!axes) return false;
  l.emit(kKinds[kind], {l.in(0)}, {l.out()}, {{"axes", *axes}, {"keepdims", op.integer("keep_dims", 0)}});
  return true;
}

// As ONNX's own, with axes before steps; or as TensorFlow's, where masks say which bounds are none.
bool strided_slice(Lowering& l, const ModelOp& op) {
  if (op.integer("origin", 0) == 1) {
    Lowering::Inputs in = l.all(0, l.count());
    l.emit("Slice", std::move(in), {l.out()});
    return true;
  }
  auto begin = l.known(l.in(1)), end = l.known(l.in(2));
  const auto step = l.has(3) ? l.known(l.in(3)) : std::optional(Ints(begin ? begin->size() : 0, 1));
  if (!begin || !end || !step || begin->size() != end->size() || step->size() != begin->size()) return false;
  if (op.integer("ellipsis_mask", 0) != 0 || op.integer("new_axis_mask", 0) != 0) return false;
  Ints gone;
  for (std::size_t i = 0; i < begin->size(); ++i) {
    const bool forwards = (*step)[i] > 0;
    if ((op.integer("begin_mask", 0) >> i & 1) != 0) (*begin)[i] = forwards ? 0 : INT32_MAX;
    if ((op.integer("end_mask", 0) >> i & 1) != 0) (*end)[i] = forwards ? INT32_MAX : INT32_MIN;
    if ((op.integer("shrink_axis_mask", 0) >> i & 1) != 0) {
      gone.push_back(static_cast<std::int64_t>(i));
      (*end)[i] = (*begin)[i] == -1 ? INT32_MAX : (*begin)[i] + 1;
    }
  }
  Lowering::Inputs in{l.in(0), l.integers(*begin), l.integers(*end), -1, l.integers(*step)};
  if (gone.empty()) {
    l.emit("Slice", std::move(in), {l.out()});
  } else {
    l.emit("Squeeze", {l.make("Slice", std::move(in))}, {l.out()}, {{"axes", gone}});
  }
  return true;
}

}  // namespace

bool lower_mnn(Lowering& l, const ModelOp& op) {
  const std::string& t = op.type;
  if (op.outputs.empty()) return false;
  if (t == "Const" || t == "TrainableParam") return l.tensor(l.out()).constant;
  if (l.count() == 0) return false;
  if (t == "Convolution" || t == "ConvolutionDepthwise") return convolution(l, op, false);
  if (t == "Deconvolution") return convolution(l, op, true);
  if (t == "Pooling") return pooling(l, op);
  if (t == "Reduction") return reduction(l, op);
  if (t == "ConvertTensor" || t == "Dropout") {
    l.alias(l.out(), l.in(0));
    return true;
  }
  if (t == "BinaryOp" || t == "UnaryOp") {
    const bool two = t == "BinaryOp";
    const std::int64_t kind = op.integer("operation", 0);
    if (!two && (kind == 4 || kind == 6)) {
      const std::int32_t x = kind == 4 ? l.in(0) : l.make("Sqrt", {l.in(0)});
      l.emit(kind == 4 ? "Mul" : "Reciprocal", kind == 4 ? Lowering::Inputs{x, x} : Lowering::Inputs{x}, {l.out()});
      return true;
    }
    const std::string to = two ? binary_kind(kind) : unary_kind(kind);
    if (to.empty()) return false;
    l.emit(to, l.all(0, two ? 2 : 1), {l.out()});
    return true;
  }
  if (t == "Eltwise") {
    static constexpr const char* kKinds[] = {"Mul", "Add", "Max", "Sub"};
    const std::int64_t kind = op.integer("operation", 0);
    if (kind < 0 || kind > 3 || l.count() != 2) return false;
    l.emit(kKinds[kind], l.all(0, 2), {l.out()});
    return true;
  }
  if (t == "ReLU") {
    const double slope = op.number("slope", 0);
    l.emit(slope == 0 ? "Relu" : "LeakyRelu", {l.in(0)}, {l.out()},
           slope == 0 ? Lowering::Attributes{} : Lowering::Attributes{{"alpha", slope}});
    return true;
  }
  if (t == "ReLU6") {
    l.emit("Clip", {l.in(0)}, {l.out()}, {{"min", op.number("min", 0)}, {"max", op.number("max", 6)}});
    return true;
  }
  if (t == "PReLU" && l.has(1)) {
    l.emit("PRelu", {l.in(0), l.reshaped(l.in(1), {-1, 1, 1})}, {l.out()});
    return true;
  }
  if (t == "Concat" || t == "Softmax") {
    l.emit(t, l.all(0, t == "Concat" ? l.count() : 1), {l.out()},
           {{"axis", op.integer("axis", t == "Concat" ? 0 : -1)}});
    return true;
  }
  if (t == "Permute") {
    l.emit("Transpose", {l.in(0)}, {l.out()}, {{"perm", op.integers("dims")}});
    return true;
  }
  if (t == "Reshape") {
    const Ints dims = op.integers("dims");
    if (dims.empty() && !l.has(1)) return false;
    l.emit("Reshape", {l.in(0), dims.empty() ? l.in(1) : l.integers(dims)}, {l.out()});
    return true;
  }
  if (t == "Squeeze" || t == "Unsqueeze") {
    Lowering::Attributes a;
    if (const Ints dims = op.integers("dims"); !dims.empty()) a["axes"] = dims;
    l.emit(t, l.all(0, a.empty() ? l.count() : 1), {l.out()}, std::move(a));
    return true;
  }
  if (t == "Flatten") {
    l.emit("Flatten", {l.in(0)}, {l.out()}, {{"axis", op.integer("axis", 1)}});
    return true;
  }
  if (t == "MatMul" || t == "BatchMatMul") {
    if (op.integer("transpose_a", 0) != 0 || op.integer("transpose_b", 0) != 0 || op.integer("bottoms", 2) != 2)
      return false;
    l.emit("MatMul", l.all(0, 2), {l.out()});
    return true;
  }
  if (t == "Sigmoid" || t == "TanH" || t == "Exp" || t == "Log") {
    l.emit(t == "TanH" ? "Tanh" : t, {l.in(0)}, {l.out()});
    return true;
  }
  if (t == "Shape") {
    l.emit("Shape", {l.in(0)}, {l.out()});
    return true;
  }
  if (t == "Select" && l.count() == 3) {
    const std::int32_t condition = l.make("Cast", {l.in(0)}, {{"to", std::int64_t{9}}});
    l.emit("Where", {condition, l.in(1), l.in(2)}, {l.out()});
    return true;
  }
  if (t == "StridedSlice") return strided_slice(l, op);
  if (t == "Padding" && op.integer("mode", 0) < 2 && l.has(1)) {  // rows (before, after), one an axis
    const auto p = l.known(l.in(1));
    if (!p || p->size() % 2 != 0) return false;
    Ints pads(p->size());
    for (std::size_t i = 0; i < p->size(); ++i) pads[i / 2 + (i % 2) * p->size() / 2] = (*p)[i];
    l.emit("Pad", {l.in(0), l.integers(pads)}, {l.out()},
           {{"mode", std::string(op.integer("mode", 0) == 1 ? "reflect" : "constant")}});
    return true;
  }
  return false;
}

}  // namespace thimble::gauge
