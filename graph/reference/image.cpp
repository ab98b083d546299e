// Pooling and resizing of pictures (B, H, W, C).
#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/reference/interpret.h"

namespace thimble::graph::reference {
namespace {

double at(const Array& x, std::int64_t b, std::int64_t row, std::int64_t column, std::int64_t c) {
  return x.data[static_cast<std::size_t>(((b * x.dim(1) + row) * x.dim(2) + column) * x.dim(3) + c)];
}

// y(b, row, column, c) = f(b, row, column, c)
template <class F>
Array for_each_element(const TensorType& out, F&& f) {
  Array y(out);
  double* next = y.data.data();
  for (std::int64_t b = 0; b < out.shape[0]; ++b) {
    for (std::int64_t row = 0; row < out.shape[1]; ++row) {
      for (std::int64_t column = 0; column < out.shape[2]; ++column) {
        for (std::int64_t c = 0; c < out.shape[3]; ++c) *next++ = f(b, row, column, c);
      }
    }
  }
  return y;
}

double position(ResizeGrid grid, double i, double in, double out) {
  switch (grid) {
    case ResizeGrid::half_pixel: return (i + 0.5) * in / out - 0.5;
    case ResizeGrid::align_corners: return out > 1 ? i * (in - 1) / (out - 1) : 0;
    case ResizeGrid::asymmetric: return i * in / out;
  }
  return 0;
}

// The two neighbours of output position i along one axis, and the weight of the second.
struct Blend {
  std::int64_t first, second;
  double weight;
  Blend(ResizeGrid grid, std::int64_t i, std::int64_t in, std::int64_t out) {
    const double centre = position(grid, static_cast<double>(i), static_cast<double>(in), static_cast<double>(out));
    const double inside = std::clamp(centre, 0.0, static_cast<double>(in - 1));
    first = static_cast<std::int64_t>(inside);
    second = std::min(first + 1, in - 1);
    weight = inside - static_cast<double>(first);
  }
};

// In whole numbers: no position is off by one for the rounding of a quotient.
std::int64_t nearest(ResizeGrid grid, std::int64_t i, std::int64_t in, std::int64_t out) {
  switch (grid) {
    case ResizeGrid::half_pixel: return (2 * i + 1) * in / (2 * out);
    case ResizeGrid::align_corners: return out > 1 ? (2 * i * (in - 1) + out - 1) / (2 * (out - 1)) : 0;
    case ResizeGrid::asymmetric: return i * in / out;
  }
  return 0;
}

}  // namespace

Array interpret(const Pool2d& op, Arrays in, const TensorType& out) {
  const Array& x = *in[0];
  return for_each_element(out, [&](std::int64_t b, std::int64_t oy, std::int64_t ox, std::int64_t c) {
    double sum = 0, largest = -std::numeric_limits<double>::infinity();
    std::int64_t count = 0;
    for (std::int64_t ky = 0; ky < op.kernel[0]; ++ky) {
      for (std::int64_t kx = 0; kx < op.kernel[1]; ++kx) {
        const std::int64_t row = oy * op.stride[0] + ky - op.padding[0],
                           column = ox * op.stride[1] + kx - op.padding[1];
        if (row < 0 || row >= x.dim(1) || column < 0 || column >= x.dim(2)) continue;
        const double v = at(x, b, row, column, c);
        sum += v;
        if (std::isnan(v) || v > largest) largest = v;
        ++count;
      }
    }
    return op.kind == PoolKind::max ? largest : sum / static_cast<double>(count);
  });
}

Array interpret(const Resize& op, Arrays in, const TensorType& out) {
  const Array& x = *in[0];
  return for_each_element(out, [&](std::int64_t b, std::int64_t row, std::int64_t column, std::int64_t c) {
    if (op.mode == ResizeMode::nearest) {
      return at(x, b, nearest(op.grid, row, x.dim(1), op.height), nearest(op.grid, column, x.dim(2), op.width), c);
    }
    const Blend v(op.grid, row, x.dim(1), op.height), h(op.grid, column, x.dim(2), op.width);
    const double top = std::lerp(at(x, b, v.first, h.first, c), at(x, b, v.first, h.second, c), h.weight);
    const double bottom = std::lerp(at(x, b, v.second, h.first, c), at(x, b, v.second, h.second, c), h.weight);
    return std::lerp(top, bottom, v.weight);
  });
}

}  // namespace thimble::graph::reference
