// Elementwise loops for any machine, and the integer ones, which need no instruction set of their own.
#define HWY_COMPILE_ONLY_SCALAR
#include "kernels/elementwise/generic.h"

namespace thimble::kernels {
namespace {

std::int32_t wrap(std::int64_t v) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(v)); }

std::int32_t integer_power(std::int32_t base, std::int32_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint32_t result = 1, square = static_cast<std::uint32_t>(base);
  for (std::uint32_t e = static_cast<std::uint32_t>(exponent); e != 0; e >>= 1, square *= square) {
    if (e & 1) result *= square;
  }
  return static_cast<std::int32_t>(result);
}

void unary_i32(UnaryOp op, const void* source, void* target, std::int64_t n, UnaryParams params) {
  const auto* x = static_cast<const std::int32_t*>(source);
  auto* y = static_cast<std::int32_t*>(target);
  const auto each = [&](auto f) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(std::int64_t{x[i]});
  };
  switch (op) {
    case UnaryOp::neg: return each([](std::int64_t v) { return wrap(-v); });
    case UnaryOp::abs: return each([](std::int64_t v) { return wrap(v < 0 ? -v : v); });
    case UnaryOp::sign: return each([](std::int64_t v) { return (v > 0) - (v < 0); });
    case UnaryOp::relu: return each([](std::int64_t v) { return wrap(v > 0 ? v : 0); });
    case UnaryOp::square: return each([](std::int64_t v) { return wrap(v * v); });
    case UnaryOp::clamp: {
      const auto low = static_cast<std::int64_t>(params.alpha), high = static_cast<std::int64_t>(params.beta);
      return each([=](std::int64_t v) { return wrap(v < low ? low : v > high ? high : v); });
    }
    default: return;
  }
}

void binary_i32(BinaryOp op, const void* left, bool a_scalar, const void* right, bool b_scalar, void* target,
                std::int64_t n) {
  const auto* a = static_cast<const std::int32_t*>(left);
  const auto* b = static_cast<const std::int32_t*>(right);
  const std::int64_t step_a = a_scalar ? 0 : 1, step_b = b_scalar ? 0 : 1;
  const auto each = [&](auto* y, auto f) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = f(std::int64_t{a[i * step_a]}, std::int64_t{b[i * step_b]});
  };
  auto* y = static_cast<std::int32_t*>(target);
  auto* truth = static_cast<std::uint8_t*>(target);
  using I = std::int64_t;
  switch (op) {
    case BinaryOp::add: return each(y, [](I u, I v) { return wrap(u + v); });
    case BinaryOp::sub: return each(y, [](I u, I v) { return wrap(u - v); });
    case BinaryOp::mul: return each(y, [](I u, I v) { return wrap(u * v); });
    case BinaryOp::div: return each(y, [](I u, I v) { return v == 0 ? 0 : wrap(u / v); });
    case BinaryOp::max: return each(y, [](I u, I v) { return wrap(u > v ? u : v); });
    case BinaryOp::min: return each(y, [](I u, I v) { return wrap(u < v ? u : v); });
    case BinaryOp::pow: return each(y, [](I u, I v) { return integer_power(wrap(u), wrap(v)); });
    case BinaryOp::eq: return each(truth, [](I u, I v) { return u == v; });
    case BinaryOp::ne: return each(truth, [](I u, I v) { return u != v; });
    case BinaryOp::lt: return each(truth, [](I u, I v) { return u < v; });
    case BinaryOp::le: return each(truth, [](I u, I v) { return u <= v; });
    case BinaryOp::gt: return each(truth, [](I u, I v) { return u > v; });
    case BinaryOp::ge: return each(truth, [](I u, I v) { return u >= v; });
  }
}

}  // namespace

constexpr ElementwiseKernels elementwise_f32_scalar =
    elementwise_row<float>(Isa::scalar, DType::f32, "elementwise_f32_scalar");
constexpr ElementwiseKernels elementwise_bf16_scalar =
    elementwise_row<bf16>(Isa::scalar, DType::bf16, "elementwise_bf16_scalar");
constexpr ElementwiseKernels elementwise_i32_scalar = {
    Isa::scalar, DType::i32, "elementwise_i32_scalar", unary_i32, binary_i32, nullptr, nullptr, cast_loop};

}  // namespace thimble::kernels
