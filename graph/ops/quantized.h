// Products by integer weights. They decompose into core ops, which say exactly what is rounded and what is not.
#pragma once

#include <cstdint>

#include "graph/ops/movement.h"

namespace thimble::graph {

// y = x W^T + bias, as Linear: x (..., I), weight, scale f32 (O, groups), optional bias (O): (..., O).
//   bits 8: weight i8 (O, I)
//   bits 4: weight u8 (O, I / 2), two numbers of two's complement a byte, the even input in the low half
//   group 0: one scale per output, groups = 1; group 32, 64 or 128: one per so many inputs, groups = ceil(I / group)
// W[o, i] = scale[o, i / group] * weight[o, i].
//   activations 16: x as it is
//   activations 8:  every row of x is s (q - z) with q in [-128, 127], and the product is one of integers:
//     symmetric:  s = max|x| / 127, z = 0
//     asymmetric: l = min(x, 0), h = max(x, 0), s = (h - l) / 255, z = -128 - l / s, rounded
//     q - z = x / s, rounded to nearest even and clamped; a row of zeros stays zero
// C1: activations 8 or 16. C2: bits 8 or 4, I even with 4. C3: group 0, 32, 64 or 128. C4: x is floating.
struct QuantLinear {
  std::int64_t bits = 8;
  std::int64_t group = 0;
  std::int64_t activations = 8;
  bool asymmetric = false;
  bool operator==(const QuantLinear&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("bits", self.bits);
    visit("group", self.group);
    visit("activations", self.activations);
    visit("asymmetric", self.asymmetric);
  }
};

// y = conv2d(x, W) + bias, as Conv2d, W[o, ...] = scale[o] * weight[o, ...]: x (B, H, W, I), weight i8 (O, I/groups,
// kh, kw), scale f32 (O, 1), optional bias (O). Every picture of x is s (q - z) as a row is in QuantLinear, with the
// least and the largest of all its numbers, and the convolution is one of integers; padding is exactly zero. A picture,
// not a pixel, shares a scale, so that sums over taps are integers. C1: as Conv2d. C2: x is floating.
struct QuantConv2d {
  Ints stride{1, 1};
  Ints padding{0, 0, 0, 0};
  Ints dilation{1, 1};
  std::int64_t groups = 1;
  bool asymmetric = false;
  bool operator==(const QuantConv2d&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("stride", self.stride);
    visit("padding", self.padding);
    visit("dilation", self.dilation);
    visit("groups", self.groups);
    visit("asymmetric", self.asymmetric);
  }
};

}  // namespace thimble::graph
