// TensorFlow Lite's operators: layers, pictures, arithmetic. Those that move values are in tflite_movement.cpp.
#include <algorithm>
#include <cstring>

#include "gauge/import/context.h"
#include "gauge/import/tflite_movement.h"

namespace thimble::gauge {

using namespace graph;

namespace {

// ActivationFunctionType: none, relu, relu -1 to 1, relu6, tanh, sign.
Value activated(Context& c, const Value& x) {
  Emitter& e = c.e;
  switch (c.op.integer("activation", 0)) {
    case 0: return x;
    case 1: return e.unary(UnaryKind::relu, x);
    case 2: return e.clamp(x, -1, 1);
    case 3: return e.clamp(x, 0, 6);
    case 4: return e.unary(UnaryKind::tanh, x);
    default: fail(ErrorKind::unsupported, "activation {}", c.op.integer("activation", 0));
  }
}

void want_rank(const Value& v, std::int64_t rank, const char* what) {
  if (v.rank() != rank) fail(ErrorKind::bad_file, "{} {}; {} axes were wanted", what, to_string(v.type), rank);
}

// Padding SAME: the result has ceil(in / stride) places and the odd zero stands behind.
void pad_axis(bool same, std::int64_t in, std::int64_t extent, std::int64_t stride, std::int64_t& low,
              std::int64_t& high) {
  if (stride < 1) fail(ErrorKind::bad_file, "a stride of {}", stride);
  const std::int64_t out = (in + stride - 1) / stride;
  const std::int64_t total = same ? std::max<std::int64_t>((out - 1) * stride + extent - in, 0) : 0;
  low = total / 2;
  high = total - low;
}

// kernel in Window::kernel is given; stride, dilation and padding come from the options.
Window window_of(const ModelOp& op, const Value& x, std::int64_t kh, std::int64_t kw) {
  Window w;
  w.kernel = {kh, kw};
  w.stride = {op.integer("stride_h", 1), op.integer("stride_w", 1)};
  w.dilation = {op.integer("dilation_h", 1), op.integer("dilation_w", 1)};
  const bool same = op.integer("padding", 0) == 0;
  pad_axis(same, x.dim(1), (kh - 1) * w.dilation[0] + 1, w.stride[0], w.padding[0], w.padding[2]);
  pad_axis(same, x.dim(2), (kw - 1) * w.dilation[1] + 1, w.stride[1], w.padding[1], w.padding[3]);
  return w;
}

void conv_2d(Context& c) {  // filter (O, kh, kw, I)
  const Value &x = c.in(0), &f = c.in(1);
  want_rank(x, 4, "input");
  want_rank(f, 4, "filter");
  if (f.dim(3) < 1 || x.dim(3) % f.dim(3) != 0) {
    fail(ErrorKind::bad_file, "filter {} over input {}", to_string(f.type), to_string(x.type));
  }
  const Window w = window_of(c.op, x, f.dim(1), f.dim(2));
  c.out(activated(c, c.e.conv2d(x, c.e.transpose(f, {0, 3, 1, 2}), c.optional(2), w, x.dim(3) / f.dim(3))));
}

void depthwise_conv_2d(Context& c) {  // filter (1, kh, kw, O)
  const Value &x = c.in(0), &f = c.in(1);
  want_rank(x, 4, "input");
  want_rank(f, 4, "filter");
  const Window w = window_of(c.op, x, f.dim(1), f.dim(2));
  c.out(activated(c, c.e.conv2d(x, c.e.transpose(f, {3, 0, 1, 2}), c.optional(2), w, x.dim(3))));
}

// out (N, H, W, O) from x (N, h, w, I) by a filter (O, kh, kw, I).
Value transposed_conv(Context& c, const Value& x, const Value& f, const Value* bias, std::int64_t out_h,
                      std::int64_t out_w, std::int64_t stride_h, std::int64_t stride_w, bool same) {
  want_rank(x, 4, "input");
  want_rank(f, 4, "filter");
  Window w;
  w.kernel = {f.dim(1), f.dim(2)};
  w.stride = {stride_h, stride_w};
  std::int64_t high[2];
  pad_axis(same, out_h, f.dim(1), stride_h, w.padding[0], high[0]);
  pad_axis(same, out_w, f.dim(2), stride_w, w.padding[1], high[1]);
  w.padding[2] = high[0];
  w.padding[3] = high[1];
  const Ints extra{out_h - ((x.dim(1) - 1) * stride_h + f.dim(1) - w.padding[0] - w.padding[2]),
                   out_w - ((x.dim(2) - 1) * stride_w + f.dim(2) - w.padding[1] - w.padding[3])};
  return c.e.conv_transpose2d(x, c.e.transpose(f, {3, 0, 1, 2}), bias, w, 1, extra);
}

void transpose_conv(Context& c) {  // output shape, filter, input, [bias]
  const auto shape = c.e.known_integers(c.in(0), "the output's shape");
  if (shape.size() != 4) fail(ErrorKind::bad_file, "an output shape of {} axes", shape.size());
  const bool same = c.op.integer("padding", 0) == 0;
  c.out(activated(c, transposed_conv(c, c.in(2), c.in(1), c.optional(3), shape[1], shape[2],
                                     c.op.integer("stride_h", 1), c.op.integer("stride_w", 1), same)));
}

// MediaPipe's: input, filter, bias; options are three 32-bit integers: padding (1 same, 2 valid), stride_w, stride_h.
void transpose_conv_bias(Context& c) {
  const std::string_view raw = c.op.text("custom", {});
  std::int32_t options[3];
  if (raw.size() < sizeof(options)) fail(ErrorKind::bad_file, "options of {} bytes", raw.size());
  std::memcpy(options, raw.data(), sizeof(options));
  const Value &x = c.in(0), &f = c.in(1);
  want_rank(x, 4, "input");
  want_rank(f, 4, "filter");
  if (options[0] != 1 && options[0] != 2) fail(ErrorKind::unsupported, "padding {}", options[0]);
  const bool same = options[0] == 1;
  const std::int64_t sw = options[1], sh = options[2];
  const std::int64_t out_h = x.dim(1) * sh + (same ? 0 : std::max<std::int64_t>(f.dim(1) - sh, 0));
  const std::int64_t out_w = x.dim(2) * sw + (same ? 0 : std::max<std::int64_t>(f.dim(2) - sw, 0));
  c.out(transposed_conv(c, x, f, c.optional(2), out_h, out_w, sh, sw, same));
}

template <PoolKind kind>
void pool(Context& c) {
  const Value& x = c.in(0);
  want_rank(x, 4, "input");
  const Window w = window_of(c.op, x, c.op.integer("filter_h", 1), c.op.integer("filter_w", 1));
  c.out(activated(c, c.e.pool2d(kind, x, w, false)));
}

void fully_connected(Context& c) {  // weight (O, I)
  const Value &x = c.in(0), &w = c.in(1);
  want_rank(w, 2, "weight");
  if (c.op.integer("weights_format", 0) != 0) fail(ErrorKind::unsupported, "shuffled weights");
  Shape out = x.shape();
  Value rows = x;
  if (c.op.integer("keep_num_dims", 0) == 0) {
    if (w.dim(1) < 1) fail(ErrorKind::bad_file, "weight {}", to_string(w.type));
    rows = c.e.reshape(x, {x.type.elements() / w.dim(1), w.dim(1)});
  }
  c.out(activated(c, c.e.linear(rows, w, c.optional(2))));
}

void batch_matmul(Context& c) {
  c.out(c.e.matmul(c.in(0), c.in(1), c.op.integer("transpose_a", 0) != 0, c.op.integer("transpose_b", 0) != 0));
}

template <bool bilinear>
void resize(Context& c) {
  const auto size = c.e.known_integers(c.in(1), "the size to resize to");
  if (size.size() != 2) fail(ErrorKind::bad_file, "a size of {} numbers", size.size());
  const bool corners = c.op.integer("align_corners", 0) != 0, half = c.op.integer("half_pixel_centers", 0) != 0;
  c.out(c.e.resize(c.in(0), {.mode = bilinear ? ResizeMode::bilinear : ResizeMode::nearest,
                             .height = size[0],
                             .width = size[1],
                             .grid = corners ? ResizeGrid::align_corners
                                     : half  ? ResizeGrid::half_pixel
                                             : ResizeGrid::asymmetric}));
}

template <UnaryKind kind>
void unary(Context& c) {
  c.out(c.e.unary(kind, c.in(0)));
}

template <BinaryKind kind>
void binary(Context& c) {
  c.out(activated(c, c.e.binary(kind, c.in(0), c.in(1))));
}

template <BinaryKind kind, bool negated = false>
void compare(Context& c) {
  const Value y = c.e.binary(kind, c.in(0), c.in(1));
  c.out(negated ? c.e.logical_not(y) : y);
}

template <ReduceKind kind>
void reduce(Context& c) {
  const Value& x = c.in(0);
  const Ints axes = Context::axes(c.e.known_integers(c.in(1), "axes"), x.rank());
  c.out(c.e.reduce(kind, x, axes, c.op.integer("keep_dims", 0) != 0));
}

void softmax(Context& c) {
  const double beta = c.op.number("beta", 1);
  const Value x = beta == 1 ? c.in(0) : c.e.mul(c.in(0), c.e.scalar(beta));
  c.out(c.e.softmax(x, Context::axis(-1, x.rank())));
}

void cast(Context& c) {
  if (c.op.outputs.empty()) return;
  const DType to = c.graph.tensors[static_cast<std::size_t>(c.op.outputs[0])].type.dtype.value_or(DType::f32);
  const Value& x = c.in(0);
  c.out(c.e.cast(x, to));
}

void l2_normalization(Context& c) {
  const Value& x = c.in(0);
  const Value squares =
      c.e.reduce(ReduceKind::sum, c.e.unary(UnaryKind::square, x), {Context::axis(-1, x.rank())}, true);
  const Value norm = c.e.unary(UnaryKind::rsqrt, c.e.binary(BinaryKind::max, squares, c.e.scalar(1e-6)));
  c.out(activated(c, c.e.mul(x, norm)));
}

void if_op(Context& c) {
  const Value& condition = c.in(0);
  const std::vector<Value> arguments(c.all().begin() + 1, c.all().end());
  c.choose(condition, c.op.integer("then_branch", 0), c.op.integer("else_branch", 0), arguments);
}

void floor_div(Context& c) {
  const Value &a = c.in(0), &b = c.in(1);
  const Value q = c.e.div(c.e.cast(a, DType::f32), c.e.cast(b, DType::f32));
  c.out(c.e.cast(c.e.unary(UnaryKind::floor, q), a.type.dtype));
}

// Dequantising and densifying were done when the constant was read; a computed value holds real numbers already.
void same(Context& c) { c.out(c.in(0)); }

}  // namespace

const HandlerTable& tflite_handlers() {
  static const HandlerTable table = [] {
    HandlerTable t = tflite_movement_handlers();
    const HandlerTable more{
        {"CONV_2D", conv_2d},
        {"DEPTHWISE_CONV_2D", depthwise_conv_2d},
        {"TRANSPOSE_CONV", transpose_conv},
        {"CUSTOM:Convolution2DTransposeBias", transpose_conv_bias},
        {"MAX_POOL_2D", pool<PoolKind::max>},
        {"AVERAGE_POOL_2D", pool<PoolKind::average>},
        {"FULLY_CONNECTED", fully_connected},
        {"BATCH_MATMUL", batch_matmul},
        {"RESIZE_BILINEAR", resize<true>},
        {"RESIZE_NEAREST_NEIGHBOR", resize<false>},
        {"RELU", unary<UnaryKind::relu>},
        {"RELU6", [](Context& c) { c.out(c.e.clamp(c.in(0), 0, 6)); }},
        {"RELU_N1_TO_1", [](Context& c) { c.out(c.e.clamp(c.in(0), -1, 1)); }},
        {"RELU_0_TO_1", [](Context& c) { c.out(c.e.clamp(c.in(0), 0, 1)); }},
        {"LEAKY_RELU", [](Context& c) { c.out(leaky_relu(c.e, c.in(0), c.op.number("alpha", 0))); }},
        {"PRELU", [](Context& c) { c.out(parametric_relu(c.e, c.in(0), c.in(1))); }},
        {"ELU", [](Context& c) { c.out(elu(c.e, c.in(0), 1)); }},
        {"HARD_SWISH", unary<UnaryKind::hard_swish>},
        {"GELU",
         [](Context& c) {
           const bool close = c.op.integer("approximate", 0) != 0;
           c.out(c.e.unary(close ? UnaryKind::gelu_tanh : UnaryKind::gelu, c.in(0)));
         }},
        {"LOGISTIC", unary<UnaryKind::sigmoid>},
        {"TANH", unary<UnaryKind::tanh>},
        {"EXP", unary<UnaryKind::exp>},
        {"LOG", unary<UnaryKind::log>},
        {"SQRT", unary<UnaryKind::sqrt>},
        {"RSQRT", unary<UnaryKind::rsqrt>},
        {"SQUARE", unary<UnaryKind::square>},
        {"SIN", unary<UnaryKind::sin>},
        {"COS", unary<UnaryKind::cos>},
        {"NEG", unary<UnaryKind::neg>},
        {"ABS", unary<UnaryKind::abs>},
        {"SIGN", unary<UnaryKind::sign>},
        {"FLOOR", unary<UnaryKind::floor>},
        {"ROUND", unary<UnaryKind::round>},
        {"CEIL",
         [](Context& c) {
           c.out(c.e.unary(UnaryKind::neg, c.e.unary(UnaryKind::floor, c.e.unary(UnaryKind::neg, c.in(0)))));
         }},
        {"ADD", binary<BinaryKind::add>},
        {"SUB", binary<BinaryKind::sub>},
        {"MUL", binary<BinaryKind::mul>},
        {"DIV", binary<BinaryKind::div>},
        {"MAXIMUM", binary<BinaryKind::max>},
        {"MINIMUM", binary<BinaryKind::min>},
        {"POW", binary<BinaryKind::pow>},
        {"FLOOR_DIV", floor_div},
        {"SQUARED_DIFFERENCE", [](Context& c) { c.out(c.e.unary(UnaryKind::square, c.e.sub(c.in(0), c.in(1)))); }},
        {"ADD_N",
         [](Context& c) {
           Value sum = c.in(0);
           for (std::size_t i = 1; i < c.count(); ++i) sum = c.e.add(sum, c.in(i));
           c.out(sum);
         }},
        {"EQUAL", compare<BinaryKind::equal>},
        {"NOT_EQUAL", compare<BinaryKind::equal, true>},
        {"LESS", compare<BinaryKind::less>},
        {"GREATER", compare<BinaryKind::greater>},
        {"GREATER_EQUAL", compare<BinaryKind::less, true>},
        {"LESS_EQUAL", compare<BinaryKind::greater, true>},
        {"LOGICAL_NOT", unary<UnaryKind::logical_not>},
        {"LOGICAL_AND",
         [](Context& c) { c.out(c.e.cast(c.e.binary(BinaryKind::min, c.in(0), c.in(1)), DType::boolean)); }},
        {"LOGICAL_OR",
         [](Context& c) { c.out(c.e.cast(c.e.binary(BinaryKind::max, c.in(0), c.in(1)), DType::boolean)); }},
        {"SELECT", [](Context& c) { c.out(c.e.where(c.in(0), c.in(1), c.in(2))); }},
        {"SELECT_V2", [](Context& c) { c.out(c.e.where(c.in(0), c.in(1), c.in(2))); }},
        {"MEAN", reduce<ReduceKind::mean>},
        {"SUM", reduce<ReduceKind::sum>},
        {"REDUCE_MAX", reduce<ReduceKind::max>},
        {"REDUCE_MIN", reduce<ReduceKind::min>},
        {"REDUCE_PROD", reduce<ReduceKind::prod>},
        {"SOFTMAX", softmax},
        {"LOG_SOFTMAX", [](Context& c) { c.out(log_softmax(c.e, c.in(0), Context::axis(-1, c.in(0).rank()))); }},
        {"L2_NORMALIZATION", l2_normalization},
        {"CAST", cast},
        {"DEQUANTIZE", same},
        {"QUANTIZE", same},
        {"DENSIFY", same},
        {"FAKE_QUANT", same},
        {"IF", if_op},
    };
    t.insert(more.begin(), more.end());
    return t;
  }();
  return table;
}

}  // namespace thimble::gauge
