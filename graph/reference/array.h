// Values of the reference interpreter: a type and one double per element, whatever the dtype (i64 is exact to 2^53).
// Not here: the ops (interpret.h).
#pragma once

#include <vector>

#include "graph/tensor.h"

namespace thimble::graph::reference {

struct Array {
  TensorType type;
  std::vector<double> data;  // row-major

  explicit Array(TensorType t) : type(std::move(t)), data(static_cast<std::size_t>(type.elements())) {}
  std::int64_t dim(std::size_t axis) const { return type.shape[axis]; }
};

Array load(const TensorView& view, DType as);
void store(const Array& array, const MutableTensorView& view);

// What a variable of `dtype` holds when `value` is put into it: integers truncate towards zero and saturate, bool is
// value != 0, the 16-bit floats round to nearest. f32 and f64 keep the double.
double as_dtype(DType dtype, double value);

// Calls f(i, offset) for the i-th element of `shape` in row-major order; offset = sum of index * stride.
template <class F>
void walk(const Shape& shape, const std::vector<std::int64_t>& strides, F&& f) {
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < count; ++i) {
    f(i, static_cast<std::size_t>(offset));
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

// Strides that read an array of shape `from` as if it were broadcast to `to`.
std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to);

// The elements of `x` broadcast to `shape`.
std::vector<double> expand(const Array& x, const Shape& shape);

}  // namespace thimble::graph::reference
