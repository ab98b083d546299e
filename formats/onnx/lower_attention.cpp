// Attention in the three forms of OnnxForm, its halves, linear attention, and the embedding of times.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "formats/onnx/lower.h"

namespace thimble::formats {

using namespace graph;

namespace {

constexpr std::int64_t kMostHidden = std::int64_t{1} << 24;  // elements of a causal mask

// (B, T, heads*D) to (B, heads, T, D), or to (B, heads, D, T).
std::string split_heads(OnnxEmitter& e, const std::string& x, const Shape& shape, std::int64_t heads,
                        bool transposed = false) {
  const std::string parts = e.reshape(x, {shape[0], shape[1], heads, shape[2] / heads});
  return e.transpose(parts, transposed ? Ints{0, 2, 3, 1} : Ints{0, 2, 1, 3});
}

// (B, heads, T, D) to (B, T, heads*D).
std::string join_heads(OnnxEmitter& e, const std::string& x, const Shape& to) {
  return e.reshape(e.transpose(x, {0, 2, 1, 3}), to);
}

// (B, kv, a, b) to (B, kv*times, a, b), each head `times` times in a row.
std::string repeat_heads(OnnxEmitter& e, const std::string& x, const Shape& shape, std::int64_t times) {
  if (times == 1) return x;
  const std::string one = e.reshape(x, {shape[0], shape[1], 1, shape[2], shape[3]});
  const std::string wide = e.node("Expand", {one, e.integers({shape[0], shape[1], times, shape[2], shape[3]})});
  return e.reshape(wide, {shape[0], shape[1] * times, shape[2], shape[3]});
}

double scale_of(double scale, std::int64_t width, std::int64_t heads) {
  return scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(width / heads));
}

struct Scores {
  ValueId q, k, mask = -1;
  std::int64_t heads, kv_heads;
  double scale;
  bool causal;
};

// softmax(scale q k^T + mask), (B, heads, Tq, Tk), in q's type.
std::string lower_map(OnnxEmitter& e, const Scores& s) {
  const Shape &q = e.shape(s.q), &k = e.shape(s.k);
  const DType type = e.dtype(s.q);
  const std::int64_t width = k[2] / s.kv_heads;
  const std::string keys = repeat_heads(e, split_heads(e, e.in(s.k), k, s.kv_heads, true),
                                        {k[0], s.kv_heads, width, k[1]}, s.heads / s.kv_heads);
  std::string scores = e.node("MatMul", {split_heads(e, e.in(s.q), q, s.heads), keys});
  scores = e.node("Mul", {scores, e.scalar(type, scale_of(s.scale, q[2], s.heads))});
  const bool widen = s.mask >= 0 && type != DType::f32;  // masks are f32
  if (widen) scores = e.cast(scores, DType::f32);
  if (s.mask >= 0) scores = e.node("Add", {scores, e.in(s.mask)});
  if (s.causal) {
    if (q[1] * k[1] > kMostHidden) fail(ErrorKind::unsupported, "a causal mask of {} by {}", q[1], k[1]);
    std::vector<double> hidden(static_cast<std::size_t>(q[1] * k[1]), 0);
    for (std::int64_t i = 0; i < q[1]; ++i) {
      for (std::int64_t j = i + 1; j < k[1]; ++j) {
        hidden[static_cast<std::size_t>(i * k[1] + j)] = -std::numeric_limits<double>::infinity();
      }
    }
    scores = e.node("Add", {scores, e.constant(widen ? DType::f32 : type, {q[1], k[1]}, hidden)});
  }
  const std::string map = e.node("Softmax", {scores}, OnnxAttributes().integer("axis", -1));
  return widen ? e.cast(map, type) : map;
}

// map (B, heads, Tq, Tk) times v, to (B, Tq, heads*Dv).
std::string lower_apply(OnnxEmitter& e, const std::string& map, std::int64_t heads, ValueId values,
                        std::int64_t kv_heads, const Shape& to) {
  const Shape& v = e.shape(values);
  const std::string rows = repeat_heads(e, split_heads(e, e.in(values), v, kv_heads),
                                        {v[0], kv_heads, v[1], v[2] / kv_heads}, heads / kv_heads);
  return join_heads(e, e.node("MatMul", {map, rows}), to);
}

// The mask as (.., .., Tq or 1, Tk): fused operators spread it over batch and heads, not over keys.
std::string wide_mask(OnnxEmitter& e, ValueId mask, std::int64_t queries, std::int64_t keys, bool all_queries) {
  Shape shape = e.shape(mask);
  shape.insert(shape.begin(), 4 - shape.size(), 1);
  const std::string four = shape == e.shape(mask) ? e.in(mask) : e.reshape(e.in(mask), shape);
  Shape wide = shape;
  wide[3] = keys;
  if (all_queries) wide[2] = queries;
  return wide == shape ? four : e.node("Expand", {four, e.integers(wide)});
}

}  // namespace

void lower(OnnxEmitter& e, const Attention& op, const Node& node) {
  const ValueId q = node.inputs[0], k = node.inputs[1], v = node.inputs[2];
  const ValueId mask = node.inputs.size() > 3 ? node.inputs[3] : -1;
  const std::int64_t queries = e.shape(q)[1], keys = e.shape(k)[1];
  const double scale = scale_of(op.scale, e.shape(q)[2], op.heads);
  const bool floats = e.dtype(q) == DType::f32;  // as masks are
  if (e.options.form == OnnxForm::onnx && (floats || mask < 0)) {
    std::vector<std::string> in{e.in(q), e.in(k), e.in(v)};
    if (mask >= 0) in.push_back(wide_mask(e, mask, queries, keys, true));
    return e.define(node.output, e.node("Attention", in,
                                        OnnxAttributes()
                                            .integer("q_num_heads", op.heads)
                                            .integer("kv_num_heads", op.kv_heads)
                                            .number("scale", scale)
                                            .integer("is_causal", op.causal ? 1 : 0)));
  }
  const bool shared = op.heads != op.kv_heads, corner = op.causal && (queries != keys || mask >= 0);
  if (e.options.form == OnnxForm::microsoft && floats && !shared && !corner) {
    std::vector<std::string> in{e.in(q), e.in(k), e.in(v)};
    if (mask >= 0) {
      in.insert(in.end(), {"", ""});  // bias of the projections, padding of keys
      in.push_back(wide_mask(e, mask, queries, keys, true));
    }
    return e.define(node.output, e.node("MultiHeadAttention", in,
                                        OnnxAttributes()
                                            .integer("num_heads", op.heads)
                                            .number("scale", scale)
                                            .integer("unidirectional", op.causal ? 1 : 0),
                                        "com.microsoft"));
  }
  const std::string map = lower_map(e, {q, k, mask, op.heads, op.kv_heads, op.scale, op.causal});
  e.define(node.output, lower_apply(e, map, op.heads, v, op.kv_heads, e.shape(node.output)));
}

void lower(OnnxEmitter& e, const AttentionMap& op, const Node& node) {
  const ValueId mask = node.inputs.size() > 2 ? node.inputs[2] : -1;
  e.define(node.output,
           lower_map(e, {node.inputs[0], node.inputs[1], mask, op.heads, op.kv_heads, op.scale, op.causal}));
}

void lower(OnnxEmitter& e, const AttentionApply& op, const Node& node) {
  const std::int64_t heads = e.shape(node.inputs[0])[1];
  std::string map = e.in(node.inputs[0]);
  if (e.dtype(node.inputs[0]) != e.dtype(node.inputs[1])) map = e.cast(map, e.dtype(node.inputs[1]));
  e.define(node.output, lower_apply(e, map, heads, node.inputs[1], op.kv_heads, e.shape(node.output)));
}

void lower(OnnxEmitter& e, const LinearAttention& op, const Node& node) {
  const ValueId qi = node.inputs[0], ki = node.inputs[1], vi = node.inputs[2];
  const std::string q = split_heads(e, e.node("Relu", {e.in(qi)}), e.shape(qi), op.heads);
  const std::string k = split_heads(e, e.node("Relu", {e.in(ki)}), e.shape(ki), op.heads, true);  // (B, heads, D, T)
  const std::string v = split_heads(e, e.in(vi), e.shape(vi), op.heads);
  const std::string sum = e.node("ReduceSum", {k, e.integers({3})}, OnnxAttributes().integer("keepdims", 1));
  const std::string total = e.node("Add", {e.node("MatMul", {q, sum}), e.scalar(e.dtype(qi), op.eps)});
  const std::string y = e.node("Div", {e.node("MatMul", {q, e.node("MatMul", {k, v})}), total});
  e.define(node.output, join_heads(e, y, e.shape(node.output)));
}

void lower(OnnxEmitter& e, const SinusoidalEmbedding& op, const Node& node) {
  const ValueId t = node.inputs[0];
  std::vector<double> frequencies;
  const double half = static_cast<double>(op.dim / 2);
  for (std::int64_t i = 0; i < op.dim / 2; ++i) {
    frequencies.push_back(op.scale * std::pow(op.max_period, -static_cast<double>(i) / half));
  }
  std::string x = e.dtype(t) == DType::f32 ? e.in(t) : e.cast(e.in(t), DType::f32);
  x = e.reshape(x, {e.shape(t)[0], 1});
  const std::string angles = e.node("Mul", {x, e.constant(DType::f32, {op.dim / 2}, frequencies)});
  const std::string y =
      e.node("Concat", {e.node("Cos", {angles}), e.node("Sin", {angles})}, OnnxAttributes().integer("axis", 1));
  e.define(node.output, e.dtype(node.output) == DType::f32 ? y : e.cast(y, e.dtype(node.output)));
}

}  // namespace thimble::formats
