// One overload of decompose_op per module op; a module op without one does not compile.
// Every overload is written in core ops alone, so one walk over the graph is enough.
#include "graph/decompose.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "graph/builder.h"

namespace thimble::graph {
namespace {

using Vars = std::vector<Var>;

Var number(Var like, double value) { return like.builder->constant(value, like.dtype()); }

// A vector of any length, f32: constants hold at most 4096 values, so longer ones are joined.
Var table(Builder& b, const std::vector<double>& values) {
  constexpr std::size_t kLargest = 4096;
  Vars parts;
  for (std::size_t i = 0; i < values.size(); i += kLargest) {
    const std::size_t n = std::min(kLargest, values.size() - i);
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i);
    parts.push_back(b.constant(Shape{static_cast<std::int64_t>(n)}, {begin, begin + static_cast<std::ptrdiff_t>(n)}));
  }
  return parts.size() == 1 ? parts[0] : b.concat(parts, 0);
}

// 0, 1, ... as f32; exact below 2^24.
Var counting(Builder& b, std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  return table(b, values);
}

// (x - mean) / sqrt(variance + eps) over `axes`.
Var standardise(Var x, const Ints& axes, double eps) {
  Builder& b = *x.builder;
  const Var centred = x - b.mean(x, axes);
  const Var variance = b.mean(b.unary(UnaryKind::square, centred), axes);
  return centred * b.unary(UnaryKind::rsqrt, variance + number(x, eps));
}

Var with_weight_and_bias(Var x, const Vars& in) {
  if (in.size() > 1) x = x * in[1];
  if (in.size() > 2) x = x + in[2];
  return x;
}

// (B, T, heads*D) -> (B, heads, T, D)
Var split_heads(Var x, std::int64_t heads) {
  Builder& b = *x.builder;
  return b.transpose(b.reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), {0, 2, 1, 3});
}

// (B, kv, T, D) -> (B, kv*times, T, D), each head `times` times in a row.
Var repeat_heads(Var x, std::int64_t times) {
  if (times == 1) return x;
  Builder& b = *x.builder;
  const std::int64_t batch = x.dim(0), heads = x.dim(1), tokens = x.dim(2), width = x.dim(3);
  const Var wide = b.broadcast(b.reshape(x, {batch, heads, 1, tokens, width}), {batch, heads, times, tokens, width});
  return b.reshape(wide, {batch, heads * times, tokens, width});
}

Var softmax(Var x, std::int64_t axis) {
  Builder& b = *x.builder;
  const Var e = b.unary(UnaryKind::exp, x - b.reduce(ReduceKind::max, x, {axis}));
  return e / b.sum(e, {axis});
}

Var decompose_op(Builder& b, const Linear&, const Vars& in) {
  const bool vector = in[0].shape().size() == 1;
  const Var x = vector ? b.reshape(in[0], {1, in[0].dim(0)}) : in[0];
  Var y = b.matmul(x, in[1], false, true);
  if (vector) y = b.reshape(y, {y.dim(1)});
  return in.size() > 2 ? y + in[2] : y;
}

Var decompose_op(Builder&, const Softmax& op, const Vars& in) { return softmax(in[0], op.axis); }

Var decompose_op(Builder&, const LayerNorm& op, const Vars& in) {
  const auto last = static_cast<std::int64_t>(in[0].shape().size()) - 1;
  return with_weight_and_bias(standardise(in[0], {last}, op.eps), in);
}

Var decompose_op(Builder& b, const RmsNorm& op, const Vars& in) {
  const Var x = in[0];
  const auto last = static_cast<std::int64_t>(x.shape().size()) - 1;
  const Var power = b.mean(b.unary(UnaryKind::square, x), {last});
  return with_weight_and_bias(x * b.unary(UnaryKind::rsqrt, power + number(x, op.eps)), in);
}

Var decompose_op(Builder& b, const GroupNorm& op, const Vars& in) {
  const Shape shape = in[0].shape();
  const std::int64_t channels = shape.back();
  const std::int64_t positions = element_count({shape.begin() + 1, shape.end() - 1});
  const Var grouped = b.reshape(in[0], {shape[0], positions, op.groups, channels / op.groups});
  return with_weight_and_bias(b.reshape(standardise(grouped, {1, 3}, op.eps), shape), in);
}

Var decompose_op(Builder&, const Modulate&, const Vars& in) { return in[0] * (in[2] + number(in[2], 1)) + in[1]; }

Var decompose_op(Builder& b, const Glu& op, const Vars& in) {
  const Vars halves = b.chunk(in[0], -1, 2);
  return halves[0] * b.unary(op.activation, halves[1]);
}

// softmax(scale * q k^T + mask), (B, heads, Tq, Tk), f32 where a mask is added. in: q, k, [mask]
Var attention_map(Builder& b, std::int64_t heads, std::int64_t kv_heads, double scale, bool causal, const Vars& in) {
  const Var q = split_heads(in[0], heads), k = repeat_heads(split_heads(in[1], kv_heads), heads / kv_heads);
  const std::int64_t queries = q.dim(2), keys = k.dim(2);
  if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(q.dim(3)));
  Var scores = b.matmul(q, k, false, true) * number(q, scale);
  if (in.size() > 2) scores = b.cast(scores, DType::f32) + in[2];
  if (causal) {
    const Var rows = b.reshape(counting(b, queries), {queries, 1});
    const Var hidden = b.binary(BinaryKind::less, rows, counting(b, keys));
    scores = b.where(hidden, number(scores, -std::numeric_limits<double>::infinity()), scores);
  }
  return softmax(scores, 3);
}

Var attention_apply(Builder& b, Var map, Var values, std::int64_t kv_heads) {
  const Var v = repeat_heads(split_heads(values, kv_heads), map.dim(1) / kv_heads);
  const Var y = b.matmul(b.cast(map, v.dtype()), v);
  return b.reshape(b.transpose(y, {0, 2, 1, 3}), {y.dim(0), y.dim(2), y.dim(1) * y.dim(3)});
}

Var decompose_op(Builder& b, const Attention& op, const Vars& in) {
  Vars scored{in[0], in[1]};
  if (in.size() > 3) scored.push_back(in[3]);
  return attention_apply(b, attention_map(b, op.heads, op.kv_heads, op.scale, op.causal, scored), in[2], op.kv_heads);
}

Var decompose_op(Builder& b, const AttentionMap& op, const Vars& in) {
  return b.cast(attention_map(b, op.heads, op.kv_heads, op.scale, op.causal, in), in[0].dtype());
}

Var decompose_op(Builder& b, const AttentionApply& op, const Vars& in) {
  return attention_apply(b, in[0], in[1], op.kv_heads);
}

Var decompose_op(Builder& b, const LinearAttention& op, const Vars& in) {
  const Var q = split_heads(b.relu(in[0]), op.heads), k = split_heads(b.relu(in[1]), op.heads),
            v = split_heads(in[2], op.heads);
  const Var total = b.matmul(q, b.sum(k, {2}), false, true);  // (B, heads, Tq, 1)
  const Var y = b.matmul(q, b.matmul(k, v, true, false)) / (total + number(total, op.eps));
  return b.reshape(b.transpose(y, {0, 2, 1, 3}), {y.dim(0), y.dim(2), y.dim(1) * y.dim(3)});
}

// The integers of a quantised weight, as f32 (O, I).
Var whole_numbers(Builder& b, Var weight, std::int64_t bits) {
  const Var w = b.cast(weight, DType::f32);
  if (bits == 8) return w;
  const std::int64_t outputs = w.dim(0), bytes = w.dim(1);
  const Var high = b.unary(UnaryKind::floor, w * (1.0 / 16)), low = w - high * 16;
  const auto with_sign = [&](Var nibble) {
    const Var negative = b.binary(BinaryKind::greater, nibble, number(nibble, 7.5));
    return b.reshape(b.where(negative, nibble + (-16), nibble), {outputs, bytes, 1});
  };
  return b.reshape(b.concat({with_sign(low), with_sign(high)}, 2), {outputs, 2 * bytes});
}

// (O, groups) to (O, I).
Var scale_of_each(Builder& b, Var scale, std::int64_t group, std::int64_t inputs) {
  const std::int64_t outputs = scale.dim(0), groups = scale.dim(1);
  const Var wide = b.broadcast(b.reshape(scale, {outputs, groups, 1}), {outputs, groups, group});
  return b.slice(b.reshape(wide, {outputs, groups * group}), 1, 0, inputs);
}

// Activations as multiples of their step: `whole` is q - z. Numbers along `axes` share a step.
struct Steps {
  Var whole, step;
};

Steps to_steps(Builder& b, Var x, bool asymmetric, const Ints& axes) {
  constexpr double kSmallest = 0x1p-100;  // a row below it counts as zero
  const Var nothing = number(x, 0);
  Var step = x, low = number(x, -127), high = number(x, 127);
  if (asymmetric) {
    const Var least = b.binary(BinaryKind::min, b.reduce(ReduceKind::min, x, axes), nothing),
              most = b.binary(BinaryKind::max, b.reduce(ReduceKind::max, x, axes), nothing);
    step = b.binary(BinaryKind::max, most - least, number(x, kSmallest)) / number(x, 255);
    const Var zero = b.unary(UnaryKind::round, number(x, -128) - least / step);
    low = number(x, -128) - zero;
    high = number(x, 127) - zero;
  } else {
    const Var most = b.reduce(ReduceKind::max, b.unary(UnaryKind::abs, x), axes);
    step = b.binary(BinaryKind::max, most, number(x, kSmallest)) / number(x, 127);
  }
  const Var rounded = b.unary(UnaryKind::round, x / step);
  return {b.binary(BinaryKind::min, b.binary(BinaryKind::max, rounded, low), high), step};
}

Var decompose_op(Builder& b, const QuantLinear& op, const Vars& in) {
  const bool vector = in[0].shape().size() == 1;
  const Var x = b.cast(vector ? b.reshape(in[0], {1, in[0].dim(0)}) : in[0], DType::f32);
  // One scale leaves the sum, so that it is one of integers; those of groups stay with their weights.
  Var weight = whole_numbers(b, in[1], op.bits);
  if (op.group != 0) weight = weight * scale_of_each(b, in[2], op.group, x.dim(-1));
  const auto product = [&](Var a) {
    const Var y = b.matmul(a, weight, false, true);
    return op.group == 0 ? y * b.reshape(in[2], {in[2].dim(0)}) : y;
  };
  Var y = x;
  if (op.activations == 16) {
    y = product(x);
  } else {
    const Steps steps = to_steps(b, x, op.asymmetric, {static_cast<std::int64_t>(x.shape().size()) - 1});
    y = product(steps.whole) * steps.step;
  }
  y = b.cast(y, in[0].dtype());
  if (vector) y = b.reshape(y, {y.dim(1)});
  return in.size() > 3 ? y + b.cast(in[3], y.dtype()) : y;
}

Var decompose_op(Builder& b, const QuantConv2d& op, const Vars& in) {
  const Steps steps = to_steps(b, b.cast(in[0], DType::f32), op.asymmetric, {1, 2, 3});
  const Conv2d conv{op.stride, op.padding, op.dilation, op.groups};
  const Var sum = b.add(conv, {steps.whole, b.cast(in[1], DType::f32)});
  const Var y = b.cast(sum * b.reshape(in[2], {in[2].dim(0)}) * steps.step, in[0].dtype());
  return in.size() > 3 ? y + b.cast(in[3], y.dtype()) : y;
}

Var decompose_op(Builder& b, const SinusoidalEmbedding& op, const Vars& in) {
  const std::int64_t half = op.dim / 2;
  std::vector<double> frequencies(static_cast<std::size_t>(half));
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    frequencies[i] = op.scale * std::pow(op.max_period, -static_cast<double>(i) / static_cast<double>(half));
  }
  const Var t = b.reshape(b.cast(in[0], DType::f32), {in[0].dim(0), 1});
  const Var angles = t * table(b, frequencies);
  return b.concat({b.unary(UnaryKind::cos, angles), b.unary(UnaryKind::sin, angles)}, 1);
}

Var decompose_op(Builder& b, const PixelShuffle& op, const Vars& in) {
  const Shape s = in[0].shape();
  const std::int64_t r = op.factor, channels = s[3] / (r * r);
  const Var x = b.transpose(b.reshape(in[0], {s[0], s[1], s[2], channels, r, r}), {0, 1, 4, 2, 5, 3});
  return b.reshape(x, {s[0], s[1] * r, s[2] * r, channels});
}

Var decompose_op(Builder& b, const PixelUnshuffle& op, const Vars& in) {
  const Shape s = in[0].shape();
  const std::int64_t r = op.factor, height = s[1] / r, width = s[2] / r;
  const Var x = b.transpose(b.reshape(in[0], {s[0], height, r, width, r, s[3]}), {0, 1, 3, 5, 2, 4});
  return b.reshape(x, {s[0], height, width, s[3] * r * r});
}

// Core ops stay; module ops must have an overload above.
Var rebuild(Builder& b, const Op& op, const Vars& in) {
  return std::visit(
      [&]<class T>(const T& o) -> Var {
        if constexpr (ModuleOp<T>) {
          return decompose_op(b, o, in);
        } else {
          return b.add(o, in);
        }
      },
      op);
}

}  // namespace

Graph decompose(const Graph& graph) {
  Builder b(graph.name);
  std::vector<Var> made(graph.values.size());
  const auto at = [&](ValueId id) -> Var& { return made[static_cast<std::size_t>(id)]; };

  for (ValueId id : graph.inputs) at(id) = b.input(graph.value(id).name, graph.type(id).shape, graph.type(id).dtype);
  for (const Parameter& p : graph.parameters) {
    at(p.value) = b.param(graph.value(p.value).name, graph.type(p.value).shape, p.init, graph.type(p.value).dtype);
  }
  for (const Node& node : graph.nodes) {
    Vars in;
    for (ValueId id : node.inputs) in.push_back(at(id));
    at(node.output) = rebuild(b, node.op, in);
    check(at(node.output).shape() == graph.type(node.output).shape &&
              at(node.output).dtype() == graph.type(node.output).dtype,
          "decompose: a decomposition gives another type than its op");
  }
  for (const NamedValue& tap : graph.taps) b.tap(tap.name, at(tap.value));
  for (const NamedValue& out : graph.outputs) b.output(out.name, at(out.value));
  return b.finish();
}

}  // namespace thimble::graph
