#include "models/bind.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace thimble::models {
namespace {

using graph::Graph;
using graph::Shape;
using graph::Weights;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view name, const std::vector<std::string>& names) {
  std::size_t best = 0, distance = static_cast<std::size_t>(-1);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::size_t d = edit_distance(name, names[i]);
    if (d < distance) {
      distance = d;
      best = i;
    }
  }
  return names.empty() ? std::string() : names[best];
}

Shape without_ones_at_end(Shape shape, std::size_t rank) {
  while (shape.size() > rank && shape.back() == 1) shape.pop_back();
  return shape;
}

}  // namespace

Weights bind_checkpoint(const Graph& g, const Weights& stored, std::string_view what) {
  Weights bound;
  for (const graph::Parameter& p : g.parameters) {
    const graph::Value& v = g.value(p.value);
    const Shape& want = v.type.shape;
    if (!stored.contains(v.name)) {
      const std::string near = nearest(v.name, stored.names());
      fail(ErrorKind::bad_file, "{}: tensor '{}' {} is missing{}", what, v.name, graph::to_string(want),
           near.empty() ? "; there are no tensors" : "; the nearest name there is '" + near + "'");
    }
    const graph::Tensor& t = stored.at(v.name);
    if (t.shape() != want && without_ones_at_end(t.shape(), want.size()) != want) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' has shape {}, {} was wanted", what, v.name,
           graph::to_string(t.shape()), graph::to_string(want));
    }
    bound.set(v.name, t.shape() == want ? t : t.reshaped(want));
  }
  return bound;
}

std::vector<std::string> unused_names(const Graph& g, const Weights& stored) {
  std::vector<std::string> unused;
  for (std::string& name : stored.names()) {
    if (!g.find_parameter(name)) unused.push_back(std::move(name));
  }
  return unused;
}

}  // namespace thimble::models
