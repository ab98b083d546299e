// Unary, binary, where, cast, gated linear units.
#include "tests/conformance/case.h"

namespace thimble::conformance {
namespace {

using enum graph::UnaryKind;
using enum graph::BinaryKind;
using graph::Builder;
using graph::Shape;
using graph::Var;

// 111 elements: seven vectors of 16 and a tail of 15.
const Shape kOdd{3, 37};

Case unary(graph::UnaryKind kind, Domain domain, Tolerance tolerance = kRounded) {
  return {"unary_" + std::string(to_string(kind)),
          tolerance,
          [kind](Builder& b) { b.output("y", b.unary(kind, b.input("x", kOdd))); },
          {std::move(domain)}};
}

Case unary_integer(graph::UnaryKind kind) {
  return {"unary_" + std::string(to_string(kind)) + "_i32",
          kExact,
          [kind](Builder& b) {
            b.output("y", b.unary(kind, b.input("x", {5, 7}, DType::i32)));
          },
          {{-9, 9, {}}}};
}

Case sized(std::string name, Shape shape) {
  return {std::move(name), kRounded, [shape](Builder& b) { b.output("y", b.gelu(b.input("x", shape))); }};
}

Case binary(graph::BinaryKind kind, Domain a = {}, Domain b = {}, Tolerance tolerance = kRounded) {
  return {"binary_" + std::string(to_string(kind)),
          tolerance,
          [kind](Builder& g) {
            const Var x = g.input("a", kOdd), y = g.input("b", kOdd);
            g.output("y", g.binary(kind, x, y));
          },
          {std::move(a), std::move(b)}};
}

Case binary_integer(graph::BinaryKind kind) {
  return {"binary_" + std::string(to_string(kind)) + "_i32",
          kExact,
          [kind](Builder& g) {
            const Var x = g.input("a", {3, 7}, DType::i32), y = g.input("b", {7}, DType::i32);
            g.output("y", g.binary(kind, x, y));
          },
          {{-20, 20, {}}, {0, 0, {3, -4, 1, 7, -2, 5, 9}}}};
}

// A subtraction: it tells which side is which.
Case broadcast(std::string name, Shape a, Shape b) {
  return {"broadcast_" + std::move(name), kRounded, [a, b](Builder& g) {
            const Var x = g.input("a", a), y = g.input("b", b);
            g.output("y", x - y);
          }};
}

Case cast(std::string name, DType from, DType to, Domain domain) {
  return {"cast_" + std::move(name),
          kExact,
          [from, to](Builder& b) { b.output("y", b.cast(b.input("x", kOdd, from), to)); },
          {std::move(domain)}};
}

Case glu(graph::UnaryKind activation, Shape shape) {
  return {"glu_" + std::string(to_string(activation)), kChain,
          [=](Builder& b) { b.output("y", b.glu(b.input("x", shape), activation)); }};
}

const Domain kSigns{0, 0, {-1.5, 0, 2, -0.25, 0, 3}};
const Domain kTies{0, 0, {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, -1.75, 0.25, 3, -3, 7.75}};
const Domain kFew{0, 0, {0, 1, 2, 1, 0}};
const Domain kFewMore{0, 0, {1, 1, 0, 2}};

void add_unary(std::vector<Case>& cases) {
  cases.insert(cases.end(),
               {
                   unary(neg, {}, kExact),
                   unary(abs, {}, kExact),
                   unary(sign, kSigns, kExact),
                   unary(relu, kSigns, kExact),
                   unary(floor, kTies, kExact),
                   unary(round, kTies, kExact),
                   unary(exp, {-5, 5, {}}),
                   unary(log, {0.05, 6, {}}),
                   unary(sqrt, {0, 9, {}}),
                   unary(rsqrt, {0.1, 9, {}}),
                   unary(reciprocal, {0.2, 4, {}}),
                   unary(square, {}),
                   unary(sin, {-10, 10, {}}),
                   unary(cos, {-10, 10, {}}),
                   unary(graph::UnaryKind::tanh, {-4, 4, {}}),
                   unary(sigmoid, {-9, 9, {}}),
                   unary(silu, {-9, 9, {}}),
                   unary(gelu, {-6, 6, {}}),
                   unary(gelu_tanh, {-6, 6, {}}),
                   unary(softplus, {-30, 30, {}}),
                   unary(hard_swish, {-5, 5, {}}),
                   unary_integer(neg),
                   unary_integer(abs),
                   unary_integer(sign),
                   sized("unary_scalar", {}),
                   sized("unary_one", {1}),
                   sized("unary_long", {4099}),
                   {"unary_logical_not", kExact,
                    [](Builder& b) { b.output("y", b.unary(logical_not, b.input("x", kOdd, DType::boolean))); }},
                   // Beyond the range where exp and tanh overflow or settle: no NaN, no infinity.
                   {"unary_saturated",
                    kRounded,
                    [](Builder& b) {
                      const Var x = b.input("x", {4, 5});
                      b.output("tanh", b.tanh(x));
                      b.output("sigmoid", b.sigmoid(x));
                      b.output("silu", b.silu(x));
                      b.output("gelu", b.gelu(x));
                      b.output("gelu_tanh", b.gelu_tanh(x));
                      b.output("softplus", b.unary(softplus, x));
                    },
                    {{0, 0, {-200, -90, -20, 20, 90, 200, 0}}}},
               });
}

void add_binary(std::vector<Case>& cases) {
  cases.insert(cases.end(), {
                                binary(add),
                                binary(sub),
                                binary(mul),
                                binary(div, {}, {0.5, 3, {}}),
                                binary(max, {}, {}, kExact),
                                binary(min, {}, {}, kExact),
                                binary(pow, {0.1, 4, {}}, {-2, 3, {}}, kPower),
                                binary(equal, kFew, kFewMore, kExact),
                                binary(less, kFew, kFewMore, kExact),
                                binary(greater, kFew, kFewMore, kExact),
                                binary_integer(add),
                                binary_integer(sub),
                                binary_integer(mul),
                                binary_integer(div),
                                binary_integer(max),
                                binary_integer(min),
                                binary_integer(equal),
                                binary_integer(less),
                                binary_integer(greater),
                                broadcast("scalar_right", {3, 5}, {}),
                                broadcast("scalar_left", {}, {3, 5}),
                                broadcast("row", {3, 17}, {17}),
                                broadcast("column", {5, 19}, {5, 1}),
                                broadcast("outer", {7, 1}, {1, 9}),
                                broadcast("both_ways", {4, 1, 6}, {3, 1}),
                                broadcast("middle", {2, 1, 3, 5}, {2, 7, 1, 5}),
                                broadcast("batch", {2, 3, 33}, {2, 1, 33}),
                                broadcast("picture_channels", {2, 3, 3, 5}, {2, 1, 1, 5}),
                                {"binary_same_value", kRounded,
                                 [](Builder& b) {
                                   const Var x = b.input("x", kOdd);
                                   b.output("y", x * x + x);
                                 }},
                            });
}

}  // namespace

void add_elementwise_cases(std::vector<Case>& cases) {
  add_unary(cases);
  add_binary(cases);
  cases.insert(
      cases.end(),
      {
          {"where_plain", kExact,
           [](Builder& b) {
             const Var c = b.input("c", kOdd, DType::boolean), p = b.input("p", kOdd), q = b.input("q", kOdd);
             b.output("y", b.where(c, p, q));
           }},
          {"where_broadcast", kExact,
           [](Builder& b) {
             const Var c = b.input("c", {3, 1}, DType::boolean), p = b.input("p", {}), q = b.input("q", {2, 1, 7});
             b.output("y", b.where(c, p, q));
           }},
          {"where_i32", kExact,
           [](Builder& b) {
             const Var c = b.input("c", {9}, DType::boolean), p = b.input("p", {9}, DType::i32);
             b.output("y", b.where(c, p, b.constant(-3, DType::i32)));
           }},
          {"where_of_comparison", kExact,
           [](Builder& b) {
             const Var x = b.input("x", kOdd), limit = b.input("limit", {37});
             b.output("y", b.where(b.binary(greater, x, limit), limit, x));
           }},
          cast("f32_to_i32", DType::f32, DType::i32, kTies),
          cast("i32_to_f32", DType::i32, DType::f32, {-250, 250, {}}),
          cast("f32_to_bool", DType::f32, DType::boolean, kSigns),
          cast("bool_to_f32", DType::boolean, DType::f32, {}),
          cast("i32_to_bool", DType::i32, DType::boolean, {-1, 1, {}}),
          cast("bool_to_i32", DType::boolean, DType::i32, {}),
          {"cast_through_bf16",
           kExact,
           [](Builder& b) { b.output("y", b.cast(b.cast(b.input("x", kOdd), DType::bf16), DType::f32)); },
           {kTies}},
          glu(gelu, {2, 5, 2 * 19}),
          glu(silu, {7, 64}),
          glu(sigmoid, {2}),
          glu(gelu_tanh, {2, 3, 3, 32}),
      });
}

}  // namespace thimble::conformance
