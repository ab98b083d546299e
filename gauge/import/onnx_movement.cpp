// ONNX's operators that move values and make shapes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "gauge/import/onnx_ops.h"

namespace thimble::gauge {

using namespace graph;

namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

void reshape(Context& c) {
  std::vector<std::int64_t> shape =
      c.has(1) ? c.e.known_integers(c.in(1), "the shape to reshape to") : c.op.integers("shape");
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && c.op.integer("allowzero", 0) == 0) shape[i] = c.in(0).dim(static_cast<std::int64_t>(i));
  }
  c.out(c.e.reshape(c.in(0), shape));
}

void flatten(Context& c) {
  const Value& x = c.in(0);
  const std::int64_t a = c.op.integer("axis", 1), axis = a < 0 ? a + x.rank() : a;
  if (axis < 0 || axis > x.rank()) fail(ErrorKind::bad_file, "axis {} of {}", a, to_string(x.type));
  std::int64_t outer = 1, inner = 1;
  for (std::int64_t i = 0; i < x.rank(); ++i) (i < axis ? outer : inner) *= x.dim(i);
  c.out(c.e.reshape(x, {outer, inner}));
}

void transpose(Context& c) {
  std::vector<std::int64_t> perm = c.op.integers("perm");
  if (perm.empty()) {
    perm.resize(c.in(0).shape().size());
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  c.out(c.e.transpose(c.in(0), perm));
}

void squeeze(Context& c) {
  const Value& x = c.in(0);
  const Ints axes = Context::axes(axes_of(c, 1), x.rank());
  Shape shape;
  for (std::int64_t a = 0; a < x.rank(); ++a) {
    const bool gone = axes.empty() ? x.dim(a) == 1 : std::ranges::find(axes, a) != axes.end();
    if (gone && x.dim(a) != 1) fail(ErrorKind::bad_file, "axis {} of {} is not 1", a, to_string(x.type));
    if (!gone) shape.push_back(x.dim(a));
  }
  c.out(c.e.reshape(x, shape));
}

void unsqueeze(Context& c) {
  const Value& x = c.in(0);
  const auto list = axes_of(c, 1);
  const std::int64_t rank = x.rank() + static_cast<std::int64_t>(list.size());
  Ints axes = Context::axes(list, rank);
  std::ranges::sort(axes);
  Shape shape = x.shape();
  for (const std::int64_t a : axes) {
    if (a > static_cast<std::int64_t>(shape.size())) fail(ErrorKind::bad_file, "axis {} of {}", a, rank);
    shape.insert(shape.begin() + a, 1);
  }
  c.out(c.e.reshape(x, shape));
}

// Attributes up to operator set 9, inputs since.
void slice(Context& c) {
  std::vector<std::int64_t> begin, end, axes, steps;
  if (c.op.has("starts")) {
    begin = c.op.integers("starts");
    end = c.op.integers("ends");
    axes = c.op.integers("axes");
  } else {
    begin = c.e.known_integers(c.in(1), "starts");
    end = c.e.known_integers(c.in(2), "ends");
    if (c.has(3)) axes = c.e.known_integers(c.in(3), "axes");
    if (c.has(4)) steps = c.e.known_integers(c.in(4), "steps");
  }
  if (axes.empty()) {
    axes.resize(begin.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(begin.size(), 1);
  if (end.size() != begin.size() || axes.size() != begin.size() || steps.size() != begin.size()) {
    fail(ErrorKind::bad_file, "starts, ends, axes and steps differ in number");
  }
  Value y = c.in(0);
  for (std::size_t i = 0; i < begin.size(); ++i) {
    y = python_slice(c.e, y, Context::axis(axes[i], y.rank()), begin[i], end[i], steps[i]);
  }
  c.out(y);
}

void split(Context& c) {
  const Value& x = c.in(0);
  const std::int64_t axis = Context::axis(c.op.integer("axis", 0), x.rank()), n = x.dim(axis);
  std::vector<std::int64_t> sizes =
      c.op.has("split") ? c.op.integers("split")
                        : (c.has(1) ? c.e.known_integers(c.in(1), "sizes") : std::vector<std::int64_t>{});
  if (sizes.empty()) {  // equal parts, the last one smaller
    const auto parts = static_cast<std::int64_t>(c.op.outputs.size());
    if (parts < 1) fail(ErrorKind::bad_file, "no parts");
    const std::int64_t size = (n + parts - 1) / parts;
    for (std::int64_t i = 0; i < parts; ++i) sizes.push_back(std::clamp<std::int64_t>(n - i * size, 0, size));
  }
  std::int64_t at = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    c.out(i, c.e.slice(x, axis, at, at + sizes[i]));
    at += sizes[i];
  }
}

void concat(Context& c) { c.out(c.e.concat(c.all(), Context::axis(c.op.integer("axis", 0), c.in(0).rank()))); }

void gather(Context& c) { c.out(c.e.gather(c.in(0), c.in(1), Context::axis(c.op.integer("axis", 0), c.in(0).rank()))); }

// Attributes up to operator set 10, inputs since; since 18 for chosen axes.
void pad(Context& c) {
  const Value& x = c.in(0);
  const auto given = c.op.has("pads") ? c.op.integers("pads") : c.e.known_integers(c.in(1), "padding");
  std::vector<std::int64_t> axes(x.shape().size());
  std::iota(axes.begin(), axes.end(), 0);
  if (c.has(3)) axes = Context::axes(c.e.known_integers(c.in(3), "axes"), x.rank());
  if (given.size() != 2 * axes.size()) fail(ErrorKind::bad_file, "{} paddings for {} axes", given.size(), axes.size());
  Ints before(x.shape().size(), 0), after(x.shape().size(), 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    before[index(axes[i])] = given[i];
    after[index(axes[i])] = given[axes.size() + i];
  }
  const std::string_view mode = c.op.text("mode", "constant");
  if (mode == "reflect") return c.out(mirror_pad(c.e, x, before, after, false));
  if (mode == "edge") {
    Value y = x;
    for (std::int64_t a = 0; a < x.rank(); ++a) {
      if (before[index(a)] == 0 && after[index(a)] == 0) continue;
      std::vector<std::int64_t> at;
      const std::int64_t n = x.dim(a), end = n + after[index(a)];
      if (end > (1 << 24) || before[index(a)] > (1 << 24)) fail(ErrorKind::unsupported, "padding of {}", end);
      for (std::int64_t i = -before[index(a)]; i < end; ++i) at.push_back(std::clamp<std::int64_t>(i, 0, n - 1));
      y = c.e.gather(y, c.e.integers(at), a);
    }
    return c.out(y);
  }
  if (mode != "constant") fail(ErrorKind::unsupported, "padding mode '{}'", mode);
  double value = c.op.number("value", 0);
  if (c.has(2)) {
    const auto v = c.e.known_numbers(c.in(2), "the value to pad with");
    value = v.empty() ? 0 : v[0];
  }
  c.out(c.e.pad(x, before, after, value));
}

void shape_of(Context& c) {
  const std::int64_t rank = c.in(0).rank();
  const auto bound = [&](const char* key, std::int64_t fallback) {
    const std::int64_t v = c.op.integer(key, fallback);
    return std::clamp<std::int64_t>(v < 0 ? v + rank : v, 0, rank);
  };
  const std::int64_t begin = bound("start", 0), end = std::max(begin, bound("end", rank));
  const Shape& s = c.in(0).shape();
  c.out(c.e.integers({s.begin() + begin, s.begin() + end}));
}

void constant_of_shape(Context& c) {
  Value v = c.e.scalar(0);
  if (c.op.has("value")) {
    const ModelTensor& t = c.graph.tensors[index(c.op.integer("value", 0))];
    if (!t.type.dtype || t.elements() != 1) fail(ErrorKind::unsupported, "a value of {} {}", t.elements(), t.type.name);
    Tensor one(TensorType{*t.type.dtype, {}});
    std::memcpy(one.mutable_data(), t.bytes.data(), t.bytes.size());
    v = c.e.constant(std::move(one));
  }
  c.out(c.e.broadcast(v, c.e.known_integers(c.in(0), "a shape")));
}

void expand(Context& c) {
  const Shape wanted = c.e.known_integers(c.in(1), "a shape");
  c.out(c.e.broadcast(c.in(0), broadcast_shapes(c.in(0).shape(), wanted)));
}

template <bool least>
void arg_extreme_of(Context& c) {
  const Value& x = c.in(0);
  if (c.op.integer("select_last_index", 0) != 0) fail(ErrorKind::unsupported, "the last of equals");
  const std::int64_t axis = Context::axis(c.op.integer("axis", 0), x.rank());
  Value y = arg_extreme(c.e, x, axis, least);
  if (c.op.integer("keepdims", 1) == 0) {
    Shape shape = y.shape();
    shape.erase(shape.begin() + axis);
    y = c.e.reshape(y, shape);
  }
  c.out(y);
}

void top_k_of(Context& c) {
  const Value& x = c.in(0);
  const auto k = c.op.has("k") ? std::vector<std::int64_t>{c.op.integer("k", 1)} : c.e.known_integers(c.in(1), "k");
  if (k.size() != 1) fail(ErrorKind::bad_file, "k of {} numbers", k.size());
  auto [values, indices] =
      top_k(c.e, x, Context::axis(c.op.integer("axis", -1), x.rank()), k[0], c.op.integer("largest", 1) == 0);
  c.out(0, values);
  c.out(1, indices);
}

void gather_nd_of(Context& c) {
  if (c.op.integer("batch_dims", 0) != 0) fail(ErrorKind::unsupported, "batch_dims {}", c.op.integer("batch_dims", 0));
  c.out(gather_nd(c.e, c.in(0), c.in(1)));
}

void scatter_nd_of(Context& c) {
  if (c.op.text("reduction", "none") != "none")
    fail(ErrorKind::unsupported, "reduction {}", c.op.text("reduction", ""));
  c.out(scatter_nd(c.e, c.in(0), c.in(1), c.in(2)));
}

// Channels-first pictures: (N, C, H, W).
template <bool to_space>
void depth_space(Context& c) {
  const Value x = c.e.transpose(c.in(0), {0, 2, 3, 1});
  const std::int64_t r = c.op.integer("blocksize", 1);
  const bool space_first = !to_space || c.op.text("mode", "DCR") == "DCR";
  const Value y = to_space ? c.e.pixel_shuffle(x, r, space_first) : c.e.pixel_unshuffle(x, r, space_first);
  c.out(c.e.transpose(y, {0, 3, 1, 2}));
}

}  // namespace

HandlerTable onnx_movement_handlers() {
  return {{"Reshape", reshape},
          {"Flatten", flatten},
          {"Transpose", transpose},
          {"Squeeze", squeeze},
          {"Unsqueeze", unsqueeze},
          {"Slice", slice},
          {"Split", split},
          {"Concat", concat},
          {"Gather", gather},
          {"Pad", pad},
          {"Shape", shape_of},
          {"Size", [](Context& c) { c.out(c.e.scalar(static_cast<double>(c.in(0).type.elements()), DType::i32)); }},
          {"ConstantOfShape", constant_of_shape},
          {"Expand", expand},
          {"Tile", [](Context& c) { c.out(tile(c.e, c.in(0), c.e.known_integers(c.in(1), "repeats"))); }},
          {"Range", [](Context& c) { c.out(number_range(c.e, c.in(0), c.in(1), c.in(2))); }},
          {"ArgMax", arg_extreme_of<false>},
          {"ArgMin", arg_extreme_of<true>},
          {"TopK", top_k_of},
          {"GatherND", gather_nd_of},
          {"ScatterND", scatter_nd_of},
          {"DepthToSpace", depth_space<true>},
          {"SpaceToDepth", depth_space<false>}};
}

}  // namespace thimble::gauge
