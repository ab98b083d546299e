// Reductions, and softmax, which decomposes into them.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/ops/movement.h"

namespace thimble::graph {

enum class ReduceKind { sum, mean, max, min, prod };

// Over `axes` (each once, ascending). keep_dims leaves axes of size 1.
struct Reduce {
  ReduceKind kind = ReduceKind::sum;
  Ints axes;
  bool keep_dims = true;
  bool operator==(const Reduce&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("kind", self.kind);
    visit("axes", self.axes);
    visit("keep_dims", self.keep_dims);
  }
};

// exp(x - max) / sum, along `axis` (not negative).
struct Softmax {
  std::int64_t axis = 0;
  bool operator==(const Softmax&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("axis", self.axis); }
};

std::string_view to_string(ReduceKind kind);
bool from_string(std::string_view name, ReduceKind& kind);

}  // namespace thimble::graph
