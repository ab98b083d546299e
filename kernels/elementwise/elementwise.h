// Elementwise functions of one, two or three tensors: unary, binary with numpy broadcasting, where, casts, gated
// linear units and scaled adds. bf16 data is widened to f32, computed there and rounded once.
// Not here: norms (kernels/norm) and copies (kernels/reduce/copy.h).
//
// Largest errors against double libm, f32, in units in the last place (the test checks all binades):
//   exp 1.1, log 1, sin and cos 1.5, tanh 1.5, erf 4.5, sigmoid 2.5, silu 3, softplus 2.5, elu 2.5, rsqrt 1.5,
//   square, sqrt, reciprocal 0.5, pow as libm; gelu 1.5 and gelu_tanh 2 of max(|x|, |y|), not of a tiny y in the tail.
// The kernels of avx512_bf16 round as the others do, but flush bf16 denormals. exp gives 0 under -87.33 (no denormals)
// and inf over 88.72. NaN in gives NaN out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/cpu.h"
#include "base/dtype.h"
#include "base/threads.h"

namespace thimble::kernels {

enum class UnaryOp : std::uint8_t {
  neg,
  abs,
  sign,
  square,
  sqrt,
  rsqrt,
  reciprocal,
  exp,
  log,
  sin,
  cos,
  tanh,
  erf,
  sigmoid,
  relu,
  silu,
  gelu,
  gelu_tanh,
  softplus,
  elu,
  leaky_relu,
  hard_swish,
  hard_sigmoid,
  floor,
  ceil,
  round,  // round: ties to even
  clamp,
};  // on i32 only neg, abs, sign, square, relu and clamp
inline constexpr int kUnaryOps = static_cast<int>(UnaryOp::clamp) + 1;

// Comparisons give one byte, 0 or 1; the others give the input's type. On i32 sums wrap, division truncates and gives 0
// for a zero divisor, and pow is 0 for a negative exponent unless the base is 1 or -1.
enum class BinaryOp : std::uint8_t { add, sub, mul, div, max, min, pow, eq, ne, lt, le, gt, ge };
inline constexpr int kBinaryOps = static_cast<int>(BinaryOp::ge) + 1;
constexpr bool is_comparison(BinaryOp op) { return op >= BinaryOp::eq; }

// elu: alpha (exp(x) - 1) for x < 0. leaky_relu: alpha x for x < 0. clamp: to [alpha, beta]. Else unused.
struct UnaryParams {
  float alpha = 1.0f, beta = 0.0f;
};

inline constexpr int kMaxRank = 8;

// Strides in elements per axis, 0 where an operand is broadcast; the output is contiguous in `shape`.
// y may be an operand that has the output's shape and type.
struct BinaryArgs {
  int rank = 0;
  std::int64_t shape[kMaxRank] = {};
  const void* a = nullptr;
  const void* b = nullptr;
  void* y = nullptr;
  std::int64_t a_strides[kMaxRank] = {}, b_strides[kMaxRank] = {};
};

// y = condition ? a : b, any element size of 1, 2, 4 or 8 bytes. Condition: bytes, non-zero is true.
struct WhereArgs {
  int rank = 0;
  std::int64_t shape[kMaxRank] = {};
  const std::uint8_t* condition = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
  void* y = nullptr;
  std::int64_t condition_strides[kMaxRank] = {}, a_strides[kMaxRank] = {}, b_strides[kMaxRank] = {};
  std::size_t element_size = 4;
};

// Strides of an operand of `operand_shape` (rank `operand_rank`, aligned at the right) inside `shape`.
void broadcast_strides(int operand_rank, const std::int64_t* operand_shape, int rank, const std::int64_t* shape,
                       std::int64_t* strides) noexcept;

// y[r, c] = value[r, c] * act(gate[r, c]); row strides in elements. Both halves of one (rows, 2 * channels) tensor:
// value = x, gate = x + channels, both strides 2 * channels. y may be value or gate.
struct GluArgs {
  std::int64_t rows = 0, channels = 0;
  const void* value = nullptr;
  const void* gate = nullptr;
  void* y = nullptr;
  std::int64_t value_stride = 0, gate_stride = 0, y_stride = 0;
  UnaryOp activation = UnaryOp::gelu;  // sigmoid, relu, silu, gelu, gelu_tanh, tanh
};

// y[r, c] = residual[r, c] + gate[r / rows_per_batch, c] * x[r, c]; gate null: factor alone. y may be x or residual.
struct ScaleAddArgs {
  std::int64_t rows = 0, channels = 0;
  const void* x = nullptr;
  const void* residual = nullptr;  // null: zero
  const void* gate = nullptr;      // vector b starts at b * gate_stride
  void* y = nullptr;
  std::int64_t x_stride = 0, residual_stride = 0, y_stride = 0, gate_stride = 0;
  std::int64_t rows_per_batch = 1;
  float factor = 1.0f;  // multiplies x as well
};

struct ElementwiseKernels {
  Isa isa;
  DType type;  // f32, bf16, or i32 (unary and binary only, portable code)
  std::string_view name;
  // Each works on n contiguous elements; `*_scalar` operands are read at index 0 only.
  void (*unary)(UnaryOp op, const void* x, void* y, std::int64_t n, UnaryParams params);
  void (*binary)(BinaryOp op, const void* a, bool a_scalar, const void* b, bool b_scalar, void* y, std::int64_t n);
  void (*glu)(UnaryOp activation, const void* value, const void* gate, void* y, std::int64_t n);
  void (*scale_add)(const void* x, const void* residual, const void* gate, float factor, void* y, std::int64_t n);
  void (*cast)(DType from, const void* src, DType to, void* dst, std::int64_t n);  // does not depend on `type`
};

std::span<const ElementwiseKernels* const> elementwise_kernels();  // rows of this build, best first
const ElementwiseKernels* pick_elementwise(DType type, Isa cap);   // nullptr for types not listed

void unary(const ElementwiseKernels& kernels, UnaryOp op, const void* x, void* y, std::int64_t n, UnaryParams params,
           ThreadPool& pool) noexcept;
void binary(const ElementwiseKernels& kernels, BinaryOp op, const BinaryArgs& args, ThreadPool& pool) noexcept;
void logical_not(const std::uint8_t* x, std::uint8_t* y, std::int64_t n, ThreadPool& pool) noexcept;
void where(const WhereArgs& args, ThreadPool& pool) noexcept;
void glu(const ElementwiseKernels& kernels, const GluArgs& args, ThreadPool& pool) noexcept;
void scale_add(const ElementwiseKernels& kernels, const ScaleAddArgs& args, ThreadPool& pool) noexcept;

// Among f32, bf16, f16 and i32; from boolean or u8 to these; from these to boolean (not zero), and between equal types.
// Floats to i32 truncate and saturate, NaN gives 0. src and dst are apart, or equal when the types are.
bool can_cast(DType from, DType to) noexcept;
void cast(const ElementwiseKernels& kernels, DType from, const void* src, DType to, void* dst, std::int64_t n,
          ThreadPool& pool) noexcept;

}  // namespace thimble::kernels
