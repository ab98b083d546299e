// Reductions, softmax, normalisations and modulation.
#include "tests/conformance/case.h"

namespace thimble::conformance {
namespace {

using graph::Builder;
using graph::Init;
using graph::Ints;
using graph::ReduceKind;
using graph::Shape;
using graph::Var;

Case reduce(ReduceKind kind, std::string name, Shape shape, Ints axes, bool keep = true, Domain domain = {}) {
  return {"reduce_" + std::string(to_string(kind)) + "_" + std::move(name),
          kSum,
          [=](Builder& b) { b.output("y", b.reduce(kind, b.input("x", shape), axes, keep)); },
          {std::move(domain)}};
}

Case softmax(std::string name, Shape shape, int axis, Domain domain = {-4, 4, {}}) {
  return {"softmax_" + std::move(name),
          kNorm,
          [=](Builder& b) { b.output("y", b.softmax(b.input("x", shape), axis)); },
          {std::move(domain)}};
}

Case layer_norm(std::string name, Shape shape, bool affine, Tolerance tolerance = kNorm, Domain domain = {}) {
  return {"layer_norm_" + std::move(name),
          tolerance,
          [=](Builder& b) {
            const Var x = b.input("x", shape);
            b.output("y", affine ? b.layer_norm(x, "norm") : b.layer_norm(x));
          },
          {std::move(domain)}};
}

Case group_norm(std::string name, Shape shape, std::int64_t groups) {
  return {"group_norm_" + std::move(name), kNorm,
          [=](Builder& b) { b.output("y", b.group_norm(b.input("x", shape), "norm", groups)); }};
}

Case modulate(std::string name, Shape x, Shape shift, Shape scale) {
  return {"modulate_" + std::move(name), kChain, [=](Builder& b) {
            const Var v = b.input("x", x), s = b.input("shift", shift), t = b.input("scale", scale);
            b.output("y", b.modulate(v, s, t));
          }};
}

Case sinusoidal(std::string name, std::int64_t batch, graph::SinusoidalEmbedding op, Domain domain) {
  constexpr Tolerance kAngle{2e-4, 6e-3, "angles of up to 1000 radians are rounded to f32; the result once"};
  return {"sinusoidal_" + std::move(name),
          kAngle,
          [=](Builder& b) { b.output("y", b.sinusoidal(b.input("t", {batch}), op)); },
          {std::move(domain)}};
}

// The mean is 170 deviations from zero. An f32 mean loses 2e-5 of a deviation, a variance as E[x^2] - E[x]^2 loses
// 1e-3.
constexpr Tolerance kFarFromZero{1e-4, 1e-2, "f32 statistics far from zero lose 2e-5 of a deviation"};
// A row's mean in f32 is up to 2^-22 off; divided by sqrt(eps) = 0.03 that is 1e-5 of results near 0.2.
constexpr Tolerance kConstantRows{
    1e-4, 8e-3, "the mean of 32 values is off by a few 2^-24, divided by sqrt(eps) = 0.03 and a bias of 0.25"};
const Domain kFar{99, 101, {}};

void add_reductions(std::vector<Case>& cases) {
  using enum ReduceKind;
  cases.insert(cases.end(), {
                                reduce(sum, "last", {5, 67}, {1}),
                                reduce(sum, "first", {19, 21}, {0}),
                                reduce(sum, "middle", {3, 17, 5}, {1}),
                                reduce(sum, "ends", {3, 4, 5, 6}, {0, 3}),
                                reduce(sum, "all_dropped", {7, 9}, {0, 1}, false),
                                reduce(mean, "last", {5, 67}, {1}),
                                reduce(mean, "positions", {2, 5, 7, 9}, {1, 2}, false),
                                reduce(mean, "negative_axis", {3, 8}, {-1}),
                                reduce(mean, "axis_of_one", {3, 1, 5}, {1}),
                                reduce(max, "last", {5, 67}, {1}, true, {-9, -1, {}}),
                                reduce(max, "middle", {3, 17, 5}, {1}, false),
                                reduce(min, "last", {5, 67}, {1}, true, {1, 9, {}}),
                                reduce(min, "first", {19, 21}, {0}, false),
                                reduce(prod, "last", {4, 9}, {1}, true, {0.5, 1.5, {}}),
                                reduce(prod, "two_axes", {3, 4, 5}, {0, 2}, false, {0.7, 1.4, {}}),
                                softmax("last", {5, 37}, -1),
                                softmax("middle", {2, 9, 5}, 1),
                                softmax("first", {11, 3}, 0),
                                softmax("one", {4, 1}, -1),
                                softmax("large_values", {3, 21}, -1, {-100, 100, {}}),
                                softmax("four_axes", {2, 3, 4, 33}, -1),
                                softmax("long", {2, 1030}, -1),
                            });
}

}  // namespace

void add_norm_cases(std::vector<Case>& cases) {
  add_reductions(cases);
  cases.insert(cases.end(), {
                                layer_norm("plain", {2, 7, 64}, false),
                                layer_norm("affine", {2, 7, 64}, true),
                                layer_norm("odd", {3, 5, 37}, true),
                                layer_norm("vector", {40}, true),
                                layer_norm("picture", {1, 3, 4, 24}, true),
                                layer_norm("far_from_zero", {3, 48}, false, kFarFromZero, kFar),
                                layer_norm("long", {2, 1111}, true),
                                {"layer_norm_weight_only", kNorm,
                                 [](Builder& b) {
                                   const Var weight = b.param("weight", {19}, {Init::Kind::ones, 0});
                                   b.output("y", b.add(graph::LayerNorm{1e-5}, {b.input("x", {4, 19}), weight}));
                                 }},
                                // Rows of one value: the variance is zero and eps alone divides.
                                {"layer_norm_constant_rows", kConstantRows,
                                 [](Builder& b) {
                                   const Var row = b.broadcast(b.input("x", {3, 1}), {3, 32});
                                   b.output("y", b.layer_norm(row, "norm", 1e-3));
                                 }},
                                {"layer_norm_large_eps", kNorm,
                                 [](Builder& b) {
                                   b.output("y", b.layer_norm(b.input("x", {3, 16}), 0.5));
                                 }},
                                {"rms_norm_weight", kNorm,
                                 [](Builder& b) {
                                   b.output("y", b.rms_norm(b.input("x", {2, 5, 37}), "norm"));
                                 }},
                                {"rms_norm_plain", kNorm,
                                 [](Builder& b) {
                                   b.output("y", b.add(graph::RmsNorm{0.1}, {b.input("x", {7, 64})}));
                                 }},
                                group_norm("four", {2, 5, 7, 24}, 4),
                                group_norm("one", {2, 3, 5, 9}, 1),
                                group_norm("each_channel", {1, 4, 5, 13}, 13),
                                group_norm("odd_groups", {2, 5, 3, 21}, 3),
                                group_norm("tokens", {2, 11, 32}, 8),
                                group_norm("vector", {3, 32}, 4),
                                group_norm("wide", {1, 9, 8, 96}, 32),
                                {"group_norm_far_from_zero",
                                 kFarFromZero,
                                 [](Builder& b) {
                                   b.output("y", b.group_norm(b.input("x", {1, 6, 6, 16}), "norm", 4));
                                 },
                                 {kFar}},
                                modulate("batch", {3, 7, 20}, {3, 1, 20}, {3, 1, 20}),
                                modulate("one_for_all", {3, 7, 33}, {1, 1, 33}, {1, 1, 33}),
                                modulate("mixed", {2, 5, 16}, {2, 1, 16}, {1, 1, 16}),
                                sinusoidal("steps", 4, {256, 10000, 1}, {0, 1000, {}}),
                                sinusoidal("scaled", 3, {32, 100, 1000}, {0, 1, {}}),
                                sinusoidal("smallest", 5, {2, 10000, 1}, {-3, 3, {}}),
                                sinusoidal("odd_half", 2, {38, 10000, 1}, {0, 50, {}}),
                            });
}

}  // namespace thimble::conformance
