#include "tests/conformance/judge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "graph/reference.h"
#include "graph/text.h"

namespace thimble::conformance {
namespace {

using graph::MutableTensorView;
using graph::Precision;
using graph::Tensor;
using graph::TensorType;
using graph::TensorView;

// Streams of the case's seed: inputs from 0, parameters from here.
constexpr std::uint64_t kParameterStream = 1000;

double rounded(double v, Precision precision) {
  const auto single = static_cast<float>(v);
  return precision == Precision::bf16 ? to_f32(to_bf16(single)) : single;
}

Tensor draw_input(const TensorType& type, const Domain& domain, Rng rng, Precision precision) {
  Tensor out(type);
  const auto count = static_cast<std::size_t>(type.elements());
  const auto value = [&](std::size_t i) {
    if (!domain.values.empty()) return domain.values[i % domain.values.size()];
    if (type.dtype == DType::boolean) return rng.chance(0.5) ? 1.0 : 0.0;
    if (type.dtype == DType::i32) return std::floor(rng.uniform(domain.lo, domain.hi + 1));
    return rng.uniform(domain.lo, domain.hi);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const double v = value(i);
    switch (type.dtype) {
      case DType::f32: out.mutable_as<float>()[i] = static_cast<float>(rounded(v, precision)); break;
      case DType::i32: out.mutable_as<std::int32_t>()[i] = static_cast<std::int32_t>(v); break;
      case DType::boolean: out.mutable_as<std::uint8_t>()[i] = v != 0; break;
      default: fail(ErrorKind::internal, "conformance: inputs are f32, i32 or bool");
    }
  }
  return out;
}

// Integers of quantised weights: bytes of two int4, or int8 in [-127, 127].
Tensor draw_integers(const TensorType& type, Rng rng) {
  Tensor out(type);
  for (std::byte& b : out.mutable_as<std::byte>()) {
    b = static_cast<std::byte>(type.dtype == DType::u8 ? rng.below(256) : rng.below(255) + 129);  // 129: -127
  }
  return out;
}

// Around the parameter's start, but never all zeros or all ones: a forgotten bias must show.
Tensor draw_parameter(const TensorType& type, const graph::Init& init, Rng rng, const Case& c, Precision precision) {
  using Kind = graph::Init::Kind;
  if (!is_float(type.dtype)) return draw_integers(type, rng);
  Tensor out(TensorType{DType::f32, type.shape});
  const double centre = init.kind == Kind::ones ? 1 : init.kind == Kind::constant ? init.scale : 0;
  const double spread = init.kind == Kind::normal || init.kind == Kind::uniform ? init.scale
                        : init.kind == Kind::constant                           ? init.scale / 4
                                                                                : 0.25;
  for (float& v : out.mutable_as<float>()) v = static_cast<float>(rounded(centre + spread * rng.normal(), precision));
  return out.to(c.weight_dtype);
}

// Outputs filled with bytes that are NaN as floats: what is not written shows.
std::vector<Tensor> run(graph::Program& program, const std::vector<Tensor>& inputs,
                        const std::vector<TensorType>& types) {
  std::vector<TensorView> in;
  for (const Tensor& t : inputs) in.push_back(t.view());
  std::vector<Tensor> results;
  for (const TensorType& t : types) results.emplace_back(t);
  std::vector<MutableTensorView> out;
  for (Tensor& t : results) {
    std::memset(t.mutable_data(), 0xff, t.type().bytes());
    out.push_back(t.mutable_view());
  }
  program.run(in, out);
  return results;
}

// The types of `graph`'s outputs as a caller asks for them, with floats of `floating`.
std::vector<TensorType> asked_types(const graph::Graph& graph, DType floating) {
  std::vector<TensorType> types;
  for (const graph::NamedValue& o : graph.outputs) {
    TensorType type = graph.type(o.value);
    if (is_float(type.dtype)) type.dtype = floating;
    types.push_back(type);
  }
  return types;
}

std::string position(std::size_t i, const graph::Shape& shape) {
  graph::Shape index;
  for (std::int64_t stride : graph::strides_of(shape)) {
    index.push_back(static_cast<std::int64_t>(i) / stride);
    i %= static_cast<std::size_t>(stride);
  }
  return graph::to_string(index);
}

double element(const Tensor& t, std::size_t i) {
  switch (t.type().dtype) {
    case DType::f32: return t.as<float>()[i];
    case DType::i32: return t.as<std::int32_t>()[i];
    default: return t.as<std::uint8_t>()[i];
  }
}

double root_mean_square(const Tensor& t) {
  double sum = 0, count = 0;
  for (float v : t.as<float>()) {
    if (!std::isfinite(v)) continue;
    sum += static_cast<double>(v) * v;
    ++count;
  }
  return std::max(std::sqrt(sum / std::max(count, 1.0)), 1e-30);
}

// Empty, or the worst element of one output.
std::string compare(const Tensor& got, const Tensor& wanted, double tolerance) {
  if (!is_float(wanted.type().dtype)) tolerance = 0;
  const double least = is_float(wanted.type().dtype) ? root_mean_square(wanted) : 1;
  double worst = -1;
  std::size_t where = 0;
  const auto count = static_cast<std::size_t>(wanted.type().elements());
  for (std::size_t i = 0; i < count; ++i) {
    const double a = element(got, i), b = element(wanted, i);
    double error = std::fabs(a - b) / std::max(std::fabs(b), least);
    if (a == b || (std::isnan(a) && std::isnan(b))) error = 0;  // equal infinities, too
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    if (error > worst) worst = error, where = i;
  }
  if (worst <= tolerance) return "";
  return fmt::format("element {} is {}, the reference says {}: error {:.3g}, tolerance {:.3g}",
                     position(where, wanted.shape()), element(got, where), element(wanted, where), worst, tolerance);
}

bool same_bytes(const Tensor& a, const Tensor& b) { return std::memcmp(a.data(), b.data(), a.type().bytes()) == 0; }

// Everything that can be wrong, the first found. Empty: nothing.
std::string verdict(graph::Executor& executor, const Trial& t) {
  const double tolerance = t.precision == Precision::f32 ? t.source->tolerance.f32 : t.source->tolerance.bf16;
  const auto program = executor.compile(t.graph, t.weights, {.precision = t.precision});
  const auto compare_all = [&](const std::vector<Tensor>& got, double limit) -> std::string {
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::string wrong = compare(got[i], t.wanted[i], limit);
      if (!wrong.empty()) return fmt::format("output '{}' {}", t.graph.outputs[i].name, wrong);
    }
    return "";
  };

  std::vector<Tensor> inputs;
  for (const Tensor& x : t.inputs) {
    inputs.emplace_back(x.type());
    std::memcpy(inputs.back().mutable_data(), x.data(), x.type().bytes());
  }
  const std::vector<Tensor> first = run(*program, inputs, asked_types(t.graph, DType::f32));
  if (const std::string wrong = compare_all(first, tolerance); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!same_bytes(inputs[i], t.inputs[i])) return fmt::format("input {} was written to", i);
  }
  const std::vector<Tensor> again = run(*program, inputs, asked_types(t.graph, DType::f32));
  for (std::size_t i = 0; i < again.size(); ++i) {
    if (!same_bytes(again[i], first[i])) return fmt::format("output {} differs in the second run", i);
  }

  if (t.precision == Precision::bf16) {
    for (Tensor& x : inputs) x = is_float(x.type().dtype) ? x.to(DType::bf16) : x;
    std::vector<Tensor> narrow = run(*program, inputs, asked_types(t.graph, DType::bf16));
    for (Tensor& y : narrow) y = is_float(y.type().dtype) ? y.to(DType::f32) : y;
    // One more rounding, of a result that f32 buffers may have had unrounded.
    const std::string wrong = compare_all(narrow, tolerance > 0 ? tolerance + 0x1p-8 : 0);
    if (!wrong.empty()) return "with bf16 buffers: " + wrong;
  }
  return "";
}

}  // namespace

Trial prepare(const Case& c, Precision precision) {
  Trial t{&c, precision, c.graph(), {}, {}, {}};
  for (std::size_t i = 0; i < t.graph.inputs.size(); ++i) {
    const Domain domain = i < c.domains.size() ? c.domains[i] : Domain{};
    t.inputs.push_back(draw_input(t.graph.type(t.graph.inputs[i]), domain, Rng(c.seed, i), precision));
  }
  std::uint64_t stream = kParameterStream;
  for (const graph::Parameter& p : t.graph.parameters) {
    t.weights.set(t.graph.value(p.value).name,
                  draw_parameter(t.graph.type(p.value), p.init, Rng(c.seed, stream++), c, precision));
  }
  const auto program = graph::make_reference_executor()->compile(t.graph, t.weights, {});
  t.wanted = run(*program, t.inputs, asked_types(t.graph, DType::f32));
  return t;
}

std::string complaint(graph::Executor& executor, const Trial& t) {
  std::string wrong;
  try {
    wrong = verdict(executor, t);
  } catch (const Error& e) {
    wrong = fmt::format("it threw: {}", e.what());
  }
  if (wrong.empty()) return "";
  return fmt::format("case '{}' on '{}' at {}, seed {}: {}\ntolerance: {}\n{}", t.source->name, executor.name(),
                     graph::to_string(t.precision), t.source->seed, wrong, t.source->tolerance.reason,
                     graph::print_graph(t.graph));
}

}  // namespace thimble::conformance
