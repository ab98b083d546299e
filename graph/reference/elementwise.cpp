// Unary, binary, where, cast.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "graph/reference/interpret.h"

namespace thimble::graph::reference {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double unary(UnaryKind kind, double x) {
  using enum UnaryKind;
  switch (kind) {
    case neg: return -x;
    case abs: return std::fabs(x);
    case sign: return x > 0 ? 1 : x < 0 ? -1 : x;  // zero and NaN stay
    case exp: return std::exp(x);
    case log: return std::log(x);
    case sqrt: return std::sqrt(x);
    case rsqrt: return 1 / std::sqrt(x);
    case reciprocal: return 1 / x;
    case square: return x * x;
    case sin: return std::sin(x);
    case cos: return std::cos(x);
    case tanh: return std::tanh(x);
    case sigmoid: return reference::sigmoid(x);
    case relu: return x < 0 ? 0 : x;
    case silu: return x * reference::sigmoid(x);
    case gelu: return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
    case gelu_tanh: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case softplus: return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x)));
    case hard_swish: return x * std::clamp(x + 3, 0.0, 6.0) / 6;
    case floor: return std::floor(x);
    case round: return std::nearbyint(x);  // ties to even
    case logical_not: return x == 0;
  }
  fail(ErrorKind::internal, "unknown unary kind");
}

double binary(BinaryKind kind, double a, double b) {
  using enum BinaryKind;
  switch (kind) {
    case add: return a + b;
    case sub: return a - b;
    case mul: return a * b;
    case div: return a / b;
    case max: return std::isnan(a) || a > b ? a : b;
    case min: return std::isnan(a) || a < b ? a : b;
    case pow: return std::pow(a, b);
    case equal: return a == b;
    case less: return a < b;
    case greater: return a > b;
  }
  fail(ErrorKind::internal, "unknown binary kind");
}

}  // namespace

Array interpret(const Unary& op, Arrays in, const TensorType& out) {
  Array y(out);
  std::ranges::transform(in[0]->data, y.data.begin(), [&](double x) { return unary(op.kind, x); });
  return y;
}

Array interpret(const Binary& op, Arrays in, const TensorType& out) {
  Array y(out);
  const std::vector<double> a = expand(*in[0], out.shape), b = expand(*in[1], out.shape);
  // An integer quotient truncates: as_dtype does it.
  for (std::size_t i = 0; i < a.size(); ++i) y.data[i] = as_dtype(out.dtype, binary(op.kind, a[i], b[i]));
  return y;
}

Array interpret(const Where&, Arrays in, const TensorType& out) {
  Array y(out);
  const std::vector<double> condition = expand(*in[0], out.shape);
  const std::vector<double> a = expand(*in[1], out.shape), b = expand(*in[2], out.shape);
  for (std::size_t i = 0; i < a.size(); ++i) y.data[i] = condition[i] != 0 ? a[i] : b[i];
  return y;
}

Array interpret(const Cast& op, Arrays in, const TensorType& out) {
  Array y(out);
  std::ranges::transform(in[0]->data, y.data.begin(), [&](double x) { return as_dtype(op.dtype, x); });
  return y;
}

}  // namespace thimble::graph::reference
