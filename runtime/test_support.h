// Helpers of this folder's tests: random inputs, and a comparison with the reference executor.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "graph/builder.h"
#include "graph/reference.h"
#include "runtime/device.h"

namespace thimble::runtime {

// Floats uniform in [-1, 1), integers in [0, 4), bools a fair coin; all rounded to bf16 if asked.
inline std::vector<graph::Tensor> draw_inputs(const graph::Graph& g, bool as_bf16) {
  std::vector<graph::Tensor> inputs;
  Rng rng(11);
  for (graph::ValueId v : g.inputs) {
    graph::Tensor t(g.type(v));
    if (g.type(v).dtype == DType::f32) {
      for (float& x : t.mutable_as<float>()) x = static_cast<float>(rng.uniform(-1, 1));
      if (as_bf16) t = t.to(DType::bf16).to(DType::f32);
    } else if (g.type(v).dtype == DType::i32) {
      for (std::int32_t& x : t.mutable_as<std::int32_t>()) x = static_cast<std::int32_t>(rng.below(4));
    } else {
      for (std::uint8_t& x : t.mutable_as<std::uint8_t>()) x = rng.chance(0.5);
    }
    inputs.push_back(std::move(t));
  }
  return inputs;
}

// Parameters by their start, but none all zeros or ones: a forgotten bias must show.
inline graph::Weights draw_weights(const graph::Graph& g, bool as_bf16) {
  graph::Weights weights;
  std::uint64_t stream = 0;
  for (const graph::Parameter& p : g.parameters) {
    graph::Tensor t(g.type(p.value));
    if (!is_float(t.type().dtype)) {  // of quantised weights: int8, or two int4 a byte
      Rng rng(3, stream++);
      for (std::byte& b : t.mutable_as<std::byte>()) b = static_cast<std::byte>(rng.below(256));
      weights.set(g.value(p.value).name, t);
      continue;
    }
    auto values = t.mutable_as<float>();
    fill_normal(values, 3, stream++);
    const bool drawn = p.init.kind == graph::Init::Kind::normal && p.init.scale > 0;
    const float scale = drawn ? static_cast<float>(p.init.scale) : 0.1f,
                centre = p.init.kind == graph::Init::Kind::ones ? 1 : 0;
    const bool constant = p.init.kind == graph::Init::Kind::constant;  // a scale of quantised weights
    for (float& v : values) v = constant ? static_cast<float>(p.init.scale) : centre + scale * v;
    weights.set(g.value(p.value).name, as_bf16 ? t.to(DType::bf16).to(DType::f32) : t);
  }
  return weights;
}

// A linear layer with integer weights, as the pass makes them.
inline graph::Var quant_linear(graph::Var x, const std::string& name, std::int64_t out, graph::QuantLinear op) {
  graph::Builder& b = *x.builder;
  const std::int64_t in = x.dim(-1), groups = op.group == 0 ? 1 : (in + op.group - 1) / op.group;
  const graph::Init numbers{graph::Init::Kind::uniform, 127},
      scale{graph::Init::Kind::constant, 1 / (std::sqrt(static_cast<double>(in)) * (op.bits == 4 ? 4 : 64))};
  return b.add(op, {x,
                    op.bits == 4 ? b.param(name + ".weight", {out, in / 2}, numbers, DType::u8)
                                 : b.param(name + ".weight", {out, in}, numbers, DType::i8),
                    b.param(name + ".weight.scale", {out, groups}, scale), b.param(name + ".bias", {out}, {})});
}

// Largest difference, relative to the larger of the element and the root mean square of the reference.
inline double error(const graph::Tensor& got, const graph::Tensor& wanted) {
  const graph::Tensor a = got.to(DType::f32), b = wanted.to(DType::f32);
  double square = 0, worst = 0;
  for (float v : b.as<float>()) square += static_cast<double>(v) * v;
  const double rms = std::sqrt(square / static_cast<double>(std::max<std::int64_t>(1, b.type().elements())));
  for (std::size_t i = 0; i < a.as<float>().size(); ++i) {
    const double x = a.as<float>()[i], y = b.as<float>()[i];
    const double e = std::fabs(x - y) / std::max({std::fabs(y), rms, 1e-30});
    worst = std::isnan(e) ? INFINITY : std::max(worst, e);
  }
  return worst;
}

inline void expect_agrees(const graph::Graph& g, graph::Precision precision, double tolerance,
                          DeviceOptions options = {.threads = 2}) {
  const bool low = precision == graph::Precision::bf16;
  const graph::Weights weights = draw_weights(g, low);
  const auto inputs = draw_inputs(g, low);
  const auto wanted = (*graph::make_reference_executor()->compile(g, weights, {}))(inputs);
  const auto program = make_device_executor(options)->compile(g, weights, {.precision = precision});
  const auto got = (*program)(inputs);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_LE(error(got[i], wanted[i]), tolerance)
        << "output '" << g.outputs[i].name << "' in " << to_string(precision) << "\n"
        << program->explain();
  }
}

}  // namespace thimble::runtime
