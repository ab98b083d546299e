// ONNX's LSTM and GRU, unrolled: the number of steps is known, so a step becomes products and gates of its own. The
// products of all inputs are one.
#include "gauge/import/onnx_ops.h"

namespace thimble::gauge {

using namespace graph;

namespace {

constexpr std::int64_t kMostSteps = 1024;

Value sigmoid(Emitter& e, const Value& x) { return e.unary(UnaryKind::sigmoid, x); }
Value tanh(Emitter& e, const Value& x) { return e.unary(UnaryKind::tanh, x); }

struct Layer {
  std::int64_t steps, batch, width, hidden, directions, gates;
};

Layer layer_of(Context& c, std::int64_t gates) {
  const Value &x = c.in(0), &w = c.in(1), &r = c.in(2);
  if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3) fail(ErrorKind::bad_file, "three axes were wanted");
  if (c.op.integer("layout", 0) != 0) fail(ErrorKind::unsupported, "layout 1");
  if (c.has(4)) fail(ErrorKind::unsupported, "lengths of sequences");
  if (c.op.has("activations") || c.op.has("clip")) fail(ErrorKind::unsupported, "activations of choice");
  const Layer l{x.dim(0), x.dim(1), x.dim(2), r.dim(2), w.dim(0), gates};
  if (l.steps > kMostSteps) fail(ErrorKind::unsupported, "{} steps; {} are unrolled", l.steps, kMostSteps);
  if (w.shape() != Shape{l.directions, gates * l.hidden, l.width} ||
      r.shape() != Shape{l.directions, gates * l.hidden, l.hidden} || l.directions < 1 || l.directions > 2) {
    fail(ErrorKind::bad_file, "weights {} and {}", to_string(w.type), to_string(r.type));
  }
  return l;
}

// Part `i` of `n` equal ones of the last axis.
Value part(Emitter& e, const Value& x, std::int64_t i, std::int64_t size) {
  return e.slice(x, x.rank() - 1, i * size, (i + 1) * size);
}

Value direction_of(Emitter& e, const Value& x, std::int64_t d) {
  Shape shape = x.shape();
  shape.erase(shape.begin());
  return e.reshape(e.slice(x, 0, d, d + 1), shape);
}

Value start(Context& c, std::size_t i, std::int64_t d, const Layer& l) {
  if (c.has(i)) return direction_of(c.e, c.in(i), d);
  return c.e.broadcast(c.e.scalar(0), {l.batch, l.hidden});
}

// Backwards for the second direction, and for the only one of a reverse layer.
bool backwards(Context& c, std::int64_t d) { return d == 1 || c.op.text("direction", "forward") == "reverse"; }

// Y (T, D, B, H) from the states of each direction, and what is left at the end (D, B, H).
Value stacked(Emitter& e, const std::vector<std::vector<Value>>& states, const Layer& l) {
  std::vector<Value> steps;
  for (std::int64_t t = 0; t < l.steps; ++t) {
    for (const auto& direction : states) {
      steps.push_back(e.reshape(direction[static_cast<std::size_t>(t)], {1, l.batch, l.hidden}));
    }
  }
  return e.reshape(e.concat(steps, 0), {l.steps, l.directions, l.batch, l.hidden});
}

Value last(Emitter& e, const std::vector<Value>& finals, const Layer& l) {
  std::vector<Value> parts;
  for (const Value& v : finals) parts.push_back(e.reshape(v, {1, l.batch, l.hidden}));
  return e.concat(parts, 0);
}

void lstm(Context& c) {
  Emitter& e = c.e;
  const Layer l = layer_of(c, 4);
  if (c.has(7) || c.op.integer("input_forget", 0) != 0) fail(ErrorKind::unsupported, "peepholes");
  const std::int64_t H = l.hidden;
  std::vector<std::vector<Value>> states(static_cast<std::size_t>(l.directions));
  std::vector<Value> hidden, cells;
  for (std::int64_t d = 0; d < l.directions; ++d) {
    const Value w = direction_of(e, c.in(1), d), r = direction_of(e, c.in(2), d);
    std::optional<Value> bias;
    if (c.has(3)) {
      const Value b = direction_of(e, c.in(3), d);
      bias = e.add(part(e, b, 0, 4 * H), part(e, b, 1, 4 * H));
    }
    const Value all = e.linear(e.reshape(c.in(0), {l.steps * l.batch, l.width}), w, bias ? &*bias : nullptr);
    Value h = start(c, 5, d, l), cell = start(c, 6, d, l);
    auto& out = states[static_cast<std::size_t>(d)];
    out.resize(static_cast<std::size_t>(l.steps));
    for (std::int64_t i = 0; i < l.steps; ++i) {
      const std::int64_t t = backwards(c, d) ? l.steps - 1 - i : i;
      const Value gates = e.add(e.linear(h, r, nullptr), e.slice(all, 0, t * l.batch, (t + 1) * l.batch));
      // Gates lie in the order input, output, forget, cell.
      const Value in = sigmoid(e, part(e, gates, 0, H)), go = sigmoid(e, part(e, gates, 1, H)),
                  keep = sigmoid(e, part(e, gates, 2, H)), fresh = tanh(e, part(e, gates, 3, H));
      cell = e.add(e.mul(keep, cell), e.mul(in, fresh));
      h = e.mul(go, tanh(e, cell));
      out[static_cast<std::size_t>(t)] = h;
    }
    hidden.push_back(h);
    cells.push_back(cell);
  }
  c.out(0, stacked(e, states, l));
  c.out(1, last(e, hidden, l));
  c.out(2, last(e, cells, l));
}

void gru(Context& c) {
  Emitter& e = c.e;
  const Layer l = layer_of(c, 3);
  const std::int64_t H = l.hidden;
  const bool linear_first = c.op.integer("linear_before_reset", 0) != 0;
  std::vector<std::vector<Value>> states(static_cast<std::size_t>(l.directions));
  std::vector<Value> hidden;
  for (std::int64_t d = 0; d < l.directions; ++d) {
    const Value w = direction_of(e, c.in(1), d), r = direction_of(e, c.in(2), d);
    const Value zero = e.broadcast(e.scalar(0), {6 * H});
    const Value b = c.has(3) ? direction_of(e, c.in(3), d) : zero;
    const Value wb = part(e, b, 0, 3 * H), rb = part(e, b, 1, 3 * H);
    const Value all = e.linear(e.reshape(c.in(0), {l.steps * l.batch, l.width}), w, &wb);
    const Value r_gates = e.slice(r, 0, 0, 2 * H), r_new = e.slice(r, 0, 2 * H, 3 * H);
    const Value b_gates = e.slice(rb, 0, 0, 2 * H), b_new = e.slice(rb, 0, 2 * H, 3 * H);
    Value h = start(c, 5, d, l);
    auto& out = states[static_cast<std::size_t>(d)];
    out.resize(static_cast<std::size_t>(l.steps));
    for (std::int64_t i = 0; i < l.steps; ++i) {
      const std::int64_t t = backwards(c, d) ? l.steps - 1 - i : i;
      const Value x = e.slice(all, 0, t * l.batch, (t + 1) * l.batch);
      // Gates lie in the order update, reset, hidden.
      const Value gates = sigmoid(e, e.add(e.linear(h, r_gates, &b_gates), e.slice(x, 1, 0, 2 * H)));
      const Value update = part(e, gates, 0, H), reset = part(e, gates, 1, H);
      const Value old =
          linear_first ? e.mul(reset, e.linear(h, r_new, &b_new)) : e.linear(e.mul(reset, h), r_new, &b_new);
      const Value fresh = tanh(e, e.add(e.slice(x, 1, 2 * H, 3 * H), old));
      h = e.add(fresh, e.mul(update, e.sub(h, fresh)));
      out[static_cast<std::size_t>(t)] = h;
    }
    hidden.push_back(h);
  }
  c.out(0, stacked(e, states, l));
  c.out(1, last(e, hidden, l));
}

}  // namespace

HandlerTable onnx_recurrent_handlers() { return {{"LSTM", lstm}, {"GRU", gru}}; }

}  // namespace thimble::gauge
