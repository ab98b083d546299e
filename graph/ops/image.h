// Ops on pictures (B, H, W, C): pooling, resizing, and the space-to-depth pair.
#pragma once

#include <cstdint>
#include <string_view>

#include "graph/ops/movement.h"

namespace thimble::graph {

enum class PoolKind { max, average };
enum class ResizeMode { nearest, bilinear };
// Where output pixel o reads, with s = in / out (align_corners: (in - 1) / (out - 1), 0 for one output pixel):
// half_pixel (o + 0.5) s - 0.5, align_corners o s, asymmetric o s.
enum class ResizeGrid { half_pixel, align_corners, asymmetric };

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

// To (height, width). nearest takes floor((o + 0.5) s) for half_pixel, floor(o s) for asymmetric, o s rounded half up
// for align_corners; bilinear clamps at the border and does not smooth when shrinking.
struct Resize {
  ResizeMode mode = ResizeMode::nearest;
  std::int64_t height = 1, width = 1;
  ResizeGrid grid = ResizeGrid::half_pixel;
  bool operator==(const Resize&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("mode", self.mode);
    visit("height", self.height);
    visit("width", self.width);
    visit("grid", self.grid);
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
std::string_view to_string(ResizeGrid grid);
bool from_string(std::string_view name, PoolKind& kind);
bool from_string(std::string_view name, ResizeMode& mode);
bool from_string(std::string_view name, ResizeGrid& grid);

}  // namespace thimble::graph
