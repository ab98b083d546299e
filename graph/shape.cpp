// Shape rules: the type of every op's result. The constraints C1, C2 … are those of graph/ops/*.h.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/index.h"
#include "graph/op.h"

namespace thimble::graph {
namespace {

using Types = std::span<const TensorType>;

void arity(Types in, std::size_t low, std::size_t high) {
  if (in.size() < low || in.size() > high) {
    fail(ErrorKind::bad_input, "{} inputs came, {} were wanted", in.size(),
         low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high));
  }
}

void want(bool ok, const char* constraint, const TensorType& came) {
  if (!ok) fail(ErrorKind::bad_input, "{} was wanted, {} came", constraint, to_string(came));
}

void want_shape(const TensorType& type, const Shape& shape, const char* what) {
  if (type.shape != shape) {
    fail(ErrorKind::bad_input, "{} must have shape {}, {} came", what, to_string(shape), to_string(type));
  }
}

void want_axis(std::int64_t axis, const TensorType& type) {
  if (axis < 0 || axis >= static_cast<std::int64_t>(type.shape.size())) {
    fail(ErrorKind::bad_input, "axis {} is out of range for {}", axis, to_string(type));
  }
}

TensorType infer(const Constant& op, Types in) {
  arity(in, 0, 0);
  const std::int64_t n = element_count(op.shape);
  if (n > 4096 || (static_cast<std::int64_t>(op.values.size()) != n && op.values.size() != 1)) {
    fail(ErrorKind::bad_input, "{} values were given for the shape {} (at most 4096)", op.values.size(),
         to_string(op.shape));
  }
  return {op.dtype, op.shape};
}

TensorType infer(const Unary& op, Types in) {
  arity(in, 1, 1);
  const bool any = op.kind == UnaryKind::neg || op.kind == UnaryKind::abs || op.kind == UnaryKind::sign;
  if (op.kind == UnaryKind::logical_not) {
    want(in[0].dtype == DType::boolean, "C1: a bool input", in[0]);
  } else {
    want(is_float(in[0].dtype) || (any && in[0].dtype != DType::boolean), "C1: a floating input", in[0]);
  }
  return in[0];
}

TensorType infer(const Binary& op, Types in) {
  arity(in, 2, 2);
  want(in[0].dtype == in[1].dtype, "C1: equal dtypes", in[1]);
  want(in[0].dtype != DType::boolean, "C1: numbers", in[0]);
  return {is_comparison(op.kind) ? DType::boolean : in[0].dtype, broadcast_shapes(in[0].shape, in[1].shape)};
}

TensorType infer(const Where&, Types in) {
  arity(in, 3, 3);
  want(in[0].dtype == DType::boolean, "C1: a bool condition", in[0]);
  want(in[1].dtype == in[2].dtype, "C2: equal dtypes", in[2]);
  return {in[1].dtype, broadcast_shapes(in[0].shape, broadcast_shapes(in[1].shape, in[2].shape))};
}

TensorType infer(const Cast& op, Types in) {
  arity(in, 1, 1);
  return {op.dtype, in[0].shape};
}

TensorType infer(const Glu&, Types in) {
  arity(in, 1, 1);
  want(is_float(in[0].dtype) && !in[0].shape.empty() && in[0].shape.back() % 2 == 0, "a floating (..., 2C)", in[0]);
  TensorType out = in[0];
  out.shape.back() /= 2;
  return out;
}

TensorType infer(const Reshape& op, Types in) {
  arity(in, 1, 1);
  if (element_count(op.shape) != in[0].elements()) {
    fail(ErrorKind::bad_input, "C1: {} does not hold the elements of {}", to_string(op.shape), to_string(in[0]));
  }
  return {in[0].dtype, op.shape};
}

TensorType infer(const Transpose& op, Types in) {
  arity(in, 1, 1);
  Ints sorted = op.perm;
  std::ranges::sort(sorted);
  bool ok = sorted.size() == in[0].shape.size();
  for (std::size_t i = 0; ok && i < sorted.size(); ++i) ok = sorted[i] == static_cast<std::int64_t>(i);
  if (!ok)
    fail(ErrorKind::bad_input, "C1: {} is not a permutation of the axes of {}", to_string(op.perm), to_string(in[0]));
  TensorType out{in[0].dtype, {}};
  for (std::int64_t p : op.perm) out.shape.push_back(in[0].shape[index(p)]);
  return out;
}

TensorType infer(const Broadcast& op, Types in) {
  arity(in, 1, 1);
  if (broadcast_shapes(in[0].shape, op.shape) != op.shape) {
    fail(ErrorKind::bad_input, "{} does not broadcast to {}", to_string(in[0]), to_string(op.shape));
  }
  return {in[0].dtype, op.shape};
}

TensorType infer(const Slice& op, Types in) {
  arity(in, 1, 1);
  want_axis(op.axis, in[0]);
  const std::int64_t size = in[0].shape[index(op.axis)];
  if (op.begin < 0 || op.end < op.begin || op.end > size) {
    fail(ErrorKind::bad_input, "C1: {}:{} is not inside axis {} of {}", op.begin, op.end, op.axis, to_string(in[0]));
  }
  if (op.step < 1) fail(ErrorKind::bad_input, "C2: a step of at least 1 was wanted, {} came", op.step);
  TensorType out = in[0];
  out.shape[index(op.axis)] = (op.end - op.begin + op.step - 1) / op.step;
  return out;
}

TensorType infer(const Pad& op, Types in) {
  arity(in, 1, 1);
  const std::size_t rank = in[0].shape.size();
  if (op.before.size() != rank || op.after.size() != rank) {
    fail(ErrorKind::bad_input, "padding for {} axes was wanted, {} and {} came", rank, op.before.size(),
         op.after.size());
  }
  TensorType out = in[0];
  for (std::size_t i = 0; i < rank; ++i) {
    if (op.before[i] < 0 || op.after[i] < 0) fail(ErrorKind::bad_input, "padding must not be negative");
    out.shape[i] += op.before[i] + op.after[i];
  }
  return out;
}

TensorType infer(const Concat& op, Types in) {
  arity(in, 1, 1024);
  want_axis(op.axis, in[0]);
  TensorType out = in[0];
  for (std::size_t i = 1; i < in.size(); ++i) {
    Shape rest = in[i].shape;
    if (rest.size() != out.shape.size())
      fail(ErrorKind::bad_input, "ranks differ: {} and {}", to_string(in[0]), to_string(in[i]));
    out.shape[index(op.axis)] += rest[index(op.axis)];
    rest[index(op.axis)] = in[0].shape[index(op.axis)];
    if (rest != in[0].shape || in[i].dtype != out.dtype) {
      fail(ErrorKind::bad_input, "{} and {} do not join along axis {}", to_string(in[0]), to_string(in[i]), op.axis);
    }
  }
  return out;
}

TensorType infer(const Gather& op, Types in) {
  arity(in, 2, 2);
  want_axis(op.axis, in[0]);
  want(in[1].dtype == DType::i32, "i32 indices", in[1]);
  want(in[0].shape[index(op.axis)] > 0, "a table with at least one row", in[0]);
  const auto at = in[0].shape.begin() + op.axis;
  Shape shape(in[0].shape.begin(), at);
  shape.insert(shape.end(), in[1].shape.begin(), in[1].shape.end());
  shape.insert(shape.end(), at + 1, in[0].shape.end());
  return {in[0].dtype, shape};
}

TensorType infer(const Reduce& op, Types in) {
  arity(in, 1, 1);
  want(is_float(in[0].dtype), "a floating input", in[0]);
  std::set<std::int64_t> axes(op.axes.begin(), op.axes.end());
  if (axes.size() != op.axes.size() || !std::ranges::is_sorted(op.axes) || axes.empty()) {
    fail(ErrorKind::bad_input, "axes must be ascending, each once, at least one; {} came", to_string(op.axes));
  }
  for (std::int64_t a : op.axes) want_axis(a, in[0]);
  TensorType out{in[0].dtype, {}};
  for (std::size_t i = 0; i < in[0].shape.size(); ++i) {
    if (!axes.contains(static_cast<std::int64_t>(i))) {
      out.shape.push_back(in[0].shape[i]);
    } else if (op.keep_dims) {
      out.shape.push_back(1);
    }
  }
  return out;
}

TensorType infer(const Softmax& op, Types in) {
  arity(in, 1, 1);
  want(is_float(in[0].dtype), "a floating input", in[0]);
  want_axis(op.axis, in[0]);
  return in[0];
}

TensorType infer(const MatMul& op, Types in) {
  arity(in, 2, 2);
  for (auto& t : in) want(is_float(t.dtype) && t.shape.size() >= 2, "a floating matrix", t);
  want(in[0].dtype == in[1].dtype, "equal dtypes", in[1]);
  auto dims = [](const TensorType& t, bool swap) {
    const std::size_t r = t.shape.size();
    return swap ? std::pair{t.shape[r - 1], t.shape[r - 2]} : std::pair{t.shape[r - 2], t.shape[r - 1]};
  };
  const auto [m, k] = dims(in[0], op.transpose_a);
  const auto [k2, n] = dims(in[1], op.transpose_b);
  if (k != k2)
    fail(ErrorKind::bad_input, "inner sizes {} and {} differ: {} times {}", k, k2, to_string(in[0]), to_string(in[1]));
  Shape out = broadcast_shapes(Shape(in[0].shape.begin(), in[0].shape.end() - 2),
                               Shape(in[1].shape.begin(), in[1].shape.end() - 2));
  out.push_back(m);
  out.push_back(n);
  return {in[0].dtype, out};
}

TensorType infer(const Linear&, Types in) {
  arity(in, 2, 3);
  want(is_float(in[0].dtype) && !in[0].shape.empty(), "a floating (..., I)", in[0]);
  want(in[1].shape.size() == 2 && in[1].shape[1] == in[0].shape.back(), "a weight (O, I) that fits the input", in[1]);
  if (in.size() == 3) want_shape(in[2], {in[1].shape[0]}, "the bias");
  TensorType out = in[0];
  out.shape.back() = in[1].shape[0];
  return out;
}

TensorType infer(const QuantLinear& op, Types in) {
  arity(in, 3, 4);
  want(is_float(in[0].dtype) && !in[0].shape.empty(), "C4: a floating (..., I)", in[0]);
  if (op.bits != 8 && op.bits != 4) fail(ErrorKind::bad_input, "C2: bits 8 or 4 were wanted, {} came", op.bits);
  if (op.activations != 8 && op.activations != 16) {
    fail(ErrorKind::bad_input, "C1: activations of 8 or 16 bits were wanted, {} came", op.activations);
  }
  if (op.group != 0 && op.group != 32 && op.group != 64 && op.group != 128) {
    fail(ErrorKind::bad_input, "C3: a group of 0, 32, 64 or 128 was wanted, {} came", op.group);
  }
  const std::int64_t inputs = in[0].shape.back(), per_byte = op.bits == 4 ? 2 : 1;
  want(in[1].dtype == (op.bits == 4 ? DType::u8 : DType::i8) && in[1].shape.size() == 2 && inputs % per_byte == 0 &&
           in[1].shape[1] == inputs / per_byte,
       op.bits == 4 ? "C2: a weight u8 (O, I / 2), I even" : "C2: a weight i8 (O, I)", in[1]);
  const std::int64_t outputs = in[1].shape[0], groups = op.group == 0 ? 1 : (inputs + op.group - 1) / op.group;
  want(in[2].dtype == DType::f32, "scales of f32", in[2]);
  want_shape(in[2], {outputs, groups}, "the scale");
  if (in.size() == 4) want_shape(in[3], {outputs}, "the bias");
  TensorType out = in[0];
  out.shape.back() = outputs;
  return out;
}

std::int64_t window(std::int64_t size, std::int64_t before, std::int64_t after, std::int64_t kernel,
                    std::int64_t stride) {
  const std::int64_t room = size + before + after - kernel;
  if (room < 0)
    fail(ErrorKind::bad_input, "a window of {} does not fit {} with padding {} and {}", kernel, size, before, after);
  return room / stride + 1;
}

void want_window(const Ints& stride, const Ints& padding, const Ints& extent) {
  const bool ok = stride.size() == 2 && padding.size() == 4 && extent.size() == 2 && std::ranges::min(stride) >= 1 &&
                  std::ranges::min(padding) >= 0 && std::ranges::min(extent) >= 1;
  if (!ok)
    fail(ErrorKind::bad_input, "stride, dilation and kernel take 2 sizes of at least 1, padding 4 of at least 0");
}

TensorType infer(const Conv2d& op, Types in) {
  arity(in, 2, 3);
  want(is_float(in[0].dtype) && in[0].shape.size() == 4, "a floating (B, H, W, C)", in[0]);
  want(in[1].shape.size() == 4 && op.groups >= 1 && in[1].shape[0] % op.groups == 0 &&
           in[1].shape[1] * op.groups == in[0].shape[3] && in[1].shape[2] >= 1 && in[1].shape[3] >= 1,
       "a weight (O, I/groups, kh, kw) that fits the input", in[1]);
  if (in.size() == 3) want_shape(in[2], {in[1].shape[0]}, "the bias");
  want_window(op.stride, op.padding, op.dilation);
  const std::int64_t kh = (in[1].shape[2] - 1) * op.dilation[0] + 1, kw = (in[1].shape[3] - 1) * op.dilation[1] + 1;
  return {in[0].dtype,
          {in[0].shape[0], window(in[0].shape[1], op.padding[0], op.padding[2], kh, op.stride[0]),
           window(in[0].shape[2], op.padding[1], op.padding[3], kw, op.stride[1]), in[1].shape[0]}};
}

TensorType infer(const QuantConv2d& op, Types in) {
  arity(in, 3, 4);
  want(in[1].dtype == DType::i8, "a weight i8 (O, I/groups, kh, kw)", in[1]);
  const TensorType out = infer(Conv2d{op.stride, op.padding, op.dilation, op.groups}, in.first(2));
  want(in[2].dtype == DType::f32, "scales of f32", in[2]);
  want_shape(in[2], {in[1].shape[0], 1}, "the scale");
  if (in.size() == 4) want_shape(in[3], {in[1].shape[0]}, "the bias");
  return out;
}

TensorType infer(const Pool2d& op, Types in) {
  arity(in, 1, 1);
  want(is_float(in[0].dtype) && in[0].shape.size() == 4, "a floating (B, H, W, C)", in[0]);
  want_window(op.stride, op.padding, op.kernel);
  for (int i : {0, 1}) {
    if (op.padding[index(i)] >= op.kernel[index(i)] || op.padding[index(i + 2)] >= op.kernel[index(i)]) {
      fail(ErrorKind::bad_input, "padding must be smaller than the window");
    }
  }
  return {in[0].dtype,
          {in[0].shape[0], window(in[0].shape[1], op.padding[0], op.padding[2], op.kernel[0], op.stride[0]),
           window(in[0].shape[2], op.padding[1], op.padding[3], op.kernel[1], op.stride[1]), in[0].shape[3]}};
}

TensorType infer(const Resize& op, Types in) {
  arity(in, 1, 1);
  want(is_float(in[0].dtype) && in[0].shape.size() == 4, "a floating (B, H, W, C)", in[0]);
  if (op.height < 1 || op.width < 1)
    fail(ErrorKind::bad_input, "a size of at least 1x1 was wanted, {}x{} came", op.height, op.width);
  want(in[0].shape[1] >= 1 && in[0].shape[2] >= 1, "a picture of at least 1x1", in[0]);
  return {in[0].dtype, {in[0].shape[0], op.height, op.width, in[0].shape[3]}};
}

TensorType infer_norm(Types in, std::size_t most) {
  arity(in, 1, most);
  want(is_float(in[0].dtype) && !in[0].shape.empty(), "a floating (..., C)", in[0]);
  for (std::size_t i = 1; i < in.size(); ++i)
    want_shape(in[i], {in[0].shape.back()}, i == 1 ? "the weight" : "the bias");
  return in[0];
}

TensorType infer(const LayerNorm&, Types in) { return infer_norm(in, 3); }
TensorType infer(const RmsNorm&, Types in) { return infer_norm(in, 2); }

TensorType infer(const GroupNorm& op, Types in) {
  arity(in, 3, 3);
  TensorType out = infer_norm(in, 3);
  want(in[0].shape.size() >= 2 && op.groups >= 1 && in[0].shape.back() % op.groups == 0,
       "channels divisible by the groups", in[0]);
  return out;
}

TensorType infer(const Modulate&, Types in) {
  arity(in, 3, 3);
  want(is_float(in[0].dtype) && in[0].shape.size() == 3, "a floating (B, T, C)", in[0]);
  for (int i : {1, 2}) {
    const Shape& s = in[index(i)].shape;
    want(s.size() == 3 && (s[0] == 1 || s[0] == in[0].shape[0]) && s[1] == 1 && s[2] == in[0].shape[2],
         "shift and scale (B, 1, C)", in[index(i)]);
  }
  return in[0];
}

void want_tokens(Types in, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    want(is_float(in[i].dtype) && in[i].shape.size() == 3, "a floating (B, T, C)", in[i]);
}

void want_mask(const TensorType& mask, const Shape& full) {
  want(mask.dtype == DType::f32 && mask.shape.size() == 4 && broadcast_shapes(mask.shape, full) == full,
       "an f32 mask that broadcasts to (B, heads, Tq, Tk)", mask);
}

TensorType infer(const AttentionMap& op, Types in) {
  arity(in, 2, 3);
  want_tokens(in, 2);
  const Shape &q = in[0].shape, &k = in[1].shape;
  if (op.heads < 1 || op.kv_heads < 1 || op.heads % op.kv_heads != 0 || q[2] % op.heads != 0 ||
      k[2] % op.kv_heads != 0 || q[2] / op.heads != k[2] / op.kv_heads || q[0] != k[0] || k[1] < 1) {
    fail(ErrorKind::bad_input, "{} heads over {} key heads do not fit q {} and k {}", op.heads, op.kv_heads,
         to_string(q), to_string(k));
  }
  const Shape full{q[0], op.heads, q[1], k[1]};
  if (in.size() == 3) want_mask(in[2], full);
  return {in[0].dtype, full};
}

TensorType infer(const AttentionApply& op, Types in) {
  arity(in, 2, 2);
  want(is_float(in[0].dtype) && in[0].shape.size() == 4, "a floating map (B, heads, Tq, Tk)", in[0]);
  const Shape &map = in[0].shape, &v = in[1].shape;
  want(in[1].dtype == in[0].dtype && v.size() == 3 && v[0] == map[0] && v[1] == map[3] && op.kv_heads >= 1 &&
           map[1] % op.kv_heads == 0 && v[2] % op.kv_heads == 0,
       "values (B, Tk, kv_heads*Dv) that fit the map, of its type", in[1]);
  return {in[1].dtype, {map[0], map[2], v[2] / op.kv_heads * map[1]}};
}

TensorType infer(const LinearAttention& op, Types in) {
  arity(in, 3, 3);
  want_tokens(in, 3);
  const Shape &q = in[0].shape, &k = in[1].shape, &v = in[2].shape;
  if (op.heads < 1 || q[2] % op.heads != 0 || v[2] % op.heads != 0 || q[2] != k[2] || q[0] != k[0] || k[0] != v[0] ||
      k[1] != v[1]) {
    fail(ErrorKind::bad_input, "{} heads do not fit q {}, k {}, v {}", op.heads, to_string(q), to_string(k),
         to_string(v));
  }
  return {in[0].dtype, {q[0], q[1], v[2]}};
}

TensorType infer(const Attention& op, Types in) {
  arity(in, 3, 4);
  want_tokens(in, 3);
  const Shape &q = in[0].shape, &k = in[1].shape, &v = in[2].shape;
  if (op.heads < 1 || op.kv_heads < 1 || op.heads % op.kv_heads != 0 || q[2] % op.heads != 0 ||
      k[2] % op.kv_heads != 0 || v[2] % op.kv_heads != 0 || q[2] / op.heads != k[2] / op.kv_heads) {
    fail(ErrorKind::bad_input, "{} heads over {} key heads do not fit q {}, k {}, v {}", op.heads, op.kv_heads,
         to_string(q), to_string(k), to_string(v));
  }
  if (q[0] != k[0] || k[0] != v[0] || k[1] != v[1] || k[1] < 1) {
    fail(ErrorKind::bad_input, "q {}, k {} and v {} differ in batch or key length", to_string(q), to_string(k),
         to_string(v));
  }
  if (in.size() == 4) want_mask(in[3], {q[0], op.heads, q[1], k[1]});
  return {in[0].dtype, {q[0], q[1], v[2] / op.kv_heads * op.heads}};
}

TensorType infer(const SinusoidalEmbedding& op, Types in) {
  arity(in, 1, 1);
  want(is_float(in[0].dtype) && in[0].shape.size() == 1, "a floating (B)", in[0]);
  if (op.dim < 2 || op.dim % 2 != 0) fail(ErrorKind::bad_input, "C1: an even dim was wanted, {} came", op.dim);
  return {in[0].dtype, {in[0].shape[0], op.dim}};
}

TensorType infer(const PixelShuffle& op, Types in) {
  arity(in, 1, 1);
  const std::int64_t r = op.factor;
  want(is_float(in[0].dtype) && in[0].shape.size() == 4 && r >= 1 && r <= 1024 && in[0].shape[3] % (r * r) == 0,
       "a floating (B, H, W, C*r*r)", in[0]);
  const Shape& s = in[0].shape;
  return {in[0].dtype, {s[0], s[1] * r, s[2] * r, s[3] / (r * r)}};
}

TensorType infer(const PixelUnshuffle& op, Types in) {
  arity(in, 1, 1);
  const std::int64_t r = op.factor;
  want(is_float(in[0].dtype) && in[0].shape.size() == 4 && r >= 1 && r <= 1024 && in[0].shape[1] % r == 0 &&
           in[0].shape[2] % r == 0,
       "a floating (B, H*r, W*r, C)", in[0]);
  const Shape& s = in[0].shape;
  return {in[0].dtype, {s[0], s[1] / r, s[2] / r, s[3] * r * r}};
}

// With sizes and attributes of at most this, no rule above overflows: all take at most one product of two of them.
constexpr std::int64_t kLargest = std::int64_t{1} << 31;

void want_small(std::span<const std::int64_t> numbers) {
  for (std::int64_t n : numbers) {
    if (n > kLargest || n < -kLargest) fail(ErrorKind::bad_input, "{} is more than the largest size, {}", n, kLargest);
  }
}

void want_small(const Op& op, Types in) {
  for (const TensorType& type : in) want_small(type.shape);
  const auto attribute = [](std::string_view, const auto& value) {
    using T = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<T, Ints>) want_small(value);
    if constexpr (std::is_same_v<T, std::int64_t>) want_small({&value, 1});
  };
  std::visit([&](const auto& o) { std::remove_cvref_t<decltype(o)>::attributes(o, attribute); }, op);
}

}  // namespace

TensorType infer_type(const Op& op, std::span<const TensorType> inputs) {
  try {
    want_small(op, inputs);
    TensorType out = std::visit([&](const auto& o) { return infer(o, inputs); }, op);
    element_count(out.shape);
    return out;
  } catch (const Error& e) {
    fail(e.kind(), "[{}] {}", op_name(op), e.message());
  }
}

}  // namespace thimble::graph
