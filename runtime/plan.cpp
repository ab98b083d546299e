#include "runtime/plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "graph/builder.h"
#include "graph/decompose.h"
#include "runtime/lowering.h"

namespace thimble::runtime {

using namespace graph;

namespace {

constexpr std::int64_t kMaxNormChannels = 65536, kMaxHeadSize = 512;

// Module ops with attributes or sizes that no step serves; their decomposition is run instead.
bool must_decompose(const Graph& g, const Node& node) {
  if (std::holds_alternative<LayerNorm>(node.op) || std::holds_alternative<RmsNorm>(node.op)) {
    return g.type(node.output).shape.back() > kMaxNormChannels;
  }
  if (const auto* glu = std::get_if<Glu>(&node.op)) {
    using enum UnaryKind;
    constexpr UnaryKind kServed[] = {sigmoid, relu, silu, gelu, gelu_tanh, UnaryKind::tanh};
    return std::ranges::find(kServed, glu->activation) == std::end(kServed);
  }
  if (std::holds_alternative<QuantLinear>(node.op)) {
    const DType type = g.type(node.output).dtype;
    return g.value(node.inputs[1]).kind != ValueKind::parameter ||
           g.value(node.inputs[2]).kind != ValueKind::parameter ||
           g.type(node.inputs[0]).shape.back() > kernels::kMaxQgemmK || (type != DType::f32 && type != DType::bf16);
  }
  if (const auto* conv = std::get_if<QuantConv2d>(&node.op)) {
    const DType type = g.type(node.output).dtype;
    const Shape& w = g.type(node.inputs[1]).shape;
    return g.value(node.inputs[1]).kind != ValueKind::parameter ||
           g.value(node.inputs[2]).kind != ValueKind::parameter || conv->groups != 1 ||
           w[1] * w[2] * w[3] > kernels::kMaxQgemmK || (type != DType::f32 && type != DType::bf16);
  }
  if (const auto* attention = std::get_if<Attention>(&node.op)) {
    return g.type(node.inputs[0]).shape[2] / attention->heads > kMaxHeadSize ||
           g.type(node.inputs[2]).shape[2] / attention->kv_heads > kMaxHeadSize;
  }
  return false;
}

// The graph with such nodes replaced. `origin`: per new node, the index of the old one.
Graph decompose_unserved(const Graph& g, std::vector<int>& origin) {
  Builder b(g.name);
  std::vector<Var> made(g.values.size());
  const auto at = [&](ValueId id) -> Var& { return made[index(id)]; };
  for (ValueId id : g.inputs) at(id) = b.input(g.value(id).name, g.type(id).shape, g.type(id).dtype);
  for (const Parameter& p : g.parameters)
    at(p.value) = b.param(g.value(p.value).name, g.type(p.value).shape, p.init, g.type(p.value).dtype);
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    std::vector<Var> in;
    for (ValueId id : node.inputs) in.push_back(at(id));
    if (!must_decompose(g, node)) {
      at(node.output) = b.add(node.op, in);
    } else {
      Builder one("one");
      std::vector<Var> operands;
      for (ValueId id : node.inputs)
        operands.push_back(one.input(fmt::format("{}", operands.size()), g.type(id).shape, g.type(id).dtype));
      one.output("y", one.add(node.op, operands));
      const Graph part = decompose(one.finish());
      std::vector<Var> inner(part.values.size());
      for (std::size_t i = 0; i < in.size(); ++i) inner[index(part.inputs[i])] = in[i];
      for (const Node& m : part.nodes) {
        std::vector<Var> from;
        for (ValueId id : m.inputs) from.push_back(inner[index(id)]);
        inner[index(m.output)] = b.add(m.op, from);
      }
      at(node.output) = inner[index(part.outputs[0].value)];
    }
    origin.resize(b.graph().nodes.size(), static_cast<int>(n));
  }
  for (const NamedValue& tap : g.taps) b.tap(tap.name, at(tap.value));
  for (const NamedValue& out : g.outputs) b.output(out.name, at(out.value));
  return b.finish();
}

}  // namespace

Plan make_plan(const Graph& graph, const CompileOptions& compile, Isa isa, int threads) {
  verify(graph);
  std::vector<int> origin;
  const bool whole = std::ranges::none_of(graph.nodes, [&](const Node& n) { return must_decompose(graph, n); });
  const Graph served = whole ? graph : decompose_unserved(graph, origin);
  const Facts facts = gather_facts(served, compile.precision);
  const std::vector<Unit> units = fuse(served, facts);
  Plan plan = Lowering(served, facts, units, compile.precision, isa, threads).finish();
  if (!whole) {
    for (StepReport& r : plan.report.steps) {
      if (r.node >= 0) r.node = origin[index(r.node)];
    }
  }
  plan.report.executor = fmt::format("device {}, {} thread{}", to_string(isa), threads, threads == 1 ? "" : "s");
  return plan;
}

PlanReport plan_report(const Graph& graph, const CompileOptions& compile, const DeviceOptions& device) {
  return make_plan(graph, compile, device.isa, device.threads > 0 ? device.threads : usable_processors()).report;
}

}  // namespace thimble::runtime
