// Values, storage orders, folding and the core ops. Pictures are in emitter_picture.cpp.
#include "gauge/import/emitter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "graph/reference.h"

namespace thimble::gauge {

using namespace graph;

namespace {

constexpr std::int64_t kMostFolded = std::int64_t{1} << 22;  // elements; larger results are left to the graph
constexpr std::int64_t kLiteral = 64;                        // elements of a constant in the graph's text
constexpr double kMostFlops = 1e8;
constexpr std::size_t kMostNodes = 200'000;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

Ints identity(std::size_t rank) {
  Ints out(rank);
  std::iota(out.begin(), out.end(), 0);
  return out;
}

bool is_identity(const Ints& order) { return order == identity(order.size()); }

Ints inverse(const Ints& perm) {
  Ints out(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) out[index(perm[i])] = static_cast<std::int64_t>(i);
  return out;
}

// Axes of size 1 change place and nothing else.
bool moves_nothing(const Shape& shape, const Ints& perm) {
  std::int64_t last = -1;
  for (const std::int64_t p : perm) {
    if (shape[index(p)] == 1) continue;
    if (p < last) return false;
    last = p;
  }
  return true;
}

DType value_type(DType stored) {
  if (is_float(stored)) return DType::f32;
  return stored == DType::boolean ? DType::boolean : DType::i32;
}

// Integers as i32, saturating; floats stay.
Tensor normalised(Tensor t) {
  const DType type = t.type().dtype;
  if (is_float(type) || type == DType::boolean || type == DType::i32) return t;
  Tensor out(TensorType{DType::i32, t.shape()});
  const auto to = out.mutable_as<std::int32_t>();
  const auto fill = [&]<class T>(const T* from) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      T v;
      std::memcpy(&v, from + i, sizeof(T));
      to[i] = static_cast<std::int32_t>(std::clamp<std::int64_t>(static_cast<std::int64_t>(v),
                                                                 std::numeric_limits<std::int32_t>::min(),
                                                                 std::numeric_limits<std::int32_t>::max()));
    }
  };
  if (type == DType::i64) fill(reinterpret_cast<const std::int64_t*>(t.data()));
  if (type == DType::i8) fill(reinterpret_cast<const std::int8_t*>(t.data()));
  if (type == DType::u8) fill(reinterpret_cast<const std::uint8_t*>(t.data()));
  return out;
}

}  // namespace

Tensor permuted(const Tensor& t, const Ints& perm) {
  if (is_identity(perm)) return t;
  const std::vector<std::int64_t> from = strides_of(t.shape());
  TensorType type{t.type().dtype, {}};
  std::vector<std::int64_t> strides;
  for (const std::int64_t p : perm) {
    type.shape.push_back(t.shape()[index(p)]);
    strides.push_back(from[index(p)]);
  }
  if (moves_nothing(t.shape(), perm)) return t.reshaped(type.shape);
  Tensor out(type);
  const std::size_t size = size_of(type.dtype);
  std::byte* to = out.mutable_data();
  std::vector<std::int64_t> at(perm.size(), 0);
  std::int64_t source = 0;
  const std::int64_t n = type.elements();
  for (std::int64_t i = 0; i < n; ++i) {
    std::memcpy(to + index(i) * size, t.data() + index(source) * size, size);
    for (std::size_t a = perm.size(); a-- > 0;) {
      source += strides[a];
      if (++at[a] < type.shape[a]) break;
      source -= strides[a] * type.shape[a];
      at[a] = 0;
    }
  }
  return out;
}

Emitter::Emitter(std::string name) : builder_(std::move(name)), reference_(make_reference_executor()) {}

Value Emitter::constant(Tensor tensor, std::string name) {
  Value v;
  v.constant = normalised(std::move(tensor));
  v.type = {value_type(v.constant->type().dtype), v.constant->shape()};
  v.name = std::move(name);
  return v;
}

Value Emitter::scalar(double v, DType dtype) {
  Tensor t(TensorType{dtype, {}});
  if (dtype == DType::f32) {
    t.mutable_as<float>()[0] = static_cast<float>(v);
  } else if (dtype == DType::i32) {
    t.mutable_as<std::int32_t>()[0] = static_cast<std::int32_t>(v);
  } else {
    t.mutable_as<std::uint8_t>()[0] = v != 0;
  }
  return constant(std::move(t));
}

Value Emitter::integers(const std::vector<std::int64_t>& values) {
  Tensor t(TensorType{DType::i64, {static_cast<std::int64_t>(values.size())}});
  std::ranges::copy(values, t.mutable_as<std::int64_t>().begin());
  return constant(std::move(t));
}

Value Emitter::input(const std::string& name, Shape shape, DType dtype) {
  return of(builder_.input(name, std::move(shape), value_type(dtype)));
}

void Emitter::output(const std::string& name, const Value& v) {
  std::string unique = name.empty() ? "output" : name;
  while (!outputs_.insert(unique).second) unique += "'";
  Var var = plain(v);
  builder_.output(unique, var);
}

Value Emitter::of(Var var, Ints order) {
  if (nodes() > kMostNodes) fail(ErrorKind::unsupported, "the graph has more than {} nodes", kMostNodes);
  Value v;
  v.type.dtype = var.dtype();
  for (const std::int64_t o : order) v.type.shape.push_back(var.shape()[index(o)]);
  v.var = var;
  v.order = std::move(order);
  return v;
}

Value Emitter::of(Var var) { return of(var, identity(var.shape().size())); }

std::vector<double> Emitter::known_numbers(const Value& v, std::string_view what) const {
  if (!v.constant) fail(ErrorKind::unsupported, "{} is computed by the graph; a constant was wanted", what);
  if (v.type.elements() > kMostFolded) fail(ErrorKind::unsupported, "{} has {} elements", what, v.type.elements());
  std::vector<double> out;
  if (v.type.dtype == DType::f32) {
    const Tensor f32 = v.constant->to(DType::f32);
    for (const float x : f32.as<float>()) out.push_back(double{x});
  } else if (v.type.dtype == DType::i32) {
    for (const std::int32_t x : v.constant->as<std::int32_t>()) out.push_back(x);
  } else {
    for (const std::uint8_t x : v.constant->as<std::uint8_t>()) out.push_back(x);
  }
  return out;
}

std::vector<std::int64_t> Emitter::known_integers(const Value& v, std::string_view what) const {
  std::vector<std::int64_t> out;
  for (const double x : known_numbers(v, what)) {
    out.push_back(static_cast<std::int64_t>(std::clamp(x == x ? x : 0, -2147483648.0, 2147483647.0)));
  }
  return out;
}

Var Emitter::lift(const Value& v) {
  const std::int64_t n = v.type.elements();
  if (n <= kLiteral || (v.type.dtype != DType::f32 && n <= 4096)) {
    return builder_.constant(v.shape(), known_numbers(v, "a constant"), v.type.dtype);
  }
  if (v.type.dtype != DType::f32) {  // parameters are floating; indices below 2^24 are exact in f32
    const std::vector<double> values = known_numbers(v, "a table of integers");
    if (std::ranges::any_of(values, [](double x) { return std::fabs(x) > 16777216; })) {
      fail(ErrorKind::unsupported, "a table of {} integers with some above 2^24", n);
    }
    const std::vector<float> floats(values.begin(), values.end());
    return builder_.cast(lift(constant(Tensor::of(v.shape(), floats), v.name)), v.type.dtype);
  }
  std::string name = fmt::format("{}{}", v.name.empty() ? "constant" : v.name, to_string(v.shape()));
  // The same bytes under the same name are one parameter; others of that name get a mark.
  const std::string key = fmt::format("{} {}", name, static_cast<const void*>(v.constant->data()));
  if (const auto it = parameters_.find(key); it != parameters_.end()) return it->second;
  while (!names_.insert(name).second) name += "'";
  const Tensor& t = *v.constant;
  const bool weight = t.type().dtype != DType::f64 && v.rank() >= 2;
  weights_.set(name, weight ? t : t.to(DType::f32));
  return parameters_[key] = builder_.param(name, v.shape(), Init{});
}

Var Emitter::plain(const Value& v) { return stored(v, identity(v.shape().size())); }

Var Emitter::stored(const Value& v, const Ints& order) {
  if (v.constant) {
    Value moved = v;
    moved.constant = permuted(*v.constant, inverse(order));
    moved.type.shape = moved.constant->shape();
    return lift(moved);
  }
  if (v.order == order) return v.var;
  // Wanted: axis order[i] is foreign axis i, which now is stored axis v.order[i].
  Ints perm(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) perm[index(order[i])] = v.order[i];
  const auto key = std::pair{v.var.id, perm};
  if (const auto it = moved_.find(key); it != moved_.end()) return it->second;
  Shape shape;
  for (const std::int64_t p : perm) shape.push_back(v.var.shape()[index(p)]);
  const Var out = moves_nothing(v.var.shape(), perm) ? builder_.reshape(v.var, shape) : builder_.transpose(v.var, perm);
  return moved_[key] = out;
}

Ints Emitter::align(std::span<const Value> xs, std::vector<Var>& out) {
  std::size_t rank = 0;
  for (const Value& x : xs) rank = std::max(rank, x.shape().size());
  const Value* leader = nullptr;
  for (const Value& x : xs) {
    if (x.constant || x.shape().size() != rank) continue;
    const bool larger = leader == nullptr || x.type.elements() > leader->type.elements();
    const bool moved = leader != nullptr && x.type.elements() == leader->type.elements() && is_identity(leader->order);
    if (larger || moved) leader = &x;
  }
  const Ints order = leader ? leader->order : identity(rank);
  for (const Value& x : xs) {
    Shape wide = x.shape();
    wide.insert(wide.begin(), rank - wide.size(), 1);
    out.push_back(stored(wide == x.shape() ? x : reshape(x, wide), order));
  }
  return order;
}

bool Emitter::foldable(std::span<const Value> xs) const {
  return std::ranges::all_of(xs, [](const Value& x) { return x.constant && x.type.elements() <= kMostFolded; });
}

Value Emitter::fold(const Op& op, std::span<const Value> xs) {
  Builder b("fold");
  std::vector<Var> vars;
  std::vector<Tensor> tensors;
  for (const Value& x : xs) {
    vars.push_back(b.input(fmt::format("x{}", vars.size()), x.shape(), x.type.dtype));
    tensors.push_back(x.type.dtype == DType::f32 ? x.constant->to(DType::f32) : *x.constant);
  }
  const Var y = b.add(op, vars);
  b.output("y", y);
  const auto program = reference_->compile(b.finish(), Weights(), {});
  return constant((*program)(tensors)[0]);
}

Value Emitter::plain_op(const Op& op, std::span<const Value> xs) {
  if (!xs.empty() && foldable(xs)) {
    std::vector<TensorType> types;
    for (const Value& x : xs) types.push_back(x.type);
    const TensorType result = infer_type(op, types);
    if (result.elements() <= kMostFolded && op_flops(op, types, result) < kMostFlops) return fold(op, xs);
  }
  std::vector<Var> vars;
  for (const Value& x : xs) vars.push_back(plain(x));
  return of(builder_.add(op, vars));
}

Value Emitter::unary(UnaryKind kind, const Value& x) {
  if (x.constant) return plain_op(Unary{kind}, {&x, 1});
  return of(builder_.unary(kind, x.var), x.order);
}

Value Emitter::binary(BinaryKind kind, const Value& a, const Value& b) {
  Value xs[] = {a, b};
  if (a.type.dtype == DType::boolean && b.type.dtype == DType::boolean) {
    for (Value& x : xs) x = cast(x, DType::f32);
  }
  if (foldable(xs)) return plain_op(Binary{kind}, xs);
  std::vector<Var> vars;
  const Ints order = align(xs, vars);
  return of(builder_.binary(kind, vars[0], vars[1]), order);
}

Value Emitter::where(const Value& condition, const Value& a, const Value& b) {
  const Value xs[] = {condition, a, b};
  if (foldable(xs)) return plain_op(Where{}, xs);
  std::vector<Var> vars;
  const Ints order = align(xs, vars);
  return of(builder_.where(vars[0], vars[1], vars[2]), order);
}

Value Emitter::cast(const Value& x, DType dtype) {
  dtype = value_type(dtype);
  if (x.type.dtype == dtype) return x;
  if (dtype == DType::boolean) return logical_not(binary(BinaryKind::equal, x, scalar(0, x.type.dtype)));
  if (x.constant) return plain_op(Cast{dtype}, {&x, 1});
  return of(builder_.cast(x.var, dtype), x.order);
}

Value Emitter::reshape(const Value& x, Shape shape) {
  std::int64_t known = 1, open = -1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1) {
      open = static_cast<std::int64_t>(i);
    } else if (shape[i] < 0 || __builtin_mul_overflow(known, shape[i], &known)) {
      fail(ErrorKind::bad_file, "{} is no shape", to_string(shape));
    }
  }
  if (open >= 0) shape[index(open)] = known == 0 ? 0 : x.type.elements() / known;
  if (element_count(shape) != x.type.elements()) {
    fail(ErrorKind::bad_file, "{} does not hold the elements of {}", to_string(shape), to_string(x.type));
  }
  if (shape == x.shape()) return x;
  if (x.constant) {
    Value v = x;
    v.constant = x.constant->reshaped(shape);
    v.type.shape = shape;
    return v;
  }
  return of(builder_.reshape(plain(x), shape));
}

Value Emitter::transpose(const Value& x, const Ints& perm) {
  if (perm.size() != x.shape().size()) fail(ErrorKind::bad_file, "{} for {} axes", to_string(perm), x.rank());
  Ints sorted = perm;
  std::ranges::sort(sorted);
  if (!is_identity(sorted)) fail(ErrorKind::bad_file, "{} is no permutation", to_string(perm));
  Value v = x;
  if (x.constant) {
    v.constant = permuted(*x.constant, perm);
    v.type.shape = v.constant->shape();
    return v;
  }
  for (std::size_t i = 0; i < perm.size(); ++i) {
    v.order[i] = x.order[index(perm[i])];
    v.type.shape[i] = x.shape()[index(perm[i])];
  }
  return v;
}

Value Emitter::broadcast(const Value& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  return plain_op(Broadcast{shape}, {&x, 1});
}

Value Emitter::slice(const Value& x, std::int64_t axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  if (begin == 0 && end == x.dim(axis) && step == 1) return x;
  if (x.constant) return plain_op(Slice{axis, begin, end, step}, {&x, 1});
  return of(builder_.slice(x.var, static_cast<int>(x.order[index(axis)]), begin, end, step), x.order);
}

Value Emitter::pad(const Value& x, const Ints& before, const Ints& after, double value) {
  if (before.size() != x.shape().size() || after.size() != x.shape().size()) {
    fail(ErrorKind::bad_file, "padding for {} axes was wanted", x.rank());
  }
  // Negative padding cuts.
  Value cut = x;
  Ints low = before, high = after;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    const std::int64_t begin = std::max<std::int64_t>(-low[index(a)], 0),
                       end = cut.dim(a) - std::max<std::int64_t>(-high[index(a)], 0);
    cut = slice(cut, a, begin, end);
    low[index(a)] = std::max<std::int64_t>(low[index(a)], 0);
    high[index(a)] = std::max<std::int64_t>(high[index(a)], 0);
  }
  const auto none = [](std::int64_t p) { return p == 0; };
  if (std::ranges::all_of(low, none) && std::ranges::all_of(high, none)) return cut;
  if (cut.constant) return plain_op(Pad{low, high, value}, {&cut, 1});
  Ints first(low.size()), second(low.size());
  for (std::size_t i = 0; i < low.size(); ++i) {
    first[index(cut.order[i])] = low[i];
    second[index(cut.order[i])] = high[i];
  }
  return of(builder_.pad(cut.var, first, second, value), cut.order);
}

Value Emitter::concat(const std::vector<Value>& xs, std::int64_t axis) {
  if (xs.empty()) fail(ErrorKind::bad_file, "nothing to join");
  std::vector<Value> some;  // those without elements join nothing
  for (const Value& x : xs) {
    if (x.rank() <= axis || axis < 0) fail(ErrorKind::bad_file, "axis {} of {}", axis, to_string(x.type));
    if (x.dim(axis) != 0 || xs.size() == 1) some.push_back(x);
  }
  if (some.empty()) return xs[0];
  if (some.size() == 1) return some[0];
  if (foldable(some)) return plain_op(Concat{axis}, some);
  for (const Value& x : some) {
    if (x.rank() != some[0].rank()) fail(ErrorKind::bad_file, "ranks {} and {} to join", x.rank(), some[0].rank());
  }
  std::vector<Var> vars;
  const Ints order = align(some, vars);
  return of(builder_.concat(vars, static_cast<int>(order[index(axis)])), order);
}

Value Emitter::gather(const Value& table, const Value& indices, std::int64_t axis) {
  if (axis < 0 || axis >= table.rank()) fail(ErrorKind::bad_file, "axis {} of {}", axis, to_string(table.type));
  Value at = cast(indices, DType::i32);
  const std::int64_t size = table.dim(axis);
  if (at.constant) {  // negative indices count from the end
    Tensor t = *at.constant;
    for (std::int32_t& i : t.mutable_as<std::int32_t>()) {
      if (i < 0) i += static_cast<std::int32_t>(size);
      if (i < 0 || i >= size) fail(ErrorKind::bad_file, "index {} into an axis of {}", i, size);
    }
    at.constant = t;
    if (!table.constant && at.type.elements() == 1) {  // one place is a slice, and a slice is a view
      const std::int64_t i = t.as<std::int32_t>()[0];
      Shape shape = table.shape();
      shape.erase(shape.begin() + axis);
      shape.insert(shape.begin() + axis, at.shape().begin(), at.shape().end());
      return reshape(slice(table, axis, i, i + 1), shape);
    }
  } else {
    at = where(binary(BinaryKind::less, at, scalar(0, DType::i32)),
               binary(BinaryKind::add, at, scalar(static_cast<double>(size), DType::i32)), at);
  }
  const Value xs[] = {table, at};
  return plain_op(Gather{axis}, xs);
}

Value Emitter::reverse(const Value& x, std::int64_t axis) {
  std::vector<std::int64_t> back(index(x.dim(axis)));
  std::iota(back.rbegin(), back.rend(), 0);
  return gather(x, integers(back), axis);
}

Value Emitter::reduce(ReduceKind kind, const Value& x, Ints axes, bool keep_dims) {
  if (x.type.dtype != DType::f32) {
    return cast(reduce(kind, cast(x, DType::f32), std::move(axes), keep_dims), x.type.dtype);
  }
  std::ranges::sort(axes);
  if (axes.empty()) return x;
  if (x.constant) return plain_op(Reduce{kind, axes, keep_dims}, {&x, 1});
  Ints at;
  for (const std::int64_t a : axes) {
    if (a < 0 || a >= x.rank()) fail(ErrorKind::bad_file, "axis {} of {}", a, to_string(x.type));
    at.push_back(x.order[index(a)]);
  }
  std::ranges::sort(at);
  const Value kept = of(builder_.reduce(kind, x.var, at, true), x.order);
  if (keep_dims) return kept;
  Shape shape;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    if (!std::ranges::binary_search(axes, a)) shape.push_back(x.dim(a));
  }
  return reshape(kept, shape);
}

Value Emitter::softmax(const Value& x, std::int64_t axis) {
  if (axis < 0 || axis >= x.rank()) fail(ErrorKind::bad_file, "axis {} of {}", axis, to_string(x.type));
  if (x.constant) return plain_op(Softmax{axis}, {&x, 1});
  return of(builder_.softmax(x.var, static_cast<int>(x.order[index(axis)])), x.order);
}

Value Emitter::matmul(const Value& a, const Value& b, bool transpose_a, bool transpose_b) {
  const Value xs[] = {a, b};
  return plain_op(MatMul{transpose_a, transpose_b}, xs);
}

Value Emitter::linear(const Value& x, const Value& weight, const Value* bias) {
  std::vector<Value> xs{x, weight};
  if (bias) xs.push_back(*bias);
  return plain_op(Linear{}, xs);
}

Value Emitter::clamp(const Value& x, std::optional<double> low, std::optional<double> high) {
  Value y = x;
  if (low && *low == 0 && x.type.dtype == DType::f32) {
    y = unary(UnaryKind::relu, y);
  } else if (low) {
    y = binary(BinaryKind::max, y, scalar(*low, x.type.dtype));
  }
  if (high) y = binary(BinaryKind::min, y, scalar(*high, x.type.dtype));
  return y;
}

std::pair<Graph, Weights> Emitter::finish() {
  const Graph all = builder_.finish();
  std::vector<bool> needed(all.values.size());
  for (const NamedValue& o : all.outputs) needed[index(o.value)] = true;
  for (std::size_t n = all.nodes.size(); n-- > 0;) {
    if (!needed[index(all.nodes[n].output)]) continue;
    for (const ValueId v : all.nodes[n].inputs) needed[index(v)] = true;
  }
  for (const ValueId v : all.inputs) needed[index(v)] = true;
  Graph g;
  g.name = all.name;
  std::vector<ValueId> now(all.values.size(), -1);
  for (std::size_t v = 0; v < all.values.size(); ++v) {
    if (!needed[v]) continue;
    now[v] = static_cast<ValueId>(g.values.size());
    g.values.push_back(all.values[v]);
  }
  for (const ValueId v : all.inputs) g.inputs.push_back(now[index(v)]);
  for (const Parameter& p : all.parameters) {
    if (needed[index(p.value)]) {
      g.parameters.push_back({now[index(p.value)], p.init});
    } else {
      weights_.erase(all.value(p.value).name);
    }
  }
  for (const Node& n : all.nodes) {
    if (!needed[index(n.output)]) continue;
    Node copy = n;
    for (ValueId& v : copy.inputs) v = now[index(v)];
    copy.output = now[index(n.output)];
    g.values[index(copy.output)].producer = static_cast<std::int32_t>(g.nodes.size());
    g.nodes.push_back(std::move(copy));
  }
  for (const NamedValue& o : all.outputs) g.outputs.push_back({o.name, now[index(o.value)]});
  verify(g);
  return {std::move(g), std::move(weights_)};
}

}  // namespace thimble::gauge
