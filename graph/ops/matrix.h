// Products: batched matrix product, linear layer, convolution.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/ops/movement.h"

namespace thimble::graph {

// a (..., M, K) times b (..., K, N), leading axes broadcast; transpose_a/b read the last two axes swapped.
struct MatMul {
  bool transpose_a = false, transpose_b = false;
  bool operator==(const MatMul&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("transpose_a", self.transpose_a);
    visit("transpose_b", self.transpose_b);
  }
};

// x (..., I), weight (O, I), optional bias (O): y = x weight^T + bias, (..., O).
struct Linear {
  bool operator==(const Linear&) const = default;
  static void attributes(auto&, auto&&) {}
};

// x (B, H, W, I), weight (O, I/groups, kh, kw) as in checkpoints, optional bias (O).
// padding is {top, left, bottom, right}, zeros.
struct Conv2d {
  Ints stride{1, 1};
  Ints padding{0, 0, 0, 0};
  Ints dilation{1, 1};
  std::int64_t groups = 1;
  bool operator==(const Conv2d&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("dilation", self.dilation);
    visit("groups", self.groups);
  }
};

}  // namespace thimble::graph
