#include "tests/onnx/cases.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/reference.h"
#include "models/bind.h"
#include "tests/conformance/judge.h"
#include "tests/zoo/golden.h"

namespace thimble::onnx_cases {

std::vector<Example> conformance_examples() {
  std::vector<Example> examples;
  for (const conformance::Case& c : conformance::all_cases()) {
    conformance::Trial t = conformance::prepare(c, graph::Precision::f32);
    examples.push_back(
        {c.name, std::move(t.graph), std::move(t.weights), std::move(t.inputs), std::move(t.wanted), c.tolerance.f32});
  }
  return examples;
}

std::vector<Example> network_examples() {
  // Some dozens of layers in f32, each off by a few roundings of 2^-24.
  constexpr double kNetwork = 1e-4;
  std::vector<Example> examples;
  for (const auto& path : zoo::golden_files()) {
    const zoo::Golden golden = zoo::read_golden(path);
    Example e{.name = "network_" + golden.file,
              .graph = models::build_network(golden.class_name, golden.role, golden.config, golden.size),
              .weights = {},
              .inputs = {},
              .wanted = {},
              .tolerance = kNetwork};
    e.weights = models::bind_checkpoint(e.graph, golden.weights, golden.file);
    for (const graph::ValueId id : e.graph.inputs) e.inputs.push_back(golden.inputs.at(e.graph.value(id).name));
    e.wanted = (*graph::make_reference_executor()->compile(e.graph, e.weights, {}))(e.inputs);
    examples.push_back(std::move(e));
  }
  return examples;
}

double relative_error(const graph::Tensor& got, const graph::Tensor& wanted) {
  if (got.shape() != wanted.shape()) return std::numeric_limits<double>::infinity();
  const auto count = static_cast<std::size_t>(wanted.type().elements());
  const auto value = [](const graph::Tensor& t, std::size_t i) -> double {
    switch (t.type().dtype) {
      case DType::f32: return t.as<float>()[i];
      case DType::i32: return t.as<std::int32_t>()[i];
      default: return t.as<std::uint8_t>()[i];
    }
  };
  double squares = 0;
  for (std::size_t i = 0; i < count; ++i)
    squares += std::isfinite(value(wanted, i)) ? std::pow(value(wanted, i), 2) : 0;
  const double least = std::max(std::sqrt(squares / static_cast<double>(std::max<std::size_t>(count, 1))), 1e-30);
  double worst = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double a = value(got, i), b = value(wanted, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double error = std::fabs(a - b) / std::max(std::fabs(b), least);
    worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
  }
  return worst;
}

}  // namespace thimble::onnx_cases
