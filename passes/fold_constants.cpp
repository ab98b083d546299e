#include "passes/fold_constants.h"

#include <algorithm>
#include <map>

#include "base/index.h"
#include "graph/reference.h"
#include "passes/rebuild.h"

namespace thimble::passes {

using namespace graph;

namespace {

constexpr std::int64_t kLargestConstant = 4096;

bool is_constant(const Node& node) { return std::holds_alternative<Constant>(node.op); }

// By value: made of constants alone.
std::vector<bool> constant_values(const Graph& g) {
  std::vector<bool> constant(g.values.size(), false);
  for (const Node& node : g.nodes) {
    constant[index(node.output)] = std::ranges::all_of(node.inputs, [&](ValueId v) { return constant[index(v)]; });
  }
  return constant;
}

Constant to_constant(const Tensor& tensor, DType dtype) {
  const auto n = index(tensor.type().elements());
  Constant c{dtype, tensor.shape(), std::vector<double>(n)};
  convert(tensor.type().dtype, tensor.data(), DType::f64, c.values.data(), n);
  if (n > 1 && std::ranges::all_of(c.values, [&](double v) { return v == c.values[0]; })) c.values.resize(1);
  return c;
}

std::map<ValueId, Constant> evaluate(const Graph& g, const std::vector<ValueId>& wanted) {
  Builder b("constants");
  Rebuild copy(g, b);
  const std::vector<bool> needed = needed_nodes(g, wanted, [](ValueId) { return false; });
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (needed[n]) copy.copy(g.nodes[n]);
  }
  for (ValueId v : wanted) b.output(fmt::format("{}", v), copy.get(v));
  const std::vector<Tensor> results = (*make_reference_executor()->compile(b.finish(), Weights(), {}))({});
  std::map<ValueId, Constant> constants;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    constants[wanted[i]] = to_constant(results[i], g.type(wanted[i]).dtype);
  return constants;
}

}  // namespace

Graph fold_constants(const Graph& g, std::int64_t largest) {
  largest = std::min(largest, kLargestConstant);
  const std::vector<bool> constant = constant_values(g);
  // f64 stays: executors hand results out as f32.
  const auto folds = [&](ValueId v) {
    const std::int32_t n = g.value(v).producer;
    return n >= 0 && constant[index(v)] && !is_constant(g.nodes[index(n)]) && g.type(v).elements() <= largest &&
           g.type(v).elements() > 0 && g.type(v).dtype != DType::f64;
  };
  std::vector<ValueId> results;
  for (const NamedValue& o : g.outputs) results.push_back(o.value);
  for (const NamedValue& t : g.taps) results.push_back(t.value);
  const std::vector<bool> kept = needed_nodes(g, results, folds);
  std::vector<bool> read(g.values.size(), false);
  for (ValueId v : results) read[index(v)] = true;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    if (!kept[n]) continue;
    for (ValueId v : g.nodes[n].inputs) read[index(v)] = true;
  }
  std::vector<ValueId> wanted;
  for (const Node& node : g.nodes) {
    if (read[index(node.output)] && folds(node.output)) wanted.push_back(node.output);
  }
  if (wanted.empty()) return g;

  const std::map<ValueId, Constant> constants = evaluate(g, wanted);
  Builder b(g.name);
  Rebuild copy(g, b);
  for (ValueId v : g.inputs) copy.input(v);
  for (const Parameter& p : g.parameters) copy.get(p.value);
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const ValueId v = g.nodes[n].output;
    if (const auto it = constants.find(v); it != constants.end()) {
      copy.set(v, b.add(it->second, {}));
    } else if (kept[n]) {
      copy.copy(g.nodes[n]);
    }
  }
  for (const NamedValue& o : g.outputs) b.output(o.name, copy.get(o.value));
  for (const NamedValue& t : g.taps) b.tap(t.name, copy.get(t.value));
  return b.finish();
}

}  // namespace thimble::passes
