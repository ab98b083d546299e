// ONNX's fused operators of transformers: attention in its standard form and in com.microsoft's, and the norms that
// came with it. Attention keeps no state here: past and present keys are refused.
#include <cmath>
#include <limits>

#include "gauge/import/onnx_ops.h"

namespace thimble::gauge {

using namespace graph;

namespace {

// (B, T, heads*D) or (B, heads, T, D) to the latter.
Value split_heads(Context& c, const Value& x, std::int64_t heads) {
  if (x.rank() == 4) return x;
  if (x.rank() != 3 || heads < 1 || x.dim(2) % heads != 0) {
    fail(ErrorKind::bad_file, "{} heads of {}", heads, to_string(x.type));
  }
  return c.e.transpose(c.e.reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), {0, 2, 1, 3});
}

// Each head `times` times in a row.
Value repeat_heads(Context& c, const Value& x, std::int64_t times) {
  if (times == 1) return x;
  const Value one = c.e.reshape(x, {x.dim(0), x.dim(1), 1, x.dim(2), x.dim(3)});
  const Value wide = c.e.broadcast(one, {x.dim(0), x.dim(1), times, x.dim(2), x.dim(3)});
  return c.e.reshape(wide, {x.dim(0), x.dim(1) * times, x.dim(2), x.dim(3)});
}

// 0 where query i may see key j, j <= i; minus infinity elsewhere.
Value causal_mask(Context& c, std::int64_t queries, std::int64_t keys) {
  if (queries > (1 << 13) || keys > (1 << 13)) fail(ErrorKind::unsupported, "a causal mask of {} by {}", queries, keys);
  std::vector<float> hidden(static_cast<std::size_t>(queries * keys), 0);
  for (std::int64_t i = 0; i < queries; ++i) {
    for (std::int64_t j = i + 1; j < keys; ++j) {
      hidden[static_cast<std::size_t>(i * keys + j)] = -std::numeric_limits<float>::infinity();
    }
  }
  return c.e.constant(Tensor::of({queries, keys}, hidden));
}

struct Parts {
  Value q, k, v;  // (B, heads, T, D)
  const Value* bias;
  double scale;  // 0: one over the root of D
  bool causal;
};

Value attend(Context& c, Parts p) {
  const std::int64_t heads = p.q.dim(1), kv = p.k.dim(1);
  if (kv < 1 || heads % kv != 0) fail(ErrorKind::bad_file, "{} heads over {}", heads, kv);
  p.k = repeat_heads(c, p.k, heads / kv);
  p.v = repeat_heads(c, p.v, heads / kv);
  const double scale = p.scale != 0 ? p.scale : 1 / std::sqrt(static_cast<double>(p.q.dim(3)));
  Value scores = c.e.mul(c.e.matmul(p.q, p.k, false, true), c.e.scalar(scale));
  if (p.bias != nullptr) {
    if (p.bias->type.dtype == DType::boolean) {
      scores = c.e.where(*p.bias, scores, c.e.scalar(-std::numeric_limits<double>::infinity()));
    } else {
      scores = c.e.add(scores, *p.bias);
    }
  }
  if (p.causal) scores = c.e.add(scores, causal_mask(c, p.q.dim(2), p.k.dim(2)));
  return c.e.matmul(c.e.softmax(scores, 3), p.v);
}

Value join_heads(Context& c, const Value& y) {
  return c.e.reshape(c.e.transpose(y, {0, 2, 1, 3}), {y.dim(0), y.dim(2), y.dim(1) * y.dim(3)});
}

void attention(Context& c) {
  if (c.has(4) || c.has(5) || c.op.number("softcap", 0) != 0 || c.op.outputs.size() > 1) {
    fail(ErrorKind::unsupported, "attention with a state, a soft cap or more than one output");
  }
  const bool joined = c.in(0).rank() == 3;
  const std::int64_t heads = c.op.integer("q_num_heads", 0), kv = c.op.integer("kv_num_heads", 0);
  const Value y = attend(c, {split_heads(c, c.in(0), heads), split_heads(c, c.in(1), kv), split_heads(c, c.in(2), kv),
                             c.optional(3), c.op.number("scale", 0), c.op.integer("is_causal", 0) != 0});
  c.out(joined ? join_heads(c, y) : y);
}

void multi_head_attention(Context& c) {
  if (c.has(3) || c.has(4) || c.has(6) || c.has(7) || c.op.outputs.size() > 1) {
    fail(ErrorKind::unsupported, "attention with projections' biases, padding or a state");
  }
  const std::int64_t heads = c.op.integer("num_heads", 0);
  c.out(join_heads(
      c, attend(c, {split_heads(c, c.in(0), heads), split_heads(c, c.in(1), heads), split_heads(c, c.in(2), heads),
                    c.optional(5), c.op.number("scale", 0), c.op.integer("unidirectional", 0) != 0})));
}

void rms_normalization(Context& c) {
  const Value& x = c.in(0);
  Ints axes;
  for (std::int64_t a = Context::axis(c.op.integer("axis", -1), x.rank()); a < x.rank(); ++a) axes.push_back(a);
  const Value power = c.e.reduce(ReduceKind::mean, c.e.unary(UnaryKind::square, x), axes, true);
  const Value root = c.e.unary(UnaryKind::rsqrt, c.e.add(power, c.e.scalar(c.op.number("epsilon", 1e-5))));
  c.out(c.e.mul(c.e.mul(x, root), c.in(1)));
}

// Scale and bias are of channels since operator set 21, of groups before.
void group_normalization(Context& c) {
  const Value& x = c.in(0);
  const std::int64_t groups = c.op.integer("num_groups", 0);
  if (x.rank() < 2 || groups < 1 || x.dim(1) % groups != 0) {
    fail(ErrorKind::bad_file, "{} groups of {}", groups, to_string(x.type));
  }
  if (opset(c) < 21) fail(ErrorKind::unsupported, "scales of groups (operator set {})", opset(c));
  const Value grouped = c.e.reshape(x, {x.dim(0), groups, -1});
  const Value centred = c.e.sub(grouped, c.e.reduce(ReduceKind::mean, grouped, {2}, true));
  const Value variance = c.e.reduce(ReduceKind::mean, c.e.unary(UnaryKind::square, centred), {2}, true);
  const Value root = c.e.unary(UnaryKind::rsqrt, c.e.add(variance, c.e.scalar(c.op.number("epsilon", 1e-5))));
  Shape channels(x.shape().size(), 1);
  channels[1] = x.dim(1);
  const Value y = c.e.reshape(c.e.mul(centred, root), x.shape());
  c.out(c.e.add(c.e.mul(y, c.e.reshape(c.in(1), channels)), c.e.reshape(c.in(2), channels)));
}

}  // namespace

HandlerTable onnx_attention_handlers() {
  return {{"Attention", attention},
          {"com.microsoft:MultiHeadAttention", multi_head_attention},
          {"RMSNormalization", rms_normalization},
          {"GroupNormalization", group_normalization}};
}

}  // namespace thimble::gauge
