// Ops that move values, and graphs whose inputs, parameters or constants are themselves outputs.
#include "tests/conformance/case.h"

#include <limits>

namespace thimble::conformance {
namespace {

using graph::Builder;
using graph::Ints;
using graph::Shape;
using graph::Var;

Case reshape(std::string name, Shape from, Shape to) {
  return {"reshape_" + std::move(name), kExact,
          [from, to](Builder& b) { b.output("y", b.reshape(b.input("x", from), to)); }};
}

Case transpose(std::string name, Shape shape, Ints perm, DType dtype = DType::f32) {
  return {"transpose_" + std::move(name), kExact,
          [=](Builder& b) { b.output("y", b.transpose(b.input("x", shape, dtype), perm)); }};
}

Case broadcast(std::string name, Shape from, Shape to) {
  return {"broadcast_to_" + std::move(name), kExact,
          [from, to](Builder& b) { b.output("y", b.broadcast(b.input("x", from), to)); }};
}

Case slice(std::string name, Shape shape, int axis, std::int64_t begin, std::int64_t end, std::int64_t step = 1) {
  return {"slice_" + std::move(name), kExact,
          [=](Builder& b) { b.output("y", b.slice(b.input("x", shape), axis, begin, end, step)); }};
}

Case pad(std::string name, Shape shape, Ints before, Ints after, double value) {
  return {"pad_" + std::move(name), kExact,
          [=](Builder& b) { b.output("y", b.pad(b.input("x", shape), before, after, value)); }};
}

Case concat(std::string name, std::vector<Shape> shapes, int axis, DType dtype = DType::f32) {
  return {"concat_" + std::move(name), kExact, [=](Builder& b) {
            std::vector<Var> xs;
            for (const Shape& s : shapes) xs.push_back(b.input("x" + std::to_string(xs.size()), s, dtype));
            b.output("y", b.concat(xs, axis));
          }};
}

// Indices run from -2 to rows + 1: those outside are clamped.
Case gather(std::string name, Shape table, Shape indices, int axis) {
  const auto last = static_cast<double>(table[static_cast<std::size_t>(axis)] + 1);
  return {"gather_" + std::move(name),
          kExact,
          [=](Builder& b) {
            const Var rows = b.input("table", table), i = b.input("i", indices, DType::i32);
            b.output("y", b.gather(rows, i, axis));
          },
          {{}, {-2, last, {}}}};
}

void add_shapes(std::vector<Case>& cases) {
  cases.insert(cases.end(), {
                                reshape("split", {6, 35}, {2, 3, 5, 7}),
                                reshape("join", {2, 3, 5}, {30}),
                                reshape("to_scalar", {1, 1}, {}),
                                transpose("matrix", {37, 19}, {1, 0}),
                                transpose("batched", {3, 17, 5}, {0, 2, 1}),
                                transpose("to_planes", {2, 5, 7, 3}, {0, 3, 1, 2}),
                                transpose("from_planes", {2, 3, 5, 7}, {0, 2, 3, 1}),
                                transpose("heads", {2, 9, 4, 8}, {0, 2, 1, 3}),
                                transpose("five_axes", {2, 3, 4, 5, 6}, {4, 2, 0, 3, 1}),
                                transpose("same", {3, 4, 5}, {0, 1, 2}),
                                transpose("ones", {1, 8, 1, 3}, {2, 0, 3, 1}),
                                transpose("i32", {5, 7}, {1, 0}, DType::i32),
                                transpose("bool", {5, 7}, {1, 0}, DType::boolean),
                                broadcast("rows", {1, 17}, {5, 17}),
                                broadcast("columns", {5, 1}, {5, 17}),
                                broadcast("new_axes", {3}, {2, 4, 3}),
                                broadcast("scalar", {}, {3, 5}),
                                broadcast("two_apart", {2, 1, 3, 1}, {2, 4, 3, 5}),
                                slice("last_axis", {3, 37}, -1, 5, 22),
                                slice("first_axis", {9, 11}, 0, 2, 7),
                                slice("middle_step", {2, 17, 3}, 1, 1, 16, 4),
                                slice("last_step", {3, 32}, -1, 1, 32, 2),
                                slice("one", {4, 5}, 1, 4, 5),
                                slice("all", {4, 5}, 1, 0, 5),
                                pad("rows", {3, 5}, {1, 0}, {2, 0}, 0),
                                pad("picture", {2, 3, 4, 5}, {0, 1, 2, 0}, {0, 2, 0, 0}, -1.5),
                                pad("channels", {1, 2, 2, 3}, {0, 0, 0, 0}, {0, 0, 0, 5}, 0),
                                pad("nothing", {3, 4}, {0, 0}, {0, 0}, 1),
                                pad("lowest", {5}, {2}, {1}, -std::numeric_limits<double>::infinity()),
                                concat("last", {{3, 5}, {3, 16}, {3, 1}}, -1),
                                concat("first", {{2, 7}, {5, 7}}, 0),
                                concat("middle", {{2, 3, 5}, {2, 4, 5}}, 1),
                                concat("channels", {{2, 3, 3, 8}, {2, 3, 3, 4}}, -1),
                                concat("one", {{3, 4}}, 0),
                                concat("i32", {{4}, {3}}, 0, DType::i32),
                                concat("bool", {{4, 1}, {4, 2}}, 1, DType::boolean),
                                gather("rows", {11, 7}, {2, 5}, 0),
                                gather("columns", {3, 13}, {9}, 1),
                                gather("middle", {2, 7, 5}, {3, 2}, 1),
                                gather("one_index", {5, 6}, {}, 0),
                            });
}

}  // namespace

void add_movement_cases(std::vector<Case>& cases) {
  add_shapes(cases);
  cases.insert(cases.end(), {
                                {"concat_same_value_twice", kExact,
                                 [](Builder& b) {
                                   const Var x = b.input("x", {3, 5});
                                   b.output("y", b.concat({x, x}, 0));
                                 }},
                                {"embedding",
                                 kExact,
                                 [](Builder& b) {
                                   b.output("y", b.embedding(b.input("ids", {2, 6}, DType::i32), "tokens", 23, 40));
                                 },
                                 {{0, 22, {}}}},
                                {"constant_output", kExact,
                                 [](Builder& b) {
                                   b.output("one_for_all", b.constant(Shape{2, 3}, {1.5}));
                                   b.output("each", b.constant(Shape{3}, {1, -2, 0.5}));
                                   b.output("integers", b.constant(Shape{2}, {7, -7}, DType::i32));
                                 }},
                                {"input_is_output", kExact,
                                 [](Builder& b) {
                                   const Var x = b.input("x", {3, 5});
                                   b.output("y", x);
                                   b.output("ids", b.input("ids", {4}, DType::i32));
                                 }},
                                {"parameter_is_output", kExact,
                                 [](Builder& b) {
                                   b.output("y", b.param("weight", {3, 5}, {graph::Init::Kind::normal, 1}));
                                 }},
                                {"output_under_two_names", kExact,
                                 [](Builder& b) {
                                   const Var y = b.relu(b.input("x", {3, 5}));
                                   b.output("y", y);
                                   b.output("z", y);
                                 }},
                                {"reshape_is_output", kExact,
                                 [](Builder& b) {
                                   const Var y = b.relu(b.input("x", {3, 8}));
                                   b.output("flat", b.reshape(y, {24}));
                                   b.output("y", y);
                                 }},
                                {"views_of_views", kExact,
                                 [](Builder& b) {
                                   Var x = b.reshape(b.input("x", {2, 6, 20}), {2, 6, 4, 5});
                                   x = b.slice(b.transpose(x, {0, 2, 1, 3}), 2, 1, 6, 2);
                                   b.output("y", b.reshape(b.transpose(x, {0, 2, 1, 3}), {2, 3, 20}));
                                 }},
                                {"unused_input", kExact,
                                 [](Builder& b) {
                                   b.input("unused", {3});
                                   b.output("y", b.relu(b.input("x", {4})));
                                 }},
                            });
}

}  // namespace thimble::conformance
