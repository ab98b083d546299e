// Ops that move values: constant, reshape, transpose, broadcast, slice, pad, concat, gather.
#include <algorithm>

#include "graph/reference/interpret.h"

#include "base/index.h"

namespace thimble::graph::reference {
namespace {

// Copies `x` to the place of `y` that begins at `offset` elements, axis by axis.
void place(const Array& x, Array& y, std::int64_t offset) {
  walk(x.type.shape, strides_of(y.type.shape),
       [&](std::size_t i, std::size_t at) { y.data[at + index(offset)] = x.data[i]; });
}

}  // namespace

Array interpret(const Constant& op, Arrays, const TensorType& out) {
  Array y(out);
  for (std::size_t i = 0; i < y.data.size(); ++i)
    y.data[i] = as_dtype(out.dtype, op.values[op.values.size() == 1 ? 0 : i]);
  return y;
}

Array interpret(const Reshape&, Arrays in, const TensorType& out) {
  Array y = *in[0];
  y.type = out;
  return y;
}

Array interpret(const Transpose& op, Arrays in, const TensorType& out) {
  Array y(out);
  const std::vector<std::int64_t> own = strides_of(in[0]->type.shape);
  std::vector<std::int64_t> strides;
  for (std::int64_t axis : op.perm) strides.push_back(own[index(axis)]);
  walk(out.shape, strides, [&](std::size_t i, std::size_t offset) { y.data[i] = in[0]->data[offset]; });
  return y;
}

Array interpret(const Broadcast&, Arrays in, const TensorType& out) {
  Array y(out);
  y.data = expand(*in[0], out.shape);
  return y;
}

Array interpret(const Slice& op, Arrays in, const TensorType& out) {
  Array y(out);
  std::vector<std::int64_t> strides = strides_of(in[0]->type.shape);
  const std::int64_t first = op.begin * strides[index(op.axis)];
  strides[index(op.axis)] *= op.step;
  walk(out.shape, strides, [&](std::size_t i, std::size_t offset) { y.data[i] = in[0]->data[offset + index(first)]; });
  return y;
}

Array interpret(const Pad& op, Arrays in, const TensorType& out) {
  Array y(out);
  std::ranges::fill(y.data, as_dtype(out.dtype, op.value));
  const std::vector<std::int64_t> strides = strides_of(out.shape);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < strides.size(); ++i) offset += op.before[i] * strides[i];
  place(*in[0], y, offset);
  return y;
}

Array interpret(const Concat& op, Arrays in, const TensorType& out) {
  Array y(out);
  const std::int64_t stride = strides_of(out.shape)[index(op.axis)];
  std::int64_t begin = 0;
  for (const Array* x : in) {
    place(*x, y, begin * stride);
    begin += x->dim(index(op.axis));
  }
  return y;
}

Array interpret(const Gather& op, Arrays in, const TensorType& out) {
  Array y(out);
  const Array &table = *in[0], &indices = *in[1];
  const auto axis = table.type.shape.begin() + op.axis;
  const std::size_t outer = index(element_count({table.type.shape.begin(), axis}));
  const std::size_t rows = index(*axis), inner = index(element_count({axis + 1, table.type.shape.end()}));
  std::size_t next = 0;
  for (std::size_t o = 0; o < outer; ++o) {
    for (double wanted : indices.data) {
      const auto row = static_cast<std::size_t>(std::clamp(wanted, 0.0, static_cast<double>(rows - 1)));
      for (std::size_t i = 0; i < inner; ++i) y.data[next++] = table.data[(o * rows + row) * inner + i];
    }
  }
  return y;
}

}  // namespace thimble::graph::reference
