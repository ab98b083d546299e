#include "gauge/import/tflite_movement.h"

#include <limits>

namespace thimble::gauge {

using namespace graph;

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Rows (before, after), one an axis.
void read_padding(Context& c, Ints& before, Ints& after) {
  const auto p = c.e.known_integers(c.in(1), "padding");
  if (p.size() != 2 * c.in(0).shape().size()) fail(ErrorKind::bad_file, "{} paddings", p.size());
  for (std::size_t i = 0; i < p.size(); i += 2) {
    before.push_back(p[i]);
    after.push_back(p[i + 1]);
  }
}

void pad(Context& c) {
  Ints before, after;
  read_padding(c, before, after);
  double value = 0;
  if (c.has(2)) {
    const auto v = c.e.known_numbers(c.in(2), "the value to pad with");
    value = v.empty() ? 0 : v[0];
  }
  c.out(c.e.pad(c.in(0), before, after, value));
}

void mirror(Context& c) {
  Ints before, after;
  read_padding(c, before, after);
  c.out(mirror_pad(c.e, c.in(0), before, after, c.op.integer("mode", 0) == 1));
}

void reshape(Context& c) {
  const std::vector<std::int64_t> shape =
      c.has(1) ? c.e.known_integers(c.in(1), "the shape to reshape to") : c.op.integers("shape");
  c.out(c.e.reshape(c.in(0), shape));
}

void squeeze(Context& c) {
  const Value& x = c.in(0);
  std::vector<bool> gone(x.shape().size());
  for (const std::int64_t a : Context::axes(c.op.integers("axes"), x.rank())) gone[index(a)] = true;
  const bool all = c.op.integers("axes").empty();
  Shape shape;
  for (std::size_t a = 0; a < gone.size(); ++a) {
    if (!(gone[a] || (all && x.shape()[a] == 1))) shape.push_back(x.shape()[a]);
  }
  c.out(c.e.reshape(x, shape));
}

void expand_dims(Context& c) {
  const auto at = c.e.known_integers(c.in(1), "an axis");
  if (at.size() != 1) fail(ErrorKind::bad_file, "{} axes", at.size());
  Shape shape = c.in(0).shape();
  shape.insert(shape.begin() + Context::axis(at[0], c.in(0).rank() + 1), 1);
  c.out(c.e.reshape(c.in(0), shape));
}

void transpose(Context& c) { c.out(c.e.transpose(c.in(0), c.e.known_integers(c.in(1), "a permutation"))); }

void concatenation(Context& c) {
  const Value y = c.e.concat(c.all(), Context::axis(c.op.integer("axis", 0), c.in(0).rank()));
  if (c.op.integer("activation", 0) > 1) fail(ErrorKind::unsupported, "an activation of joined values");
  c.out(c.op.integer("activation", 0) == 1 ? c.e.unary(UnaryKind::relu, y) : y);
}

void slice(Context& c) {
  const auto begin = c.e.known_integers(c.in(1), "begin"), size = c.e.known_integers(c.in(2), "size");
  Value y = c.in(0);
  if (begin.size() != y.shape().size() || size.size() != begin.size())
    fail(ErrorKind::bad_file, "{} begins", begin.size());
  for (std::int64_t a = 0; a < y.rank(); ++a) {
    const std::int64_t from = begin[index(a)], n = size[index(a)] < 0 ? y.dim(a) - from : size[index(a)];
    y = c.e.slice(y, a, from, from + n);
  }
  c.out(y);
}

void strided_slice(Context& c) {
  const auto begin = c.e.known_integers(c.in(1), "begin"), end = c.e.known_integers(c.in(2), "end"),
             step = c.e.known_integers(c.in(3), "strides");
  if (begin.size() != end.size() || begin.size() != step.size())
    fail(ErrorKind::bad_file, "begins, ends and strides differ");
  if (c.op.integer("offset", 0) != 0) fail(ErrorKind::unsupported, "ends that are offsets");
  const auto mask = [&](const char* key, std::size_t i) { return (c.op.integer(key, 0) >> i & 1) != 0; };
  Value y = c.in(0);
  const std::int64_t rank = y.rank();
  std::int64_t added = 0;
  for (std::size_t i = 0; i < begin.size(); ++i) added += mask("new_axis_mask", i) ? 1 : 0;
  Shape shape;
  std::int64_t axis = 0;
  constexpr std::int64_t kFar = std::numeric_limits<std::int32_t>::max(),
                         kBack = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (mask("ellipsis_mask", i)) {
      const std::int64_t covered = rank - (static_cast<std::int64_t>(begin.size()) - 1 - added);
      for (std::int64_t k = 0; k < covered; ++k) shape.push_back(y.dim(axis++));
      continue;
    }
    if (mask("new_axis_mask", i)) {
      shape.push_back(1);
      continue;
    }
    if (axis >= rank) fail(ErrorKind::bad_file, "more slices than axes");
    if (mask("shrink_axis_mask", i)) {
      const std::int64_t at = Context::axis(begin[i], y.dim(axis));
      y = c.e.slice(y, axis++, at, at + 1);
      continue;
    }
    const bool forwards = step[i] > 0;
    y = python_slice(c.e, y, axis, mask("begin_mask", i) ? (forwards ? 0 : kFar) : begin[i],
                     mask("end_mask", i) ? (forwards ? kFar : kBack) : end[i], step[i]);
    shape.push_back(y.dim(axis++));
  }
  while (axis < rank) shape.push_back(y.dim(axis++));
  c.out(c.e.reshape(y, shape));
}

void gather(Context& c) {
  if (c.op.integer("batch_dims", 0) != 0) fail(ErrorKind::unsupported, "batch_dims {}", c.op.integer("batch_dims", 0));
  c.out(c.e.gather(c.in(0), c.in(1), Context::axis(c.op.integer("axis", 0), c.in(0).rank())));
}

void pack(Context& c) {
  std::vector<Value> parts;
  const std::int64_t axis = Context::axis(c.op.integer("axis", 0), c.in(0).rank() + 1);
  for (const Value& x : c.all()) {
    Shape shape = x.shape();
    shape.insert(shape.begin() + axis, 1);
    parts.push_back(c.e.reshape(x, shape));
  }
  c.out(c.e.concat(parts, axis));
}

void unpack(Context& c) {
  const Value& x = c.in(0);
  const std::int64_t axis = Context::axis(c.op.integer("axis", 0), x.rank());
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  for (std::int64_t i = 0; i < x.dim(axis); ++i) c.out(index(i), c.e.reshape(c.e.slice(x, axis, i, i + 1), shape));
}

void split_parts(Context& c, const Value& x, std::int64_t axis, const std::vector<std::int64_t>& sizes) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    c.out(i, c.e.slice(x, axis, at, at + sizes[i]));
    at += sizes[i];
  }
}

void split(Context& c) {  // axis, x
  const Value& x = c.in(1);
  const auto a = c.e.known_integers(c.in(0), "an axis");
  const std::int64_t axis = Context::axis(a.empty() ? 0 : a[0], x.rank());
  const auto parts = static_cast<std::int64_t>(c.op.outputs.size());
  if (parts < 1 || x.dim(axis) % parts != 0) fail(ErrorKind::bad_file, "{} parts of {}", parts, x.dim(axis));
  split_parts(c, x, axis, std::vector<std::int64_t>(index(parts), x.dim(axis) / parts));
}

void split_v(Context& c) {  // x, sizes, axis
  const Value& x = c.in(0);
  auto sizes = c.e.known_integers(c.in(1), "sizes");
  const auto a = c.e.known_integers(c.in(2), "an axis");
  const std::int64_t axis = Context::axis(a.empty() ? 0 : a[0], x.rank());
  std::int64_t rest = x.dim(axis);
  for (const std::int64_t s : sizes) rest -= s < 0 ? 0 : s;
  for (std::int64_t& s : sizes) s = s < 0 ? rest : s;
  split_parts(c, x, axis, sizes);
}

template <bool least>
void arg_extreme_of(Context& c) {  // x, axis
  const Value& x = c.in(0);
  const auto a = c.e.known_integers(c.in(1), "an axis");
  if (a.size() != 1) fail(ErrorKind::bad_file, "{} axes", a.size());
  const std::int64_t axis = Context::axis(a[0], x.rank());
  const Value y = arg_extreme(c.e, x, axis, least);
  Shape shape = y.shape();
  shape.erase(shape.begin() + axis);
  c.out(c.e.reshape(y, shape));
}

void top_k_of(Context& c) {
  const auto k = c.e.known_integers(c.in(1), "k");
  if (k.size() != 1) fail(ErrorKind::bad_file, "k of {} numbers", k.size());
  auto [values, indices] = top_k(c.e, c.in(0), Context::axis(-1, c.in(0).rank()), k[0], false);
  c.out(0, values);
  c.out(1, indices);
}

template <bool to_batch>
void batch_space(Context& c) {
  const auto block = c.e.known_integers(c.in(1), "a block"), rows = c.e.known_integers(c.in(2), "padding");
  c.out(to_batch ? space_to_batch(c.e, c.in(0), block, rows) : batch_to_space(c.e, c.in(0), block, rows));
}

void shape_of(Context& c) { c.out(c.e.integers(c.in(0).shape())); }

void fill(Context& c) { c.out(c.e.broadcast(c.e.reshape(c.in(1), {}), c.e.known_integers(c.in(0), "a shape"))); }

void broadcast_to(Context& c) { c.out(c.e.broadcast(c.in(0), c.e.known_integers(c.in(1), "a shape"))); }

}  // namespace

HandlerTable tflite_movement_handlers() {
  return {
      {"PAD", pad},
      {"PADV2", pad},
      {"MIRROR_PAD", mirror},
      {"RESHAPE", reshape},
      {"SQUEEZE", squeeze},
      {"EXPAND_DIMS", expand_dims},
      {"TRANSPOSE", transpose},
      {"CONCATENATION", concatenation},
      {"SLICE", slice},
      {"STRIDED_SLICE", strided_slice},
      {"GATHER", gather},
      {"PACK", pack},
      {"UNPACK", unpack},
      {"SPLIT", split},
      {"SPLIT_V", split_v},
      {"SHAPE", shape_of},
      {"ARG_MAX", arg_extreme_of<false>},
      {"ARG_MIN", arg_extreme_of<true>},
      {"TOPK_V2", top_k_of},
      {"GATHER_ND", [](Context& c) { c.out(gather_nd(c.e, c.in(0), c.in(1))); }},
      {"SPACE_TO_BATCH_ND", batch_space<true>},
      {"BATCH_TO_SPACE_ND", batch_space<false>},
      {"RANGE", [](Context& c) { c.out(number_range(c.e, c.in(0), c.in(1), c.in(2))); }},
      {"RANK", [](Context& c) { c.out(c.e.scalar(static_cast<double>(c.in(0).rank()), DType::i32)); }},
      {"FILL", fill},
      {"BROADCAST_TO", broadcast_to},
      {"TILE", [](Context& c) { c.out(tile(c.e, c.in(0), c.e.known_integers(c.in(1), "repeats"))); }},
      {"ZEROS_LIKE", [](Context& c) { c.out(c.e.broadcast(c.e.scalar(0, c.in(0).type.dtype), c.in(0).shape())); }},
      {"DEPTH_TO_SPACE", [](Context& c) { c.out(c.e.pixel_shuffle(c.in(0), c.op.integer("block_size", 1), true)); }},
      {"SPACE_TO_DEPTH", [](Context& c) { c.out(c.e.pixel_unshuffle(c.in(0), c.op.integer("block_size", 1), true)); }}};
}

}  // namespace thimble::gauge
