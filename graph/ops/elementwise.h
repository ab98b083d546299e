// Elementwise core ops, and the gated activation that decomposes into them.
#pragma once

#include <string_view>

#include "base/dtype.h"

namespace thimble::graph {

enum class UnaryKind {
  neg,
  abs,
  sign,
  exp,
  log,
  sqrt,
  rsqrt,
  reciprocal,
  square,
  sin,
  cos,
  tanh,
  sigmoid,
  relu,
  silu,
  gelu,       // x * Phi(x), with the error function
  gelu_tanh,  // the tanh approximation
  softplus,
  hard_swish,
  floor,
  round,
  logical_not,
};

enum class BinaryKind { add, sub, mul, div, max, min, pow, equal, less, greater };

// y = kind(x), element by element. C1: floating input, except for neg, abs, sign, logical_not.
struct Unary {
  UnaryKind kind = UnaryKind::relu;
  bool operator==(const Unary&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("kind", self.kind); }
};

// y = kind(a, b) with NumPy broadcasting. C1: equal dtypes. Comparisons give bool.
struct Binary {
  BinaryKind kind = BinaryKind::add;
  bool operator==(const Binary&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("kind", self.kind); }
};

// y = condition ? a : b, all three broadcast. C1: bool condition. C2: a and b of equal dtype.
struct Where {
  bool operator==(const Where&) const = default;
  static void attributes(auto&, auto&&) {}
};

// The same values in another dtype; float to integer truncates towards zero.
struct Cast {
  DType dtype = DType::f32;
  bool operator==(const Cast&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("dtype", self.dtype); }
};

// Gated linear unit over the last axis: x (..., 2C) is [value | gate]; y = value * act(gate), (..., C).
struct Glu {
  UnaryKind activation = UnaryKind::gelu;
  bool operator==(const Glu&) const = default;
  static void attributes(auto& self, auto&& visit) { visit("activation", self.activation); }
};

std::string_view to_string(UnaryKind kind);
std::string_view to_string(BinaryKind kind);
bool from_string(std::string_view name, UnaryKind& kind);
bool from_string(std::string_view name, BinaryKind& kind);
constexpr bool is_comparison(BinaryKind k) {
  return k == BinaryKind::equal || k == BinaryKind::less || k == BinaryKind::greater;
}

}  // namespace thimble::graph
