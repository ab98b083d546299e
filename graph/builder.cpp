#include "graph/builder.h"

#include <cmath>

#include "base/error.h"

namespace thimble::graph {

const Shape& Var::shape() const { return builder->graph().type(id).shape; }
DType Var::dtype() const { return builder->graph().type(id).dtype; }
std::int64_t Var::dim(int axis) const {
  const auto rank = static_cast<int>(shape().size());
  const int i = axis < 0 ? axis + rank : axis;
  if (i < 0 || i >= rank) fail(ErrorKind::bad_input, "axis {} is out of range for {}", axis, to_string(shape()));
  return shape()[static_cast<std::size_t>(i)];
}

Var operator+(Var a, Var b) { return a.builder->binary(BinaryKind::add, a, b); }
Var operator-(Var a, Var b) { return a.builder->binary(BinaryKind::sub, a, b); }
Var operator*(Var a, Var b) { return a.builder->binary(BinaryKind::mul, a, b); }
Var operator/(Var a, Var b) { return a.builder->binary(BinaryKind::div, a, b); }
Var operator+(Var a, double b) { return a + a.builder->constant(b, a.dtype()); }
Var operator*(Var a, double b) { return a * a.builder->constant(b, a.dtype()); }

Scope::~Scope() { builder_->prefix_.resize(size_); }

Builder::Builder(std::string name) { graph_.name = std::move(name); }

Scope Builder::scope(std::string_view name) {
  const std::size_t size = prefix_.size();
  prefix_ += name;
  prefix_ += '.';
  return Scope(*this, size);
}

Scope Builder::scope(std::string_view name, std::int64_t index) { return scope(fmt::format("{}.{}", name, index)); }

std::string Builder::scoped(std::string_view name) const { return prefix_ + std::string(name); }

Var Builder::input(std::string name, Shape shape, DType dtype) {
  const auto id = static_cast<ValueId>(graph_.values.size());
  graph_.values.push_back({{dtype, std::move(shape)}, ValueKind::input, std::move(name), -1});
  graph_.inputs.push_back(id);
  return {this, id};
}

Var Builder::param(std::string_view name, Shape shape, Init init, DType dtype) {
  std::string full = scoped(name);
  if (const auto found = graph_.find_parameter(full)) {
    const TensorType asked{dtype, shape};
    if (graph_.type(*found) != asked) {
      fail(ErrorKind::bad_input, "parameter '{}' is asked for as {} and as {}", full, to_string(graph_.type(*found)),
           to_string(asked));
    }
    return {this, *found};
  }
  const auto id = static_cast<ValueId>(graph_.values.size());
  graph_.values.push_back({{dtype, std::move(shape)}, ValueKind::parameter, std::move(full), -1});
  graph_.parameters.push_back({id, init});
  return {this, id};
}

Var Builder::constant(double value, DType dtype) { return constant({}, {value}, dtype); }

Var Builder::constant(Shape shape, std::vector<double> values, DType dtype) {
  return add(Constant{dtype, std::move(shape), std::move(values)}, {});
}

void Builder::output(std::string name, Var v) { graph_.outputs.push_back({std::move(name), v.id}); }
void Builder::tap(std::string name, Var v) { graph_.taps.push_back({std::move(name), v.id}); }

Var Builder::add(Op op, std::vector<Var> inputs) {
  Node node{std::move(op), {}, static_cast<ValueId>(graph_.values.size())};
  for (Var v : inputs) {
    check(v.builder == this, "a value of another builder was used");
    node.inputs.push_back(v.id);
  }
  const auto infer = [&] { return infer_type(node.op, input_types(graph_, node)); };
  TensorType type = prefix_.empty() ? infer() : with_context("in " + prefix_.substr(0, prefix_.size() - 1), infer);
  graph_.values.push_back({std::move(type), ValueKind::node, "", static_cast<std::int32_t>(graph_.nodes.size())});
  graph_.nodes.push_back(std::move(node));
  return {this, graph_.nodes.back().output};
}

Var Builder::unary(UnaryKind kind, Var x) { return add(Unary{kind}, {x}); }
Var Builder::binary(BinaryKind kind, Var a, Var b) { return add(Binary{kind}, {a, b}); }
Var Builder::cast(Var x, DType dtype) { return x.dtype() == dtype ? x : add(Cast{dtype}, {x}); }
Var Builder::where(Var condition, Var a, Var b) { return add(Where{}, {condition, a, b}); }
Var Builder::glu(Var x, UnaryKind activation) { return add(Glu{activation}, {x}); }

Var Builder::reshape(Var x, Shape shape) {
  std::int64_t known = 1, open = -1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && open < 0) {
      open = static_cast<std::int64_t>(i);
    } else {
      known *= shape[i];
    }
  }
  if (open >= 0 && known > 0) shape[static_cast<std::size_t>(open)] = element_count(x.shape()) / known;
  return shape == x.shape() ? x : add(Reshape{std::move(shape)}, {x});
}

Var Builder::transpose(Var x, Ints perm) { return add(Transpose{std::move(perm)}, {x}); }
Var Builder::broadcast(Var x, Shape shape) { return shape == x.shape() ? x : add(Broadcast{std::move(shape)}, {x}); }

Var Builder::slice(Var x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const auto rank = static_cast<int>(x.shape().size());
  return add(Slice{axis < 0 ? axis + rank : axis, begin, end, step}, {x});
}

std::vector<Var> Builder::chunk(Var x, int axis, std::int64_t parts) {
  const std::int64_t size = x.dim(axis);
  if (parts < 1 || size % parts != 0)
    fail(ErrorKind::bad_input, "axis of size {} does not split into {} parts", size, parts);
  std::vector<Var> out;
  for (std::int64_t i = 0; i < parts; ++i) out.push_back(slice(x, axis, i * size / parts, (i + 1) * size / parts));
  return out;
}

Var Builder::pad(Var x, Ints before, Ints after, double value) {
  return add(Pad{std::move(before), std::move(after), value}, {x});
}

Var Builder::concat(std::vector<Var> xs, int axis) {
  check(!xs.empty(), "concat of nothing");
  const auto rank = static_cast<int>(xs[0].shape().size());
  return add(Concat{axis < 0 ? axis + rank : axis}, std::move(xs));
}

Var Builder::gather(Var table, Var indices, int axis) { return add(Gather{axis}, {table, indices}); }

Var Builder::reduce(ReduceKind kind, Var x, Ints axes, bool keep_dims) {
  for (auto& a : axes) {
    if (a < 0) a += static_cast<std::int64_t>(x.shape().size());
  }
  return add(Reduce{kind, std::move(axes), keep_dims}, {x});
}

Var Builder::softmax(Var x, int axis) {
  return add(Softmax{axis < 0 ? axis + static_cast<int>(x.shape().size()) : axis}, {x});
}

Var Builder::matmul(Var a, Var b, bool transpose_a, bool transpose_b) {
  return add(MatMul{transpose_a, transpose_b}, {a, b});
}

namespace {

Init fan_in(double scale, std::int64_t inputs) {
  if (scale == 0) return {};
  return {Init::Kind::normal, scale / std::sqrt(static_cast<double>(inputs))};
}

}  // namespace

Var Builder::linear(Var x, std::string_view name, std::int64_t out, LinearOptions options) {
  const auto s = scope(name);
  const std::int64_t in = x.dim(-1);
  std::vector<Var> inputs{x, param("weight", {out, in}, fan_in(options.init_scale, in))};
  if (options.bias) inputs.push_back(param("bias", {out}, {}));
  return add(Linear{}, std::move(inputs));
}

Var Builder::conv2d(Var x, std::string_view name, std::int64_t out, ConvOptions o) {
  const auto s = scope(name);
  const std::int64_t in = x.dim(-1) / o.groups;
  std::vector<Var> inputs{
      x, param("weight", {out, in, o.kernel, o.kernel}, fan_in(o.init_scale, in * o.kernel * o.kernel))};
  if (o.bias) inputs.push_back(param("bias", {out}, {}));
  const std::int64_t p = o.padding < 0 ? (o.kernel - 1) / 2 : o.padding;
  return add(Conv2d{{o.stride, o.stride}, {p, p, p, p}, {1, 1}, o.groups}, std::move(inputs));
}

Var Builder::embedding(Var ids, std::string_view name, std::int64_t count, std::int64_t width, double std) {
  const auto s = scope(name);
  return gather(param("weight", {count, width}, {Init::Kind::normal, std}), ids, 0);
}

Var Builder::layer_norm(Var x, double eps) { return add(LayerNorm{eps}, {x}); }

Var Builder::layer_norm(Var x, std::string_view name, double eps) {
  const auto s = scope(name);
  const std::int64_t c = x.dim(-1);
  return add(LayerNorm{eps}, {x, param("weight", {c}, {Init::Kind::ones, 0}), param("bias", {c}, {})});
}

Var Builder::rms_norm(Var x, std::string_view name, double eps) {
  const auto s = scope(name);
  return add(RmsNorm{eps}, {x, param("weight", {x.dim(-1)}, {Init::Kind::ones, 0})});
}

Var Builder::group_norm(Var x, std::string_view name, std::int64_t groups, double eps) {
  const auto s = scope(name);
  const std::int64_t c = x.dim(-1);
  return add(GroupNorm{groups, eps}, {x, param("weight", {c}, {Init::Kind::ones, 0}), param("bias", {c}, {})});
}

Var Builder::modulate(Var x, Var shift, Var scale) { return add(Modulate{}, {x, shift, scale}); }
Var Builder::attention(Var q, Var k, Var v, Attention o) { return add(o, {q, k, v}); }
Var Builder::attention(Var q, Var k, Var v, Var mask, Attention o) { return add(o, {q, k, v, mask}); }
Var Builder::sinusoidal(Var t, SinusoidalEmbedding o) { return add(o, {t}); }
Var Builder::resize(Var x, ResizeMode mode, std::int64_t height, std::int64_t width) {
  return add(Resize{.mode = mode, .height = height, .width = width}, {x});
}
Var Builder::pool2d(Var x, Pool2d o) { return add(std::move(o), {x}); }
Var Builder::pixel_shuffle(Var x, std::int64_t factor) { return add(PixelShuffle{factor}, {x}); }
Var Builder::pixel_unshuffle(Var x, std::int64_t factor) { return add(PixelUnshuffle{factor}, {x}); }

Graph Builder::finish() {
  verify(graph_);
  Graph done = std::move(graph_);
  graph_ = {};
  return done;
}

}  // namespace thimble::graph
