// Operators that choose: the places of extremes, rows under indices, blocks; and the error function. All composed of
// what the graph has.
#include <algorithm>
#include <cmath>

#include "gauge/import/context.h"

namespace thimble::gauge {

using namespace graph;

namespace {

constexpr std::int64_t kMostPasses = 128;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// 0, 1, 2 … along one axis, 1 along the others; f32, exact up to 2^24.
Value counting(Emitter& e, std::int64_t n, std::int64_t axis, std::int64_t rank) {
  if (n > (1 << 24)) fail(ErrorKind::unsupported, "the place of an extreme among {}", n);
  std::vector<float> values(index(n));
  for (std::int64_t i = 0; i < n; ++i) values[index(i)] = static_cast<float>(i);
  Shape shape(index(rank), 1);
  shape[index(axis)] = n;
  return e.reshape(e.constant(Tensor::of({n}, values)), shape);
}

// Where x is `best`, the least place; f32.
Value first_place(Emitter& e, const Value& x, const Value& best, std::int64_t axis) {
  const Value places = e.broadcast(counting(e, x.dim(axis), axis, x.rank()), x.shape());
  const Value none = e.broadcast(e.scalar(static_cast<double>(x.dim(axis) - 1)), x.shape());
  return e.reduce(ReduceKind::min, e.where(e.binary(BinaryKind::equal, x, best), places, none), {axis}, true);
}

// Strides of the first `depth` axes in rows of the rest.
std::vector<std::int64_t> strides_of(const Shape& shape, std::int64_t depth) {
  std::vector<std::int64_t> out(index(depth), 1);
  for (std::int64_t a = depth - 1; a-- > 0;) out[index(a)] = out[index(a + 1)] * shape[index(a + 1)];
  return out;
}

std::int64_t depth_of(const Value& x, const Value& indices) {
  const std::int64_t depth = indices.rank() < 1 ? 0 : indices.shape().back();
  if (depth < 1 || depth > x.rank()) {
    fail(ErrorKind::bad_file, "indices {} into {}", to_string(indices.type), to_string(x.type));
  }
  return depth;
}

void want_blocks(const Value& x, const std::vector<std::int64_t>& block, const std::vector<std::int64_t>& rows) {
  if (x.rank() != 4 || block.size() != 2 || rows.size() != 4) {
    fail(ErrorKind::unsupported, "blocks of {} axes of {}", block.size(), to_string(x.type));
  }
  if (std::ranges::min(block) < 1 || std::ranges::max(block) > 4096 || std::ranges::min(rows) < 0) {
    fail(ErrorKind::bad_file, "blocks of {} x {}", block[0], block[1]);
  }
}

}  // namespace

Value arg_extreme(Emitter& e, const Value& x, std::int64_t axis, bool least) {
  const Value numbers = e.cast(x, DType::f32);
  const Value best = e.reduce(least ? ReduceKind::min : ReduceKind::max, numbers, {axis}, true);
  return e.cast(first_place(e, numbers, best, axis), DType::i32);
}

std::pair<Value, Value> top_k(Emitter& e, const Value& x, std::int64_t axis, std::int64_t k, bool least) {
  if (k < 1 || k > x.dim(axis)) fail(ErrorKind::bad_file, "the {} largest of {}", k, x.dim(axis));
  if (k > kMostPasses) fail(ErrorKind::unsupported, "the {} largest; {} are served", k, kMostPasses);
  // What was taken sinks below all others.
  const Value bottom = e.broadcast(e.scalar(least ? 3.4e38 : -3.4e38), x.shape());
  const Value places = e.broadcast(counting(e, x.dim(axis), axis, x.rank()), x.shape());
  std::vector<Value> values, indices;
  Value left = e.cast(x, DType::f32);
  for (std::int64_t i = 0; i < k; ++i) {
    const Value best = e.reduce(least ? ReduceKind::min : ReduceKind::max, left, {axis}, true);
    const Value place = first_place(e, left, best, axis);
    values.push_back(best);
    indices.push_back(place);
    if (i + 1 < k) left = e.where(e.binary(BinaryKind::equal, places, place), bottom, left);
  }
  return {e.cast(e.concat(values, axis), x.type.dtype), e.cast(e.concat(indices, axis), DType::i32)};
}

// Abramowitz and Stegun, 7.1.26.
Value erf(Emitter& e, const Value& x) {
  const Value size = e.unary(UnaryKind::abs, x);
  const Value t = e.unary(UnaryKind::reciprocal, e.add(e.mul(size, e.scalar(0.3275911)), e.scalar(1)));
  Value sum = e.scalar(1.061405429);
  for (const double a : {-1.453152027, 1.421413741, -0.284496736, 0.254829592}) {
    sum = e.add(e.mul(sum, t), e.scalar(a));
  }
  const Value tail =
      e.mul(e.mul(sum, t), e.unary(UnaryKind::exp, e.unary(UnaryKind::neg, e.unary(UnaryKind::square, x))));
  return e.mul(e.unary(UnaryKind::sign, x), e.sub(e.scalar(1), tail));
}

Value gather_nd(Emitter& e, const Value& x, const Value& indices) {
  const std::int64_t depth = depth_of(x, indices), last = indices.rank() - 1;
  std::int64_t rows = 1;
  for (std::int64_t a = 0; a < depth; ++a) rows *= x.dim(a);
  Shape table{rows}, out(indices.shape().begin(), indices.shape().end() - 1);
  for (std::int64_t a = depth; a < x.rank(); ++a) table.push_back(x.dim(a));
  out.insert(out.end(), table.begin() + 1, table.end());
  const auto strides = strides_of(x.shape(), depth);
  if (rows > (1 << 24)) fail(ErrorKind::unsupported, "one of {} rows", rows);
  Value at = e.scalar(0);
  for (std::int64_t a = 0; a < depth; ++a) {
    const Value one = e.cast(e.slice(indices, last, a, a + 1), DType::f32);
    at = e.add(at, e.mul(one, e.scalar(static_cast<double>(strides[index(a)]))));
  }
  const Value flat = e.reshape(e.cast(at, DType::i32), {at.type.elements()});
  return e.reshape(e.gather(e.reshape(x, table), flat, 0), out);
}

Value scatter_nd(Emitter& e, const Value& x, const Value& indices, const Value& updates) {
  const std::int64_t depth = depth_of(x, indices);
  const auto list = e.known_integers(indices, "the places to write to");
  std::int64_t rows = 1, inner = 1;
  for (std::int64_t a = 0; a < x.rank(); ++a) (a < depth ? rows : inner) *= x.dim(a);
  const std::int64_t writes = static_cast<std::int64_t>(list.size()) / depth;
  if (rows > (1 << 24) || updates.type.elements() != writes * inner) {
    fail(ErrorKind::bad_file, "updates {} of {}", to_string(updates.type), to_string(x.type));
  }
  std::vector<std::int64_t> from(index(rows));
  for (std::int64_t r = 0; r < rows; ++r) from[index(r)] = r;
  const auto strides = strides_of(x.shape(), depth);
  for (std::int64_t w = 0; w < writes; ++w) {
    std::int64_t row = 0;
    for (std::int64_t a = 0; a < depth; ++a)
      row += Context::axis(list[index(w * depth + a)], x.dim(a)) * strides[index(a)];
    from[index(row)] = rows + w;
  }
  const Value both =
      e.concat({e.reshape(x, {rows, inner}), e.reshape(e.cast(updates, x.type.dtype), {writes, inner})}, 0);
  return e.reshape(e.gather(both, e.integers(from), 0), x.shape());
}

Value space_to_batch(Emitter& e, const Value& x, const std::vector<std::int64_t>& block,
                     const std::vector<std::int64_t>& rows) {
  want_blocks(x, block, rows);
  const Value p = e.pad(x, {0, rows[0], rows[2], 0}, {0, rows[1], rows[3], 0}, 0);
  const std::int64_t n = p.dim(0), h = p.dim(1), w = p.dim(2), c = p.dim(3), bh = block[0], bw = block[1];
  if (h % bh != 0 || w % bw != 0) fail(ErrorKind::bad_file, "{} in blocks of {} x {}", to_string(p.type), bh, bw);
  const Value parts = e.reshape(p, {n, h / bh, bh, w / bw, bw, c});
  return e.reshape(e.transpose(parts, {2, 4, 0, 1, 3, 5}), {n * bh * bw, h / bh, w / bw, c});
}

Value batch_to_space(Emitter& e, const Value& x, const std::vector<std::int64_t>& block,
                     const std::vector<std::int64_t>& rows) {
  want_blocks(x, block, rows);
  const std::int64_t bh = block[0], bw = block[1], h = x.dim(1), w = x.dim(2), c = x.dim(3);
  if (x.dim(0) % (bh * bw) != 0) fail(ErrorKind::bad_file, "{} in blocks of {} x {}", to_string(x.type), bh, bw);
  const std::int64_t n = x.dim(0) / (bh * bw);
  const Value parts = e.transpose(e.reshape(x, {bh, bw, n, h, w, c}), {2, 3, 0, 4, 1, 5});
  const Value whole = e.reshape(parts, {n, h * bh, w * bw, c});
  return e.slice(e.slice(whole, 1, rows[0], h * bh - rows[1]), 2, rows[2], w * bw - rows[3]);
}

Value number_range(Emitter& e, const Value& begin_value, const Value& end_value, const Value& step_value) {
  const auto number = [&](const Value& v, const char* what) {
    const auto list = e.known_numbers(v, what);
    if (list.size() != 1) fail(ErrorKind::bad_file, "{} of {} numbers", what, list.size());
    return list[0];
  };
  const double begin = number(begin_value, "start"), end = number(end_value, "limit"),
               step = number(step_value, "delta");
  const double n = std::ceil((end - begin) / step);
  if (!(n <= 1 << 22)) fail(ErrorKind::unsupported, "a range of {} numbers", n);
  std::vector<float> values;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(n); ++i) {
    values.push_back(static_cast<float>(begin + static_cast<double>(i) * step));
  }
  return e.cast(e.constant(Tensor::of({static_cast<std::int64_t>(values.size())}, values)), begin_value.type.dtype);
}

}  // namespace thimble::gauge
