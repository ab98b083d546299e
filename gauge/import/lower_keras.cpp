// Keras layers in TFLite's words. Weights stand behind the inputs, kernel first, then the bias.
#include "gauge/import/lower.h"

namespace thimble::gauge {
namespace {

using Ints = std::vector<std::int64_t>;

// Negative slopes and the like have no place in these names; layers of their own have them.
bool activate(Lowering& l, std::string_view kind, std::int32_t x) {
  static constexpr std::pair<std::string_view, const char*> kKinds[] = {
      {"relu", "RELU"},       {"relu6", "RELU6"}, {"sigmoid", "LOGISTIC"}, {"tanh", "TANH"},
      {"softmax", "SOFTMAX"}, {"elu", "ELU"},     {"exponential", "EXP"}};
  if (kind == "linear" || kind.empty()) {
    l.alias(l.out(), x);
    return true;
  }
  if (kind == "swish" || kind == "silu") {
    l.emit("MUL", {x, l.make("LOGISTIC", {x})}, {l.out()});
    return true;
  }
  for (const auto& [from, to] : kKinds) {
    if (kind != from) continue;
    l.emit(to, {x}, {l.out()});
    return true;
  }
  return false;
}

std::int64_t at(const ModelOp& op, std::string_view key, std::size_t i, std::int64_t fallback) {
  const Ints v = numbers_in(op, key);
  return v.empty() ? fallback : v[std::min(i, v.size() - 1)];
}

bool convolution(Lowering& l, const ModelOp& op, bool depthwise) {
  if (op.text("data_format", "channels_last") != "channels_last" || !l.has(1)) return false;
  const graph::Shape s = l.tensor(l.in(1)).shape;
  if (s.size() != 4) return false;
  const std::int32_t kernel = l.real(l.in(1));
  Lowering::Inputs in{l.in(0), depthwise ? l.reshaped(kernel, {1, s[0], s[1], s[2] * s[3]})
                                         : l.make("TRANSPOSE", {kernel, l.integers({3, 0, 1, 2})})};
  if (l.has(2)) in.push_back(l.real(l.in(2)));
  const std::int32_t y = l.make(depthwise ? "DEPTHWISE_CONV_2D" : "CONV_2D", std::move(in),
                                {{"padding", std::int64_t{op.text("padding", "valid") != "same"}},
                                 {"stride_h", at(op, "strides", 0, 1)},
                                 {"stride_w", at(op, "strides", 1, 1)},
                                 {"dilation_h", at(op, "dilation_rate", 0, 1)},
                                 {"dilation_w", at(op, "dilation_rate", 1, 1)}});
  return activate(l, op.text("activation", "linear"), y);
}

// Adds, products and the like of two or more.
bool chain(Lowering& l, const char* type) {
  std::int32_t y = l.in(0);
  if (l.count() < 2) return false;
  for (std::size_t i = 1; i + 1 < l.count(); ++i) y = l.make(type, {y, l.in(i)});
  l.emit(type, {y, l.in(l.count() - 1)}, {l.out()});
  return true;
}

bool batch_normalization(Lowering& l, const ModelOp& op) {
  if (l.count() != 5) return false;  // gamma, beta, mean, variance
  const std::int32_t eps = l.number(op.number("epsilon", 1e-3));
  const std::int32_t scale = l.make("MUL", {l.real(l.in(1)), l.make("RSQRT", {l.make("ADD", {l.real(l.in(4)), eps})})});
  const std::int32_t shift = l.make("SUB", {l.real(l.in(2)), l.make("MUL", {l.real(l.in(3)), scale})});
  l.emit("ADD", {l.make("MUL", {l.in(0), scale}), shift}, {l.out()});
  return true;
}

}  // namespace

bool lower_keras(Lowering& l, const ModelOp& op) {
  const std::string& t = op.type;
  if (l.count() == 0 || op.outputs.empty()) return false;
  if (t == "Conv2D" || t == "DepthwiseConv2D") return convolution(l, op, t == "DepthwiseConv2D");
  if (t == "Add") return chain(l, "ADD");
  if (t == "Multiply") return chain(l, "MUL");
  if (t == "Subtract") return chain(l, "SUB");
  if (t == "Maximum") return chain(l, "MAXIMUM");
  if (t == "BatchNormalization") return batch_normalization(l, op);
  if (t == "Activation") return activate(l, op.text("activation", "linear"), l.in(0));
  if (t == "Dropout" || t == "SpatialDropout2D" || t == "GaussianNoise") {
    l.alias(l.out(), l.in(0));
    return true;
  }
  if (t == "Concatenate") {
    l.emit("CONCATENATION", l.all(0, l.count()), {l.out()}, {{"axis", op.integer("axis", -1)}});
    return true;
  }
  if (t == "Dense" && l.has(1)) {
    Lowering::Inputs in{l.in(0), l.make("TRANSPOSE", {l.real(l.in(1)), l.integers({1, 0})})};
    if (l.has(2)) in.push_back(l.real(l.in(2)));
    return activate(l, op.text("activation", "linear"),
                    l.make("FULLY_CONNECTED", std::move(in), {{"keep_num_dims", std::int64_t{1}}}));
  }
  if (t == "UpSampling2D" && op.text("data_format", "channels_last") == "channels_last") {
    const bool nearest = op.text("interpolation", "nearest") == "nearest";
    if (!nearest && op.text("interpolation", "") != "bilinear") return false;
    const std::int32_t shape = l.make("SHAPE", {l.in(0)});
    const std::int32_t size = l.make("SLICE", {shape, l.integers({1}), l.integers({2})});
    const std::int32_t to = l.make("MUL", {size, l.integers({at(op, "size", 0, 1), at(op, "size", 1, 1)})});
    l.emit(nearest ? "RESIZE_NEAREST_NEIGHBOR" : "RESIZE_BILINEAR", {l.in(0), to}, {l.out()},
           {{"half_pixel_centers", std::int64_t{1}}});
    return true;
  }
  if (t == "MaxPooling2D" || t == "AveragePooling2D") {
    if (op.text("data_format", "channels_last") != "channels_last") return false;
    l.emit(t == "MaxPooling2D" ? "MAX_POOL_2D" : "AVERAGE_POOL_2D", {l.in(0)}, {l.out()},
           {{"padding", std::int64_t{op.text("padding", "valid") != "same"}},
            {"filter_h", at(op, "pool_size", 0, 2)},
            {"filter_w", at(op, "pool_size", 1, 2)},
            {"stride_h", at(op, "strides", 0, at(op, "pool_size", 0, 2))},
            {"stride_w", at(op, "strides", 1, at(op, "pool_size", 1, 2))}});
    return true;
  }
  if (t == "GlobalAveragePooling2D" || t == "GlobalMaxPooling2D") {
    l.emit(t == "GlobalMaxPooling2D" ? "REDUCE_MAX" : "MEAN", {l.in(0), l.integers({1, 2})}, {l.out()},
           {{"keep_dims", op.integer("keepdims", 0)}});
    return true;
  }
  if (t == "ZeroPadding2D") {
    const Ints p = numbers_in(op, "padding");
    if (p.size() != 4) return false;
    l.emit("PAD", {l.in(0), l.reshaped(l.integers({0, 0, p[0], p[1], p[2], p[3], 0, 0}), {4, 2})}, {l.out()});
    return true;
  }
  if (t == "ReLU") {
    if (op.number("threshold", 0) != 0 || op.number("negative_slope", 0) != 0) return false;
    const bool six = op.number("max_value", 0) == 6 || op.integer("max_value", 0) == 6;
    if (!six && op.has("max_value")) return false;
    l.emit(six ? "RELU6" : "RELU", {l.in(0)}, {l.out()});
    return true;
  }
  if (t == "LeakyReLU") {
    l.emit("LEAKY_RELU", {l.in(0)}, {l.out()}, {{"alpha", op.number("alpha", op.number("negative_slope", 0.3))}});
    return true;
  }
  if (t == "Softmax") {
    l.emit("SOFTMAX", {l.in(0)}, {l.out()});
    return true;
  }
  if (t == "Reshape" || t == "Flatten") {
    Ints shape = t == "Flatten" ? Ints{-1} : numbers_in(op, "target_shape");
    shape.insert(shape.begin(), 1);
    l.emit("RESHAPE", {l.in(0), l.integers(shape)}, {l.out()});
    return true;
  }
  return false;
}

}  // namespace thimble::gauge
