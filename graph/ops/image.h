// Ops on pictures (B, H, W, C): pooling, resizing, and the space-to-depth pair.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/ops/movement.h"

namespace thimble::graph {

enum class PoolKind { max, average };
enum class ResizeMode { nearest, bilinear };

// padding is {top, left, bottom, right}; padded positions take no part (max: -inf; average: not counted).
struct Pool2d {
  PoolKind kind = PoolKind::max;
  Ints kernel{2, 2};
  Ints stride{2, 2};
  Ints padding{0, 0, 0, 0};
  bool operator==(const Pool2d&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("kind", self.kind);
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("padding", self.padding);
  }
};

// To (height, width); pixel centres at half-integers. nearest takes floor((i + 0.5) * in/out);
// bilinear clamps at the border and does not smooth when shrinking.
struct Resize {
  ResizeMode mode = ResizeMode::nearest;
  std::int64_t height = 1, width = 1;
  bool operator==(const Resize&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("mode", self.mode);
    visit("height", self.height);
    visit("width", self.width);
  }
};

// (B, H, W, C*r*r) -> (B, H*r, W*r, C); channel c*r*r + i*r + j goes to pixel (i, j) (PyTorch's order).
struct PixelShuffle {
  std::int64_t factor = 2;
  bool operator==(const PixelShuffle&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("factor", self.factor); }
};

// The inverse of PixelShuffle.
struct PixelUnshuffle {
  std::int64_t factor = 2;
  bool operator==(const PixelUnshuffle&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("factor", self.factor); }
};

std::string_view to_string(PoolKind kind);
std::string_view to_string(ResizeMode mode);
bool from_string(std::string_view name, PoolKind& kind);
bool from_string(std::string_view name, ResizeMode& mode);

}  // namespace thimble::graph
