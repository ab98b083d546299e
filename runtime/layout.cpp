#include "runtime/layout.h"

namespace thimble::runtime {

using graph::Shape;

bool Located::dense() const {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] == 1) continue;
    if (strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

Located dense_at(int buffer, const graph::TensorType& type) {
  return {buffer, type.dtype, type.shape, graph::strides_of(type.shape), 0};
}

// Walks both shapes from the right; every group of old axes with equal products must be evenly spaced.
std::optional<Located> reshaped(const Located& x, const Shape& shape) {
  Located y{x.buffer, x.dtype, shape, graph::strides_of(shape), x.offset};
  if (x.dense()) return y;
  Shape from;
  Strides strides;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    if (x.shape[i] == 1) continue;
    from.push_back(x.shape[i]);
    strides.push_back(x.strides[i]);
  }
  std::size_t oi = from.size(), ni = shape.size();
  while (oi > 0) {
    std::int64_t old_count = from[--oi];
    const std::int64_t step = strides[oi];
    std::int64_t new_count = 1;
    std::size_t first = ni;
    while (new_count != old_count || (first > 0 && shape[first - 1] == 1)) {
      if (new_count <= old_count) {
        if (first == 0) return std::nullopt;
        new_count *= shape[--first];
      } else {
        if (oi == 0 || strides[oi - 1] != strides[oi] * from[oi]) return std::nullopt;
        old_count *= from[--oi];
      }
    }
    std::int64_t stride = step;
    for (std::size_t i = ni; i-- > first;) {
      y.strides[i] = stride;
      stride *= shape[i];
    }
    ni = first;
  }
  return y;
}

Located transposed(const Located& x, const graph::Ints& perm) {
  Located y = x;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    y.shape[i] = x.shape[static_cast<std::size_t>(perm[i])];
    y.strides[i] = x.strides[static_cast<std::size_t>(perm[i])];
  }
  return y;
}

Located broadcast(const Located& x, const Shape& shape) {
  Located y{x.buffer, x.dtype, shape, Strides(shape.size(), 0), x.offset};
  const std::size_t missing = shape.size() - x.shape.size();
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    if (x.shape[i] != 1) y.strides[missing + i] = x.strides[i];
  }
  return y;
}

Located sliced(const Located& x, const graph::Slice& slice) {
  const auto axis = static_cast<std::size_t>(slice.axis);
  Located y = x;
  y.offset += slice.begin * x.strides[axis];
  y.shape[axis] = (slice.end - slice.begin + slice.step - 1) / slice.step;
  y.strides[axis] *= slice.step;
  return y;
}

std::optional<Rows> as_rows(const Located& x) {
  if (x.shape.empty()) return Rows{1, 1, 1};
  Rows r{1, x.shape.back(), 0};
  if (r.columns > 1 && x.strides.back() != 1) return std::nullopt;
  for (std::size_t i = x.shape.size() - 1; i-- > 0;) {
    if (x.shape[i] != 1) {
      if (r.rows == 1) {
        r.stride = x.strides[i];
      } else if (x.strides[i] != r.stride * r.rows) {
        return std::nullopt;
      }
    }
    r.rows *= x.shape[i];
  }
  if (r.rows <= 1) r.stride = r.columns;
  if (r.stride < r.columns) return std::nullopt;
  return r;
}

bool is_batch_vector(const Shape& x, const Shape& of) {
  if (of.empty() || x.empty() || x.size() > of.size() || x.back() != of.back()) return false;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    const bool batch = i == 0 && x.size() == of.size();
    if (x[i] != 1 && !(batch && x[i] == of[0])) return false;
  }
  return true;
}

std::optional<BatchVector> as_batch_vector(const Located& x, const Shape& of) {
  if (!is_batch_vector(x.shape, of) || (x.shape.back() > 1 && x.strides.back() != 1)) return std::nullopt;
  BatchVector v;
  if (of.size() == 1) return v;
  for (std::size_t i = 1; i + 1 < of.size(); ++i) v.rows *= of[i];
  if (x.shape.size() == of.size() && x.shape[0] > 1) v.stride = x.strides[0];
  return v;
}

}  // namespace thimble::runtime
