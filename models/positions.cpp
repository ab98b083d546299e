#include "models/positions.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

Var table(Builder& b, graph::Shape shape, const std::vector<double>& values) {
  constexpr std::int64_t kLargest = 4096;
  const std::int64_t rows = shape[0], width = graph::element_count(shape) / std::max<std::int64_t>(rows, 1);
  check(width >= 1 && static_cast<std::int64_t>(values.size()) == rows * width, "table: values do not fill the shape");
  if (width > kLargest) fail(ErrorKind::unsupported, "positions of {} channels; at most {} are made", width, kLargest);
  const std::int64_t step = kLargest / width;
  std::vector<Var> parts;
  for (std::int64_t i = 0; i < rows; i += step) {
    shape[0] = std::min(step, rows - i);
    parts.push_back(b.constant(shape, {values.begin() + i * width, values.begin() + (i + shape[0]) * width}));
  }
  return parts.size() == 1 ? parts[0] : b.concat(std::move(parts), 0);
}

std::vector<float> grid_positions(int first, int count, int whole, int base, double scale) {
  const auto step = static_cast<float>(static_cast<double>(whole) / base);
  std::vector<float> out;
  for (int i = first; i < first + count; ++i) out.push_back(static_cast<float>(i) / step / static_cast<float>(scale));
  return out;
}

namespace {

// (count, width): the sines, then the cosines.
Var sines_and_cosines(Builder& b, const std::vector<float>& positions, std::int64_t width) {
  const std::int64_t half = width / 2;
  std::vector<double> values;
  for (const float p : positions) {
    for (std::int64_t i = 0; i < width; ++i) {
      const double angle = p / std::pow(10000.0, static_cast<double>(i % half) / static_cast<double>(half));
      values.push_back(i < half ? std::sin(angle) : std::cos(angle));
    }
  }
  return table(b, {static_cast<std::int64_t>(positions.size()), width}, values);
}

}  // namespace

// Each table is widened with zeros and added apart: x + 0 is exact, and no table of all cells is ever held.
Var add_grid_positions(Var x, const std::vector<float>& rows, const std::vector<float>& columns) {
  Builder& b = *x.builder;
  const std::int64_t width = x.dim(3), half = width / 2;
  if (width % 4 != 0) fail(ErrorKind::bad_input, "sine and cosine positions need a width by 4, {} came", width);
  const Var by_column = b.pad(sines_and_cosines(b, columns, half), {0, 0}, {0, half});
  const Var by_row = b.pad(sines_and_cosines(b, rows, half), {0, half}, {0, 0});
  return x + by_column + b.reshape(by_row, {x.dim(1), 1, width});
}

}  // namespace thimble::models
