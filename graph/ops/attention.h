// Scaled dot-product attention and the sinusoidal embedding of a time or position. Both decompose.
#pragma once

#include <cstdint>

namespace thimble::graph {

// q (B, Tq, heads*D), k (B, Tk, kv_heads*D), v (B, Tk, kv_heads*Dv), optional mask, added to the scores,
// f32, broadcast to (B, heads, Tq, Tk): y = softmax(scale * q k^T + mask) v, (B, Tq, heads*Dv).
// scale 0 means 1/sqrt(D). Query head h reads key head h / (heads / kv_heads). causal: query i reads keys 0 to i alone.
// causal: query i sees key j when j <= i.
struct Attention {
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  double scale = 0;
  bool causal = false;
  bool operator==(const Attention&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("heads", self.heads);
    visit("kv_heads", self.kv_heads);
    visit("scale", self.scale);
    visit("causal", self.causal);
  }
};

// t (B) -> (B, dim): [cos(t*scale*f_0..), sin(t*scale*f_0..)] with f_i = max_period^(-i/(dim/2)).
// C1: dim is even.
struct SinusoidalEmbedding {
  std::int64_t dim = 256;
  double max_period = 10000;
  double scale = 1;
  bool operator==(const SinusoidalEmbedding&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("dim", self.dim);
    visit("max_period", self.max_period);
    visit("scale", self.scale);
  }
};

}  // namespace thimble::graph
