// Scaled dot-product attention, its two halves, linear attention, and the sinusoidal embedding of a time or position.
// All decompose.
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

// The first half of Attention, for models that keep the map and use it again: softmax(scale * q k^T + mask) of
// q (B, Tq, heads*D), k (B, Tk, kv_heads*D), optional mask as above: (B, heads, Tq, Tk).
struct AttentionMap {
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  double scale = 0;
  bool causal = false;
  bool operator==(const AttentionMap&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("heads", self.heads);
    visit("kv_heads", self.kv_heads);
    visit("scale", self.scale);
    visit("causal", self.causal);
  }
};

// The second half: map (B, heads, Tq, Tk) times v (B, Tk, kv_heads*Dv), head by head: (B, Tq, heads*Dv).
struct AttentionApply {
  std::int64_t kv_heads = 1;
  bool operator==(const AttentionApply&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("kv_heads", self.kv_heads); }
};

// Attention whose cost grows with the tokens and not with their square: with a = relu(q), b = relu(k), per head
//   y_i = sum_j (a_i . b_j) v_j / (sum_j a_i . b_j + eps) = a_i (sum_j b_j^T v_j) / (a_i . sum_j b_j + eps).
// q (B, Tq, heads*D), k (B, Tk, heads*D), v (B, Tk, heads*Dv): (B, Tq, heads*Dv). Sums are in f32.
struct LinearAttention {
  std::int64_t heads = 1;
  double eps = 1e-15;
  bool operator==(const LinearAttention&) const = default;
  static void attributes(auto& self, auto&& visit) {
    visit("heads", self.heads);
    visit("eps", self.eps);
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
