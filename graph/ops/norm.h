// Normalisations and the modulation that follows them in diffusion transformers. All decompose.
#pragma once

#include <cstdint>

namespace thimble::graph {

// x (..., C), optional weight (C), optional bias (C). Over the last axis, biased variance.
struct LayerNorm {
  double eps = 1e-6;
  bool operator==(const LayerNorm&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("eps", self.eps); }
};

// x (..., C), optional weight (C): x / sqrt(mean(x^2) + eps) * weight.
struct RmsNorm {
  double eps = 1e-6;
  bool operator==(const RmsNorm&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("eps", self.eps); }
};

// x (B, ..., C), weight (C), bias (C): per picture, over all positions and C/groups channels.
struct GroupNorm {
  std::int64_t groups = 32;
  double eps = 1e-6;
  bool operator==(const GroupNorm&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("groups", self.groups);
    visit("eps", self.eps);
  }
};

// x (B, T, C), shift (B, 1, C), scale (B, 1, C): y = x * (1 + scale) + shift. Batch 1 of shift and scale broadcasts.
struct Modulate {
  bool operator==(const Modulate&) const = default;
  static void attributes(auto&, auto&&) {}
};

}  // namespace thimble::graph
