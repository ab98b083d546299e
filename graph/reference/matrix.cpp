// Matrix product and convolution.
#include "graph/reference/interpret.h"

namespace thimble::graph::reference {
namespace {

// The last two axes of an operand: where element (row, column) lies.
struct Matrix {
  std::int64_t rows, columns, row_stride, column_stride;
  Matrix(const Shape& shape, bool transposed)
      : rows(shape[shape.size() - 2]), columns(shape.back()), row_stride(columns), column_stride(1) {
    if (transposed) {
      std::swap(rows, columns);
      std::swap(row_stride, column_stride);
    }
  }
};

// Offset of the matrix that each of the result's matrices reads.
std::vector<std::size_t> matrix_offsets(const Array& x, const Shape& batch) {
  const Shape own(x.type.shape.begin(), x.type.shape.end() - 2);
  const std::int64_t size = x.type.shape[own.size()] * x.type.shape[own.size() + 1];
  std::vector<std::size_t> offsets;
  walk(batch, broadcast_strides(own, batch),
       [&](std::size_t, std::size_t at) { offsets.push_back(at * static_cast<std::size_t>(size)); });
  return offsets;
}

}  // namespace

Array interpret(const MatMul& op, Arrays in, const TensorType& out) {
  Array y(out);
  const Shape batch(out.shape.begin(), out.shape.end() - 2);
  const Matrix a(in[0]->type.shape, op.transpose_a), b(in[1]->type.shape, op.transpose_b);
  const std::vector<std::size_t> a_offsets = matrix_offsets(*in[0], batch), b_offsets = matrix_offsets(*in[1], batch);
  double* next = y.data.data();
  for (std::size_t i = 0; i < a_offsets.size(); ++i) {
    const double *av = in[0]->data.data() + a_offsets[i], *bv = in[1]->data.data() + b_offsets[i];
    for (std::int64_t m = 0; m < a.rows; ++m) {
      for (std::int64_t n = 0; n < b.columns; ++n) {
        double sum = 0;
        for (std::int64_t k = 0; k < a.columns; ++k) {
          sum += av[m * a.row_stride + k * a.column_stride] * bv[k * b.row_stride + n * b.column_stride];
        }
        *next++ = sum;
      }
    }
  }
  return y;
}

Array interpret(const Conv2d& op, Arrays in, const TensorType& out) {
  Array y(out);
  const Array &x = *in[0], &w = *in[1];
  const std::int64_t height = x.dim(1), width = x.dim(2), channels = x.dim(3);
  const std::int64_t group_in = w.dim(1), kh = w.dim(2), kw = w.dim(3);
  const std::int64_t group_out = out.shape[3] / op.groups;
  const auto pixel = [&](std::int64_t b, std::int64_t row, std::int64_t column) {
    return x.data.data() + ((b * height + row) * width + column) * channels;
  };

  // One output element: its window's products. `i0` is the first input channel of the group.
  const auto product = [&](std::int64_t b, std::int64_t oy, std::int64_t ox, std::int64_t o, std::int64_t i0) {
    double sum = 0;
    for (std::int64_t ky = 0; ky < kh; ++ky) {
      const std::int64_t row = oy * op.stride[0] + ky * op.dilation[0] - op.padding[0];
      if (row < 0 || row >= height) continue;
      for (std::int64_t kx = 0; kx < kw; ++kx) {
        const std::int64_t column = ox * op.stride[1] + kx * op.dilation[1] - op.padding[1];
        if (column < 0 || column >= width) continue;
        const double* values = pixel(b, row, column) + i0;
        const double* weights = w.data.data() + (o * group_in * kh + ky) * kw + kx;
        for (std::int64_t i = 0; i < group_in; ++i) sum += values[i] * weights[i * kh * kw];
      }
    }
    return sum;
  };

  double* next = y.data.data();
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    for (std::int64_t oy = 0; oy < out.shape[1]; ++oy) {
      for (std::int64_t ox = 0; ox < out.shape[2]; ++ox) {
        for (std::int64_t o = 0; o < out.shape[3]; ++o) {
          const double bias = in.size() > 2 ? in[2]->data[static_cast<std::size_t>(o)] : 0;
          *next++ = bias + product(b, oy, ox, o, o / group_out * group_in);
        }
      }
    }
  }
  return y;
}

}  // namespace thimble::graph::reference
