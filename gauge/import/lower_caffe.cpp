// Caffe's layers in ONNX's words. Pooling rounds up, a window may hang over, and averages count what was padded.
#include "gauge/import/lower.h"

namespace thimble::gauge {
namespace {

using Ints = std::vector<std::int64_t>;

// "<p>kernel_h" and "<p>kernel_w", else one or two of "<p>kernel_size".
Ints pair_of(const ModelOp& op, const std::string& p, const std::string& h, const std::string& w,
             const std::string& both, std::int64_t fallback) {
  const Ints list = numbers_in(op, p + both);
  Ints out{fallback, fallback};
  if (!list.empty()) out = {list[0], list.back()};
  if (op.has(p + h)) out[0] = op.integer(p + h, fallback);
  if (op.has(p + w)) out[1] = op.integer(p + w, fallback);
  return out;
}

bool truth(const ModelOp& op, const std::string& key, bool fallback) {
  if (!op.has(key)) return fallback;
  const std::string_view word = op.text(key, "");
  return word.empty() ? op.integer(key, 0) != 0 : word == "true";
}

Ints twice(const Ints& p) { return {p[0], p[1], p[0], p[1]}; }

bool convolution(Lowering& l, const ModelOp& op, bool transposed) {
  const std::string p = "convolution_param.";
  const auto bottoms = static_cast<std::size_t>(op.integer("bottoms", 1));
  if (bottoms != 1 || l.count() < 2) return false;
  const Ints kernel = pair_of(op, p, "kernel_h", "kernel_w", "kernel_size", 1);
  const Ints dilation = numbers_in(op, p + "dilation");
  Lowering::Inputs in{l.in(0), l.in(1)};
  const ModelTensor& weight = l.tensor(in[1]);
  if (weight.shape.size() != 4) return false;
  if (l.has(2)) in.push_back(l.reshaped(l.in(2), {-1}));
  l.emit(transposed ? "ConvTranspose" : "Conv", std::move(in), {l.out()},
         {{"kernel_shape", kernel},
          {"strides", pair_of(op, p, "stride_h", "stride_w", "stride", 1)},
          {"pads", twice(pair_of(op, p, "pad_h", "pad_w", "pad", 0))},
          {"dilations", dilation.empty() ? Ints{1, 1} : Ints{dilation[0], dilation.back()}},
          {"group", op.integer(p + "group", 1)}});
  return true;
}

bool pooling(Lowering& l, const ModelOp& op) {
  const std::string p = "pooling_param.";
  const std::string_view kind = op.text(p + "pool", "MAX");
  const bool max = kind == "MAX";
  if (!max && kind != "AVE") return false;
  if (truth(op, p + "global_pooling", false)) {
    l.emit(max ? "GlobalMaxPool" : "GlobalAveragePool", {l.in(0)}, {l.out()});
    return true;
  }
  const Ints pad = pair_of(op, p, "pad_h", "pad_w", "pad", 0);
  l.emit(max ? "MaxPool" : "AveragePool", {l.in(0)}, {l.out()},
         {{"kernel_shape", pair_of(op, p, "kernel_h", "kernel_w", "kernel_size", 1)},
          {"strides", pair_of(op, p, "stride_h", "stride_w", "stride", 1)},
          {"pads", twice(pad)},
          {"count_include_pad", std::int64_t{pad[0] > 0 || pad[1] > 0}},
          {"ceil_mode", std::int64_t{op.text(p + "round_mode", "CEIL") == "CEIL"}}});
  return true;
}

bool inner_product(Lowering& l, const ModelOp& op) {
  const std::string p = "inner_product_param.";
  const std::int64_t outputs = op.integer(p + "num_output", 0);
  if (outputs < 1 || l.count() < 2) return false;
  const bool transposed = truth(op, p + "transpose", false);
  const std::int32_t rows = l.make("Flatten", {l.in(0)}, {{"axis", op.integer(p + "axis", 1)}});
  Lowering::Inputs in{rows, l.reshaped(l.in(1), transposed ? Ints{-1, outputs} : Ints{outputs, -1})};
  if (l.has(2)) in.push_back(l.reshaped(l.in(2), {-1}));
  l.emit("Gemm", std::move(in), {l.out()}, {{"transB", std::int64_t{!transposed}}});
  return true;
}

bool eltwise(Lowering& l, const ModelOp& op) {
  const std::string_view kind = op.text("eltwise_param.operation", "SUM");
  Lowering::Inputs in = l.all(0, l.count());
  auto weights = op.numbers("eltwise_param.coeff");
  for (const std::int64_t w : numbers_in(op, "eltwise_param.coeff")) weights.push_back(static_cast<double>(w));
  if (kind == "SUM" && weights.size() == in.size()) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (weights[i] != 1) in[i] = l.make("Mul", {in[i], l.number(weights[i])});
    }
  }
  if (kind != "SUM" && kind != "PROD" && kind != "MAX") return false;
  std::int32_t sum = in.at(0);
  for (std::size_t i = 1; i < in.size(); ++i) {
    const char* type = kind == "SUM" ? "Add" : kind == "PROD" ? "Mul" : "Max";
    if (i + 1 == in.size()) {
      l.emit(type, {sum, in[i]}, {l.out()});
    } else {
      sum = l.make(type, {sum, in[i]});
    }
  }
  if (in.size() == 1) l.alias(l.out(), sum);
  return true;
}

// Mean and variance are stored as sums over a number of batches, the third blob.
bool batch_norm(Lowering& l, const ModelOp& op) {
  if (l.count() < 4) return false;
  const std::int64_t channels = l.tensor(l.in(1)).elements();
  const std::int32_t factor = l.reshaped(l.in(3), {1});
  const std::int32_t mean = l.make("Div", {l.reshaped(l.in(1), {channels}), factor});
  const std::int32_t variance = l.make("Div", {l.reshaped(l.in(2), {channels}), factor});
  const std::int32_t ones = l.make("Expand", {l.number(1), l.integers({channels})});
  const std::int32_t zeros = l.make("Expand", {l.number(0), l.integers({channels})});
  l.emit("BatchNormalization", {l.in(0), ones, zeros, mean, variance}, {l.out()},
         {{"epsilon", op.number("batch_norm_param.eps", 1e-5)}});
  return true;
}

bool scale(Lowering& l, const ModelOp& op) {
  if (op.integer("bottoms", 1) != 1 || l.count() < 2) return false;
  if (op.integer("scale_param.axis", 1) != 1) return false;
  const std::int64_t channels = l.tensor(l.in(1)).elements();
  const auto across = [&](std::int32_t t) { return l.reshaped(t, {1, channels, 1, 1}); };
  if (!l.has(2)) {
    l.emit("Mul", {l.in(0), across(l.in(1))}, {l.out()});
    return true;
  }
  const std::int32_t scaled = l.make("Mul", {l.in(0), across(l.in(1))});
  l.emit("Add", {scaled, across(l.in(2))}, {l.out()});
  return true;
}

bool power(Lowering& l, const ModelOp& op) {
  const auto get = [&](const char* key, double fallback) {
    return op.has(key) && op.integer(key, INT64_MIN) != INT64_MIN ? static_cast<double>(op.integer(key, 0))
                                                                  : op.number(key, fallback);
  };
  const double p = get("power_param.power", 1), s = get("power_param.scale", 1), b = get("power_param.shift", 0);
  std::int32_t x = l.in(0);
  if (s != 1) x = l.make("Mul", {x, l.number(s)});
  if (b != 0) x = l.make("Add", {x, l.number(b)});
  if (p != 1) x = l.make("Pow", {x, l.number(p)});
  l.alias(l.out(), x);
  return true;
}

bool slice(Lowering& l, const ModelOp& op) {
  const std::int64_t axis = op.integer("slice_param.axis", op.integer("slice_param.slice_dim", 1));
  const Ints points = numbers_in(op, "slice_param.slice_point");
  if (points.empty()) {
    l.emit("Split", {l.in(0)}, op.outputs, {{"axis", axis}});
    return true;
  }
  std::int64_t from = 0;
  for (std::size_t i = 0; i < op.outputs.size(); ++i) {
    const std::int64_t to = i < points.size() ? points[i] : std::int64_t{1} << 30;
    l.emit("Slice", {l.in(0), l.integers({from}), l.integers({to}), l.integers({axis})}, {op.outputs[i]});
    from = to;
  }
  return true;
}

double slope(const ModelOp& op, const char* key) {
  return op.integer(key, 0) != 0 ? static_cast<double>(op.integer(key, 0)) : op.number(key, 0);
}

}  // namespace

bool lower_caffe(Lowering& l, const ModelOp& op) {
  const std::string& t = op.type;
  if (op.outputs.empty() || (l.count() == 0 && t != "Data")) return false;
  if (t == "Convolution" || t == "Deconvolution") return convolution(l, op, t == "Deconvolution");
  if (t == "Pooling") return pooling(l, op);
  if (t == "InnerProduct") return inner_product(l, op);
  if (t == "Eltwise") return eltwise(l, op);
  if (t == "BatchNorm") return batch_norm(l, op);
  if (t == "Scale") return scale(l, op);
  if (t == "Power") return power(l, op);
  if (t == "Slice") return slice(l, op);
  if (t == "Dropout" || t == "Split") {
    for (const std::int32_t o : op.outputs) l.alias(o, l.in(0));
    return true;
  }
  if (t == "ReLU") {
    const double leak = slope(op, "relu_param.negative_slope");
    if (leak == 0) {
      l.emit("Relu", {l.in(0)}, {l.out()});
    } else {
      l.emit("LeakyRelu", {l.in(0)}, {l.out()}, {{"alpha", leak}});
    }
    return true;
  }
  if (t == "PReLU" && l.has(1)) {
    l.emit("PRelu", {l.in(0), l.reshaped(l.in(1), {-1, 1, 1})}, {l.out()});
    return true;
  }
  if (t == "Concat") {
    l.emit("Concat", l.all(0, l.count()), {l.out()},
           {{"axis", op.integer("concat_param.axis", op.integer("concat_param.concat_dim", 1))}});
    return true;
  }
  if (t == "Softmax") {
    l.emit("Softmax", {l.in(0)}, {l.out()}, {{"axis", op.integer("softmax_param.axis", 1)}});
    return true;
  }
  if (t == "Flatten" && op.integer("flatten_param.end_axis", -1) == -1) {
    l.emit("Flatten", {l.in(0)}, {l.out()}, {{"axis", op.integer("flatten_param.axis", 1)}});
    return true;
  }
  if (t == "Reshape" && !op.has("reshape_param.axis") && !op.has("reshape_param.num_axes")) {
    l.emit("Reshape", {l.in(0), l.integers(numbers_in(op, "reshape_param.shape.dim"))}, {l.out()});
    return true;
  }
  if (t == "Permute") {
    l.emit("Transpose", {l.in(0)}, {l.out()}, {{"perm", numbers_in(op, "permute_param.order")}});
    return true;
  }
  static constexpr std::pair<std::string_view, const char*> kPlain[] = {{"Sigmoid", "Sigmoid"}, {"TanH", "Tanh"},
                                                                        {"AbsVal", "Abs"},      {"ELU", "Elu"},
                                                                        {"Exp", "Exp"},         {"BNLL", "Softplus"}};
  for (const auto& [from, to] : kPlain) {
    if (t != from) continue;
    l.emit(to, {l.in(0)}, {l.out()});
    return true;
  }
  return false;
}

}  // namespace thimble::gauge
