// Reductions over any axes.
#include <cmath>
#include <limits>

#include "base/error.h"
#include "graph/reference/interpret.h"

namespace thimble::graph::reference {
namespace {

double start(ReduceKind kind) {
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::mean: return 0;
    case ReduceKind::prod: return 1;
    case ReduceKind::max: return -std::numeric_limits<double>::infinity();
    case ReduceKind::min: return std::numeric_limits<double>::infinity();
  }
  fail(ErrorKind::internal, "unknown reduction");
}

double join(ReduceKind kind, double so_far, double x) {
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::mean: return so_far + x;
    case ReduceKind::prod: return so_far * x;
    case ReduceKind::max: return std::isnan(x) || x > so_far ? x : so_far;
    case ReduceKind::min: return std::isnan(x) || x < so_far ? x : so_far;
  }
  fail(ErrorKind::internal, "unknown reduction");
}

}  // namespace

Array interpret(const Reduce& op, Arrays in, const TensorType& out) {
  Array y(out);
  const Shape& shape = in[0]->type.shape;
  Shape kept = shape;
  double count = 1;
  for (std::int64_t axis : op.axes) {
    kept[static_cast<std::size_t>(axis)] = 1;
    count *= static_cast<double>(shape[static_cast<std::size_t>(axis)]);
  }
  for (double& v : y.data) v = start(op.kind);
  // Reading the result as broadcast to the input says where each element goes.
  walk(shape, broadcast_strides(kept, shape),
       [&](std::size_t i, std::size_t to) { y.data[to] = join(op.kind, y.data[to], in[0]->data[i]); });
  if (op.kind == ReduceKind::mean) {
    for (double& v : y.data) v /= count;
  }
  return y;
}

}  // namespace thimble::graph::reference
