// Compositions that both formats use, said with the emitter's ops.
#include <algorithm>
#include <limits>

#include "gauge/import/context.h"

namespace thimble::gauge {

using namespace graph;

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

void Context::choose(const Value& condition, std::int64_t then_graph, std::int64_t else_graph,
                     const std::vector<Value>& arguments) {
  if (condition.constant) {
    const std::vector<std::int64_t> c = e.known_integers(condition, "a condition");
    if (c.size() != 1) fail(ErrorKind::bad_file, "a condition of {} elements", c.size());
    std::vector<Value> taken = run(c[0] != 0 ? then_graph : else_graph, arguments);
    for (std::size_t i = 0; i < taken.size(); ++i) out(i, std::move(taken[i]));
    return;
  }
  // Whichever branch is not taken may well make no sense with this input.
  const auto attempt = [&](std::int64_t branch) {
    try {
      return run(branch, arguments);
    } catch (const Error& error) {
      fail(ErrorKind::unsupported, "in a branch that depends on an input: {}", error.what());
    }
  };
  const std::vector<Value> a = attempt(then_graph), b = attempt(else_graph);
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i].type != b[i].type) {
      fail(ErrorKind::unsupported,
           "its branches give {} and {}: bind the input that the condition depends on to a value", to_string(a[i].type),
           to_string(b[i].type));
    }
    out(i, e.where(e.reshape(e.cast(condition, DType::boolean), {}), a[i], b[i]));
  }
}

Value leaky_relu(Emitter& e, const Value& x, double alpha) {
  if (alpha == 0) return e.unary(UnaryKind::relu, x);
  const Value scaled = e.mul(x, e.scalar(alpha));
  if (alpha > 0 && alpha <= 1) return e.binary(BinaryKind::max, x, scaled);
  return e.where(e.binary(BinaryKind::less, x, e.scalar(0)), scaled, x);
}

Value parametric_relu(Emitter& e, const Value& x, const Value& slope) {
  return e.add(e.unary(UnaryKind::relu, x), e.mul(e.binary(BinaryKind::min, x, e.scalar(0)), slope));
}

Value elu(Emitter& e, const Value& x, double alpha) {
  const Value low = e.sub(e.unary(UnaryKind::exp, e.binary(BinaryKind::min, x, e.scalar(0))), e.scalar(1));
  return e.add(e.unary(UnaryKind::relu, x), e.mul(low, e.scalar(alpha)));
}

Value hard_swish(Emitter& e, const Value& x) { return e.unary(UnaryKind::hard_swish, x); }

Value log_softmax(Emitter& e, const Value& x, std::int64_t axis) {
  const Value shifted = e.sub(x, e.reduce(ReduceKind::max, x, {axis}, true));
  const Value sum = e.reduce(ReduceKind::sum, e.unary(UnaryKind::exp, shifted), {axis}, true);
  return e.sub(shifted, e.unary(UnaryKind::log, sum));
}

Value mean_of(Emitter& e, const Value& x, Ints axes, bool keep_dims) {
  return e.reduce(ReduceKind::mean, x, std::move(axes), keep_dims);
}

Value greater_or_equal(Emitter& e, const Value& a, const Value& b) {
  return e.logical_not(e.binary(BinaryKind::less, a, b));
}

Value tile(Emitter& e, const Value& x, const std::vector<std::int64_t>& repeats) {
  if (repeats.size() != x.shape().size())
    fail(ErrorKind::bad_file, "{} repeats of {}", repeats.size(), to_string(x.type));
  Shape apart, wide, joined;  // (1, d0, 1, d1 …) broadcast to (r0, d0, r1, d1 …)
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0) fail(ErrorKind::bad_file, "a repeat of {}", repeats[i]);
    if (repeats[i] != 1) {
      apart.push_back(1);
      wide.push_back(repeats[i]);
    }
    apart.push_back(x.shape()[i]);
    wide.push_back(x.shape()[i]);
    joined.push_back(element_count(Shape{repeats[i], x.shape()[i]}));
  }
  return e.reshape(e.broadcast(e.reshape(x, apart), wide), joined);
}

Value mirror_pad(Emitter& e, const Value& x, const Ints& before, const Ints& after, bool repeat_edge) {
  Value y = x;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    const std::int64_t low = before.at(index(a)), high = after.at(index(a)), n = x.dim(a);
    if (low == 0 && high == 0) continue;
    const std::int64_t most = repeat_edge ? n : n - 1;
    if (low < 0 || high < 0 || low > most || high > most) {
      fail(ErrorKind::unsupported, "{} and {} mirrored places around an axis of {}", low, high, n);
    }
    std::vector<std::int64_t> at;
    for (std::int64_t i = -low; i < n + high; ++i) {
      std::int64_t p = i;
      if (p < 0) p = repeat_edge ? -p - 1 : -p;
      if (p >= n) p = repeat_edge ? 2 * n - 1 - p : 2 * n - 2 - p;
      at.push_back(p);
    }
    y = e.gather(y, e.integers(at), a);
  }
  return y;
}

Value python_slice(Emitter& e, const Value& x, std::int64_t axis, std::int64_t begin, std::int64_t end,
                   std::int64_t step) {
  const std::int64_t n = x.dim(axis);
  if (step == 0) fail(ErrorKind::bad_file, "a slice with a step of 0");
  const auto bound = [&](std::int64_t v, std::int64_t low, std::int64_t high) {
    return std::clamp(v < 0 ? v + n : v, low, high);
  };
  if (step > 0) {
    const std::int64_t first = bound(begin, 0, n), last = bound(end, 0, n);
    return e.slice(x, axis, first, std::max(first, last), step);
  }
  // Backwards: turn the axis round, then forwards. An end of the lowest integer means through the first element.
  const std::int64_t first = bound(begin, -1, n - 1);
  const std::int64_t last = end <= std::numeric_limits<std::int32_t>::min() ? -1 : bound(end, -1, n - 1);
  const std::int64_t from = n - 1 - first, to = std::max(from, n - 1 - last);
  return e.slice(e.reverse(x, axis), axis, from, to, -step);
}

}  // namespace thimble::gauge
