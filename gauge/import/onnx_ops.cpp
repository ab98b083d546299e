// ONNX's arithmetic, comparisons, reductions and control flow, and the table of all its operators.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "gauge/import/onnx_ops.h"

namespace thimble::gauge {

using namespace graph;

namespace {

template <UnaryKind kind>
void unary(Context& c) {
  c.out(c.e.unary(kind, c.in(0)));
}

template <BinaryKind kind>
void binary(Context& c) {
  c.out(c.e.binary(kind, c.in(0), c.in(1)));
}

template <BinaryKind kind, bool negated = false>
void compare(Context& c) {
  const Value y = c.e.binary(kind, c.in(0), c.in(1));
  c.out(negated ? c.e.logical_not(y) : y);
}

template <BinaryKind kind>
void variadic(Context& c) {
  Value y = c.in(0);
  for (std::size_t i = 1; i < c.count(); ++i) y = c.e.binary(kind, y, c.in(i));
  c.out(y);
}

template <BinaryKind kind>  // on bools
void logical(Context& c) {
  c.out(c.e.cast(c.e.binary(kind, c.in(0), c.in(1)), DType::boolean));
}

// Of integers the quotient is cut towards zero.
void div(Context& c) {
  const Value &a = c.in(0), &b = c.in(1);
  if (a.type.dtype == DType::f32) return c.out(c.e.div(a, b));
  c.out(c.e.cast(c.e.div(c.e.cast(a, DType::f32), c.e.cast(b, DType::f32)), a.type.dtype));
}

// Small whole exponents are products: the logarithm in a general power has no place for negative bases.
void pow(Context& c) {
  const Value &x = c.in(0), &p = c.in(1);
  const Value exponent = c.e.cast(p, x.type.dtype);
  if (p.constant && p.type.elements() == 1 && x.type.dtype == DType::f32 && p.rank() <= x.rank()) {
    const double v = c.e.known_numbers(p, "an exponent")[0];
    if (v == 1) return c.out(x);
    if (v == 2) return c.out(c.e.unary(UnaryKind::square, x));
    if (v == 3) return c.out(c.e.mul(c.e.unary(UnaryKind::square, x), x));
    if (v == 0.5) return c.out(c.e.unary(UnaryKind::sqrt, x));
    if (v == -0.5) return c.out(c.e.unary(UnaryKind::rsqrt, x));
    if (v == -1) return c.out(c.e.unary(UnaryKind::reciprocal, x));
  }
  c.out(c.e.binary(BinaryKind::pow, x, exponent));
}

// Bounds are attributes up to operator set 10, inputs since.
void clip(Context& c) {
  if ((c.has(1) && !c.in(1).constant) || (c.has(2) && !c.in(2).constant)) {
    Value y = c.in(0);
    if (c.has(1)) y = c.e.binary(BinaryKind::max, y, c.in(1));
    return c.out(c.has(2) ? c.e.binary(BinaryKind::min, y, c.in(2)) : y);
  }
  const auto bound = [&](std::size_t i, const char* key) -> std::optional<double> {
    if (c.op.has(key)) return c.op.number(key, 0);
    if (!c.has(i)) return std::nullopt;
    const auto v = c.e.known_numbers(c.in(i), key);
    return v.empty() ? std::nullopt : std::optional(v[0]);
  };
  c.out(c.e.clamp(c.in(0), bound(1, "min"), bound(2, "max")));
}

void hard_sigmoid(Context& c) {
  const double alpha = c.op.number("alpha", 0.2), beta = c.op.number("beta", 0.5);
  c.out(c.e.clamp(c.e.add(c.e.mul(c.in(0), c.e.scalar(alpha)), c.e.scalar(beta)), 0, 1));
}

void selu(Context& c) {
  const double alpha = c.op.number("alpha", 1.6732632423543772), gamma = c.op.number("gamma", 1.0507009873554805);
  c.out(c.e.mul(elu(c.e, c.in(0), alpha), c.e.scalar(gamma)));
}

void gelu(Context& c) {
  c.out(c.e.unary(c.op.text("approximate", "none") == "tanh" ? UnaryKind::gelu_tanh : UnaryKind::gelu, c.in(0)));
}

void cast(Context& c) {
  // TensorProto.DataType: 1 float, 10 half, 11 double, 16 bfloat16, 9 bool; the rest are integers.
  switch (c.op.integer("to", 1)) {
    case 1:
    case 10:
    case 11:
    case 16: return c.out(c.e.cast(c.in(0), DType::f32));
    case 9: return c.out(c.e.cast(c.in(0), DType::boolean));
    case 8: fail(ErrorKind::unsupported, "a cast to text");
    default: return c.out(c.e.cast(c.in(0), DType::i32));
  }
}

Ints reduced_axes(Context& c) {
  std::vector<std::int64_t> axes = axes_of(c, 1);
  if (axes.empty() && c.op.integer("noop_with_empty_axes", 0) == 0) {
    axes.resize(c.in(0).shape().size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  return Context::axes(axes, c.in(0).rank());
}

template <ReduceKind kind>
void reduce(Context& c) {
  c.out(c.e.reduce(kind, c.in(0), reduced_axes(c), c.op.integer("keepdims", 1) != 0));
}

void reduce_l2(Context& c) {
  const Value squares = c.e.unary(UnaryKind::square, c.in(0));
  c.out(c.e.unary(UnaryKind::sqrt,
                  c.e.reduce(ReduceKind::sum, squares, reduced_axes(c), c.op.integer("keepdims", 1) != 0)));
}

void reduce_l1(Context& c) {
  const Value sizes = c.e.unary(UnaryKind::abs, c.in(0));
  c.out(c.e.reduce(ReduceKind::sum, sizes, reduced_axes(c), c.op.integer("keepdims", 1) != 0));
}

// Up to operator set 12 all axes from `axis` on are one.
template <bool logarithm>
void softmax(Context& c) {
  const Value& x = c.in(0);
  const bool joined = opset(c) < 13;
  const std::int64_t axis = Context::axis(c.op.integer("axis", joined ? 1 : -1), x.rank());
  const bool last = axis + 1 == x.rank();
  if (!joined || last) return c.out(logarithm ? log_softmax(c.e, x, axis) : c.e.softmax(x, axis));
  std::int64_t outer = 1;
  for (std::int64_t a = 0; a < axis; ++a) outer *= x.dim(a);
  const Value rows = c.e.reshape(x, {outer, outer == 0 ? 0 : x.type.elements() / outer});
  c.out(c.e.reshape(logarithm ? log_softmax(c.e, rows, 1) : c.e.softmax(rows, 1), x.shape()));
}

void if_op(Context& c) { c.choose(c.in(0), c.op.integer("then_branch", 0), c.op.integer("else_branch", 0), {}); }

void same(Context& c) { c.out(c.in(0)); }

}  // namespace

const HandlerTable& onnx_handlers() {
  static const HandlerTable table = [] {
    HandlerTable t{
        {"Add", binary<BinaryKind::add>},
        {"Sub", binary<BinaryKind::sub>},
        {"Mul", binary<BinaryKind::mul>},
        {"Div", div},
        {"Pow", pow},
        {"Max", variadic<BinaryKind::max>},
        {"Min", variadic<BinaryKind::min>},
        {"Sum", variadic<BinaryKind::add>},
        {"Mean",
         [](Context& c) {
           variadic<BinaryKind::add>(c);
           c.out(c.e.div(*c.results()[0], c.e.scalar(static_cast<double>(c.count()))));
         }},
        {"Equal", compare<BinaryKind::equal>},
        {"Less", compare<BinaryKind::less>},
        {"Greater", compare<BinaryKind::greater>},
        {"GreaterOrEqual", compare<BinaryKind::less, true>},
        {"LessOrEqual", compare<BinaryKind::greater, true>},
        {"And", logical<BinaryKind::min>},
        {"Or", logical<BinaryKind::max>},
        {"Xor", [](Context& c) { c.out(c.e.logical_not(c.e.binary(BinaryKind::equal, c.in(0), c.in(1)))); }},
        {"Not", unary<UnaryKind::logical_not>},
        {"Where", [](Context& c) { c.out(c.e.where(c.in(0), c.in(1), c.in(2))); }},
        {"Neg", unary<UnaryKind::neg>},
        {"Abs", unary<UnaryKind::abs>},
        {"Sign", unary<UnaryKind::sign>},
        {"Exp", unary<UnaryKind::exp>},
        {"Log", unary<UnaryKind::log>},
        {"Sqrt", unary<UnaryKind::sqrt>},
        {"Reciprocal", unary<UnaryKind::reciprocal>},
        {"Sin", unary<UnaryKind::sin>},
        {"Cos", unary<UnaryKind::cos>},
        {"Tanh", unary<UnaryKind::tanh>},
        {"Sigmoid", unary<UnaryKind::sigmoid>},
        {"Relu", unary<UnaryKind::relu>},
        {"Softplus", unary<UnaryKind::softplus>},
        {"HardSwish", unary<UnaryKind::hard_swish>},
        {"Floor", unary<UnaryKind::floor>},
        {"Round", unary<UnaryKind::round>},
        {"Ceil",
         [](Context& c) {
           c.out(c.e.unary(UnaryKind::neg, c.e.unary(UnaryKind::floor, c.e.unary(UnaryKind::neg, c.in(0)))));
         }},
        {"LeakyRelu", [](Context& c) { c.out(leaky_relu(c.e, c.in(0), c.op.number("alpha", 0.01))); }},
        {"PRelu", [](Context& c) { c.out(parametric_relu(c.e, c.in(0), c.in(1))); }},
        {"Elu", [](Context& c) { c.out(elu(c.e, c.in(0), c.op.number("alpha", 1))); }},
        {"Selu", selu},
        {"Softsign",
         [](Context& c) { c.out(c.e.div(c.in(0), c.e.add(c.e.unary(UnaryKind::abs, c.in(0)), c.e.scalar(1)))); }},
        {"HardSigmoid", hard_sigmoid},
        {"Gelu", gelu},
        {"com.microsoft:Gelu", gelu},
        {"Erf", [](Context& c) { c.out(erf(c.e, c.in(0))); }},
        {"Clip", clip},
        {"Cast", cast},
        {"CastLike", [](Context& c) { c.out(c.e.cast(c.in(0), c.in(1).type.dtype)); }},
        {"ReduceMean", reduce<ReduceKind::mean>},
        {"ReduceSum", reduce<ReduceKind::sum>},
        {"ReduceMax", reduce<ReduceKind::max>},
        {"ReduceMin", reduce<ReduceKind::min>},
        {"ReduceProd", reduce<ReduceKind::prod>},
        {"ReduceL1", reduce_l1},
        {"ReduceL2", reduce_l2},
        {"Softmax", softmax<false>},
        {"LogSoftmax", softmax<true>},
        {"If", if_op},
        {"Identity", same},
        {"Dropout", same},
    };
    for (const HandlerTable& more : {onnx_movement_handlers(), onnx_layer_handlers(), onnx_recurrent_handlers(),
                                     onnx_quantised_handlers(), onnx_attention_handlers()}) {
      t.insert(more.begin(), more.end());
    }
    return t;
  }();
  return table;
}

}  // namespace thimble::gauge
