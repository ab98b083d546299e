#include "models/rope.h"

#include <cmath>

#include "base/error.h"
#include "models/positions.h"

namespace thimble::models {

using graph::Builder;
using graph::Var;

namespace {

// (count, channels/2) of cosines or sines.
Var axis_table(Builder& b, std::int64_t count, int channels, double theta, bool sine) {
  std::vector<double> values;
  for (std::int64_t p = 0; p < count; ++p) {
    for (int i = 0; i < channels; i += 2) {
      const double angle = static_cast<double>(p) / std::pow(theta, static_cast<double>(i) / channels);
      values.push_back(sine ? std::sin(angle) : std::cos(angle));
    }
  }
  return table(b, {count, channels / 2}, values);
}

Var all_tokens(Builder& b, std::int64_t text, std::int64_t rows, std::int64_t columns, const std::vector<int>& axes,
               double theta, bool sine) {
  const std::int64_t a = axes[0] / 2, h = axes[1] / 2, w = axes[2] / 2;
  const Var still = b.constant(sine ? 0 : 1);  // position 0 turns nothing
  std::vector<Var> parts;
  if (a > 0) parts.push_back(b.broadcast(still, {rows, columns, a}));
  const Var by_row = b.reshape(axis_table(b, rows, axes[1], theta, sine), {rows, 1, h});
  parts.push_back(b.broadcast(by_row, {rows, columns, h}));
  parts.push_back(b.broadcast(axis_table(b, columns, axes[2], theta, sine), {rows, columns, w}));
  const Var image = b.reshape(b.concat(std::move(parts), 2), {rows * columns, 1, a + h + w});
  return b.concat({b.broadcast(still, {text, 1, a + h + w}), image}, 0);
}

}  // namespace

RotaryTables rotary_tables(Builder& b, std::int64_t text, std::int64_t rows, std::int64_t columns,
                           const std::vector<int>& axes, double theta) {
  const bool ok = axes.size() == 3 && axes[0] >= 0 && axes[1] >= 2 && axes[2] >= 2 && axes[0] % 2 == 0 &&
                  axes[1] % 2 == 0 && axes[2] % 2 == 0;
  if (!ok) fail(ErrorKind::bad_input, "rotary positions need three even axes, [{}] came", fmt::join(axes, ", "));
  return {all_tokens(b, text, rows, columns, axes, theta, false),
          all_tokens(b, text, rows, columns, axes, theta, true)};
}

Var rotate(Var x, const RotaryTables& t) {
  Builder& b = *x.builder;
  const std::int64_t width = x.dim(3);
  const Var first = b.slice(x, 3, 0, width, 2), second = b.slice(x, 3, 1, width, 2);
  return b.concat({first * t.cosine - second * t.sine, second * t.cosine + first * t.sine}, 3);
}

}  // namespace thimble::models
