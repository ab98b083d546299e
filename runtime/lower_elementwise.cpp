// Element-wise ops, gated units, casts, reductions and softmax.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "runtime/lowering.h"
#include "runtime/plain.h"

namespace thimble::runtime {

using namespace graph;

namespace {

int want_rank(const Shape& shape, std::string_view op) {
  if (shape.size() > kernels::kMaxRank) {
    fail(ErrorKind::unsupported, "[{}] {} has more than {} axes", op, to_string(shape), kernels::kMaxRank);
  }
  return static_cast<int>(shape.size());
}

// Strides of `x` inside the broadcast `shape`.
void broadcast_strides(const Located& x, const Shape& shape, std::int64_t* out) {
  const std::size_t missing = shape.size() - x.shape.size();
  for (std::size_t i = 0; i < x.shape.size(); ++i) out[missing + i] = x.shape[i] == 1 ? 0 : x.strides[i];
}

kernels::UnaryOp kernel_op(UnaryKind kind) {
  using K = kernels::UnaryOp;
  switch (kind) {
    case UnaryKind::neg: return K::neg;
    case UnaryKind::abs: return K::abs;
    case UnaryKind::sign: return K::sign;
    case UnaryKind::exp: return K::exp;
    case UnaryKind::log: return K::log;
    case UnaryKind::sqrt: return K::sqrt;
    case UnaryKind::rsqrt: return K::rsqrt;
    case UnaryKind::reciprocal: return K::reciprocal;
    case UnaryKind::square: return K::square;
    case UnaryKind::sin: return K::sin;
    case UnaryKind::cos: return K::cos;
    case UnaryKind::tanh: return K::tanh;
    case UnaryKind::sigmoid: return K::sigmoid;
    case UnaryKind::relu: return K::relu;
    case UnaryKind::silu: return K::silu;
    case UnaryKind::gelu: return K::gelu;
    case UnaryKind::gelu_tanh: return K::gelu_tanh;
    case UnaryKind::softplus: return K::softplus;
    case UnaryKind::hard_swish: return K::hard_swish;
    case UnaryKind::floor: return K::floor;
    case UnaryKind::round: return K::round;
    case UnaryKind::logical_not: break;
  }
  fail(ErrorKind::internal, "logical_not has no kernel on numbers");
}

kernels::BinaryOp kernel_op(BinaryKind kind) {
  using K = kernels::BinaryOp;
  switch (kind) {
    case BinaryKind::add: return K::add;
    case BinaryKind::sub: return K::sub;
    case BinaryKind::mul: return K::mul;
    case BinaryKind::div: return K::div;
    case BinaryKind::max: return K::max;
    case BinaryKind::min: return K::min;
    case BinaryKind::pow: return K::pow;
    case BinaryKind::equal: return K::eq;
    case BinaryKind::less: return K::lt;
    case BinaryKind::greater: return K::gt;
  }
  fail(ErrorKind::internal, "unknown binary kind");
}

bool served(DType type) { return type == DType::f32 || type == DType::bf16; }

template <class Row>
Lowering::Kernel named(const Row& row, const auto& rows, Isa cap) {
  return {std::string(row.name), refused_rows(rows, &row, cap)};
}

void emit_plain(Lowering& l, const Unit& u, double (*function)(double, double), const Located& a, const Located* b,
                const Located& y) {
  PlainStep step{.function = function, .a_type = a.dtype, .b_type = b ? b->dtype : a.dtype, .y_type = y.dtype};
  step.rank = want_rank(y.shape, u.name);
  std::ranges::copy(y.shape, step.shape);
  broadcast_strides(a, y.shape, step.a_strides);
  if (b) broadcast_strides(*b, y.shape, step.b_strides);
  Operands io{.in = {Lowering::at(a)}, .out = Lowering::at(y)};
  if (b) io.in[1] = Lowering::at(*b);
  l.emit(&u, u.name, {}, step, io, y);
}

void emit_binary(Lowering& l, const Unit& u, std::string name, BinaryKind kind, const Located& a, const Located& b,
                 const Located& y) {
  const auto& k = want_kernel(kernels::pick_elementwise(a.dtype, l.isa), a.dtype, "binary");
  BinaryStep step{&k, kernel_op(kind), {}};
  step.args.rank = want_rank(y.shape, name);
  std::ranges::copy(y.shape, step.args.shape);
  broadcast_strides(a, y.shape, step.args.a_strides);
  broadcast_strides(b, y.shape, step.args.b_strides);
  l.emit(&u, std::move(name), named(k, kernels::elementwise_kernels(), l.isa), step,
         {.in = {Lowering::at(a), Lowering::at(b)}, .out = Lowering::at(y)}, y);
}

}  // namespace

void lower(Lowering& l, const Unit& u, const Unary& op) {
  const DType type = l.stored(u.output);
  if (!served(type)) {
    const Located x = l.read(u.x, type), y = l.result(u);
    return emit_plain(l, u, plain_function(op.kind), x, nullptr, y);
  }
  const auto& k = want_kernel(kernels::pick_elementwise(type, l.isa), type, "unary");
  const Located x = l.read_rows(u.x, type), y = l.result(u, {u.x});
  const Rows r = as_rows(x).value();
  const UnaryStep step{&k, kernel_op(op.kind), r.rows, r.columns, r.stride};
  l.emit(&u, fmt::format("{} {}", u.name, to_string(op.kind)), named(k, kernels::elementwise_kernels(), l.isa), step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

void lower(Lowering& l, const Unit& u, const Binary& op) {
  const ValueId av = l.node(u).inputs[0], bv = l.node(u).inputs[1];
  DType type = l.stored(u.output);
  if (is_comparison(op.kind)) type = l.held(av) == l.held(bv) ? l.held(av) : l.type(av).dtype;
  const Located a = l.read(av, type), b = l.read(bv, type);
  if (!served(type)) {
    const Located y = l.result(u);
    return emit_plain(l, u, plain_function(op.kind), a, &b, y);
  }
  // An operand of the result's shape may be overwritten, if it is read in the result's order.
  const auto reuse = [&](ValueId v, const Located& x) {
    return x.dense() && x.shape == l.type(u.output).shape ? v : -1;
  };
  const Located y = l.result(u, {reuse(av, a), reuse(bv, b)});
  emit_binary(l, u, fmt::format("{} {}", u.name, to_string(op.kind)), op.kind, a, b, y);
}

void lower(Lowering& l, const Unit& u, const Where&) {
  const auto& in = l.node(u).inputs;
  const DType type = l.stored(u.output);
  const Located c = l.read(in[0], DType::boolean), a = l.read(in[1], type), b = l.read(in[2], type), y = l.result(u);
  WhereStep step;
  step.args.rank = want_rank(y.shape, "where");
  step.args.element_size = size_of(type);
  std::ranges::copy(y.shape, step.args.shape);
  broadcast_strides(c, y.shape, step.args.condition_strides);
  broadcast_strides(a, y.shape, step.args.a_strides);
  broadcast_strides(b, y.shape, step.args.b_strides);
  l.emit(&u, u.name, {"where"}, step,
         {.in = {Lowering::at(c), Lowering::at(a), Lowering::at(b)}, .out = Lowering::at(y)}, y);
}

void lower(Lowering& l, const Unit& u, const Cast&) {
  const DType from = l.fixed(u.x) ? l.type(u.x).dtype : l.held(u.x), to = l.stored(u.output);
  if (from == to || !kernels::can_cast(from, to)) {
    const Located x = l.read(u.x, from), y = l.result(u);
    return emit_plain(l, u, plain_copy, x, nullptr, y);
  }
  const auto& k = want_kernel(kernels::pick_elementwise(DType::f32, l.isa), DType::f32, "cast");
  const Located x = l.read_dense(u.x, from), y = l.result(u);
  l.emit(&u, u.name, named(k, kernels::elementwise_kernels(), l.isa), CastStep{&k, from, to, x.elements()},
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

void lower(Lowering& l, const Unit& u, const Glu& op) {
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_elementwise(type, l.isa), type, "glu");
  const Located x = l.read_rows(u.x, type), y = l.result(u);
  const Rows r = as_rows(x).value();
  GluStep step{&k, {}};
  step.args.rows = r.rows;
  step.args.channels = step.args.y_stride = r.columns / 2;
  step.args.value_stride = step.args.gate_stride = r.stride;
  step.args.activation = kernel_op(op.activation);
  l.emit(&u, u.name, named(k, kernels::elementwise_kernels(), l.isa), step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

// Alone, without a norm before it: x + scale * x, then + shift.
void lower(Lowering& l, const Unit& u, const Modulate&) {
  const auto& in = l.node(u).inputs;
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_elementwise(type, l.isa), type, "modulate");
  const Located x = l.read_rows(in[0], type), shift = l.read(in[1], type);
  Located scale = l.read(in[2], type);
  if (!as_batch_vector(scale, x.shape)) scale = l.read_dense(in[2], type);
  const Located y = l.result(u, {in[0]});
  const Rows r = as_rows(x).value();
  const BatchVector v = as_batch_vector(scale, x.shape).value();
  ScaleAddStep step{&k, {}};
  step.args.rows = r.rows;
  step.args.channels = step.args.y_stride = r.columns;
  step.args.x_stride = step.args.residual_stride = r.stride;
  step.args.gate_stride = v.stride;
  step.args.rows_per_batch = v.rows;
  l.emit(&u, "modulate scale", named(k, kernels::elementwise_kernels(), l.isa), step,
         {.in = {Lowering::at(x), Lowering::at(x), Lowering::at(scale)}, .out = Lowering::at(y)}, y);
  emit_binary(l, u, "modulate shift", BinaryKind::add, y, shift, y);
}

void lower(Lowering& l, const Unit& u, const Reduce& op) {
  using K = kernels::ReduceOp;
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_reduce(type, l.isa), type, "reduce");
  const Located x = l.read_dense(u.x, type), y = l.result(u);
  ReduceStep step{&k, {}};
  step.args.rank = want_rank(x.shape, "reduce");
  std::ranges::copy(x.shape, step.args.shape);
  for (std::int64_t axis : op.axes) step.args.reduced[index(axis)] = true;
  constexpr K kOps[] = {K::sum, K::mean, K::max, K::min, K::prod};
  static_assert(static_cast<int>(ReduceKind::prod) == 4 && static_cast<int>(ReduceKind::mean) == 1);
  step.args.op = kOps[static_cast<int>(op.kind)];
  l.emit(&u, fmt::format("{} {}", u.name, to_string(op.kind)), named(k, kernels::reduce_kernels(), l.isa), step,
         {.in = {Lowering::at(x)}, .out = Lowering::at(y)}, y);
}

// Along another axis than the last: the axis is brought to the end by a copy, and the result is a view that puts it
// back.
void lower(Lowering& l, const Unit& u, const Softmax& op) {
  const DType type = l.stored(u.output);
  const auto& k = want_kernel(kernels::pick_norm(type, l.isa), type, "softmax");
  const auto rank = static_cast<std::int64_t>(l.type(u.x).shape.size());
  Located x, y;
  if (op.axis == rank - 1) {
    x = l.read_rows(u.x, type);
    y = l.result(u, {x.dense() ? u.x : -1});
  } else {
    Ints perm;
    for (std::int64_t i = 0; i < rank; ++i) {
      if (i != op.axis) perm.push_back(i);
    }
    perm.push_back(op.axis);
    const Located from = transposed(l.read(u.x, type), perm);
    y = l.temporary({type, from.shape});
    l.copy(from, y, "transpose");
    x = y;
    Ints back(perm.size());
    for (std::size_t i = 0; i < perm.size(); ++i) back[index(perm[i])] = static_cast<std::int64_t>(i);
    l.place(u.output, transposed(y, back));
  }
  const Rows r = as_rows(x).value();
  SoftmaxStep step{&k, {}};
  step.args.rows = r.rows;
  step.args.n = r.columns;
  step.args.x_rows.stride = r.stride;
  l.emit(&u, u.name, named(k, kernels::norm_kernels(), l.isa), step, {.in = {Lowering::at(x)}, .out = Lowering::at(y)},
         y);
}

}  // namespace thimble::runtime
