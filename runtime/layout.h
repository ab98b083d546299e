// Where the elements of a value lie: a buffer, an offset and a stride per axis. Reshape, transpose, broadcast and slice
// change only this description; a step that needs another order asks for a copy.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "graph/ops/movement.h"
#include "graph/tensor.h"

namespace thimble::runtime {

using Strides = std::vector<std::int64_t>;

struct Located {
  int buffer = -1;
  DType dtype = DType::f32;
  graph::Shape shape;
  Strides strides;          // in elements; 0 along a broadcast axis
  std::int64_t offset = 0;  // in elements, of the first one

  bool dense() const;  // row-major without gaps
  std::int64_t elements() const { return graph::element_count(shape); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }
};

Located dense_at(int buffer, const graph::TensorType& type);

// Views. Reshape fails where the strides do not allow one.
std::optional<Located> reshaped(const Located& x, const graph::Shape& shape);
Located transposed(const Located& x, const graph::Ints& perm);
Located broadcast(const Located& x, const graph::Shape& shape);
Located sliced(const Located& x, const graph::Slice& slice);

// All axes but the last as rows of one stride, the last contiguous.
struct Rows {
  std::int64_t rows = 0, columns = 0, stride = 0;
};
std::optional<Rows> as_rows(const Located& x);

// Values that change along the first and the last axis of `of` only, the last contiguous: one vector of columns per
// batch. `stride` is 0 when all batches share it; `rows` counts the rows of `of` in one batch.
struct BatchVector {
  std::int64_t stride = 0, rows = 1;
};
std::optional<BatchVector> as_batch_vector(const Located& x, const graph::Shape& of);
bool is_batch_vector(const graph::Shape& x, const graph::Shape& of);  // by shape alone

}  // namespace thimble::runtime
