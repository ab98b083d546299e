// Core ops that move values and compute nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"

namespace thimble::graph {

using Ints = std::vector<std::int64_t>;

// A small literal (at most 4096 values); larger ones are parameters.
struct Constant {
  DType dtype = DType::f32;
  Ints shape;
  std::vector<double> values;  // one value fills the whole shape
  bool operator==(const Constant&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("dtype", self.dtype);
    visit("shape", self.shape);
    visit("values", self.values);
  }
};

// The same elements in the same order. C1: equal element counts.
struct Reshape {
  Ints shape;
  bool operator==(const Reshape&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("shape", self.shape); }
};

// Output axis i is input axis perm[i]. C1: perm is a permutation.
struct Transpose {
  Ints perm;
  bool operator==(const Transpose&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("perm", self.perm); }
};

// Repeats along axes of size 1 (NumPy's broadcast_to).
struct Broadcast {
  Ints shape;
  bool operator==(const Broadcast&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("shape", self.shape); }
};

// x[begin:end:step] along one axis. C1: 0 <= begin <= end <= size. C2: step >= 1.
struct Slice {
  std::int64_t axis = 0, begin = 0, end = 0, step = 1;
  bool operator==(const Slice&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("axis", self.axis);
    visit("begin", self.begin);
    visit("end", self.end);
    visit("step", self.step);
  }
};

// Adds `before[i]` and `after[i]` elements of `value` around axis i.
struct Pad {
  Ints before, after;
  double value = 0;
  bool operator==(const Pad&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("before", self.before);
    visit("after", self.after);
    visit("value", self.value);
  }
};

// Joins inputs along `axis`.
struct Concat {
  std::int64_t axis = 0;
  bool operator==(const Concat&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("axis", self.axis); }
};

// (table, indices i32): y[..., indices, ...] along `axis` of the table; an embedding is axis 0.
// An index out of range is clamped, on every executor.
struct Gather {
  std::int64_t axis = 0;
  bool operator==(const Gather&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("axis", self.axis); }
};

}  // namespace thimble::graph
