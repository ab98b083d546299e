#include "runtime/facts.h"

#include "base/index.h"

#include <algorithm>

namespace thimble::runtime {

using namespace graph;

namespace {

template <class... T>
bool is_any(const Op& op) {
  return (std::holds_alternative<T>(op) || ...);
}

bool moves_axes(const Op& op) { return is_any<Reshape, Transpose, Broadcast, Slice>(op); }

// Nodes whose result may be f32 as well as bf16, with operands of the same type.
bool passes_type_on(const Op& op) {
  return is_any<Unary, Binary, Where, Reshape, Transpose, Broadcast, Slice, Pad, Concat, Gather, Reduce, Cast>(op);
}

bool needs_f32(const Graph& g, const Node& node, std::size_t operand, const std::vector<bool>& wants) {
  if (std::holds_alternative<Attention>(node.op)) return operand == 3;
  if (std::holds_alternative<AttentionMap>(node.op)) return operand == 2;
  if (std::holds_alternative<SinusoidalEmbedding>(node.op)) return true;
  if (const auto* b = std::get_if<Binary>(&node.op); b && is_comparison(b->kind)) return true;
  if (const auto* c = std::get_if<Cast>(&node.op); c && !is_float(c->dtype)) return true;
  return passes_type_on(node.op) && g.type(node.output).dtype == DType::f32 && wants[index(node.output)];
}

// Operands that the plan reads as f32 vectors from the weights, whatever is stored, do not count.
std::vector<bool> values_wanting_f32(const Graph& g, const Facts& f) {
  std::vector<bool> wants(g.values.size(), false);
  const auto decide = [&](ValueId v) {
    const auto& readers = f.readers[index(v)];
    wants[index(v)] = !readers.empty() && std::ranges::all_of(readers, [&](int reader) {
      const Node& node = g.nodes[index(reader)];
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == v && !needs_f32(g, node, i, wants)) return false;
      }
      return true;
    });
  };
  for (std::size_t n = g.nodes.size(); n-- > 0;) decide(g.nodes[n].output);
  for (ValueId v : g.inputs) decide(v);
  for (const NamedValue& o : g.outputs) wants[index(o.value)] = false;
  return wants;
}

// A product that leads to the output `v` alone, at most through reshapes and pixel shuffles.
void store_product_as_f32(const Graph& g, Facts& f, ValueId v) {
  if (g.type(v).dtype != DType::f32 || !f.readers[index(v)].empty()) return;
  std::vector<ValueId> chain{v};
  for (;;) {
    const std::int32_t producer = g.value(chain.back()).producer;
    if (producer < 0) return;
    const Node& node = g.nodes[index(producer)];
    if (is_any<Linear, Conv2d, QuantLinear, QuantConv2d>(node.op)) break;
    if (!is_any<Reshape, PixelShuffle>(node.op) || f.sole_reader(node.inputs[0]) != producer) return;
    chain.push_back(node.inputs[0]);
  }
  for (ValueId c : chain) f.stored[index(c)] = DType::f32;
}

}  // namespace

std::optional<Located> view_of(const Op& op, const Located& x) {
  if (const auto* o = std::get_if<Reshape>(&op)) return reshaped(x, o->shape);
  if (const auto* o = std::get_if<Transpose>(&op)) return transposed(x, o->perm);
  if (const auto* o = std::get_if<Broadcast>(&op)) return broadcast(x, o->shape);
  if (const auto* o = std::get_if<Slice>(&op)) return sliced(x, *o);
  return x;  // a cast that changes nothing
}

int Facts::sole_reader(ValueId v) const {
  const auto& r = readers[index(v)];
  return r.size() == 1 && !kept[index(v)] ? r[0] : -1;
}

Facts gather_facts(const Graph& g, Precision precision) {
  Facts f;
  f.alive.assign(g.nodes.size(), false);
  std::vector<bool> needed(g.values.size(), false);
  for (const NamedValue& o : g.outputs) needed[index(o.value)] = true;
  for (std::size_t n = g.nodes.size(); n-- > 0;) {
    if (!needed[index(g.nodes[n].output)]) continue;
    f.alive[n] = true;
    for (ValueId v : g.nodes[n].inputs) needed[index(v)] = true;
  }

  f.fixed.assign(g.values.size(), false);
  f.readers.resize(g.values.size());
  f.kept.assign(g.values.size(), false);
  std::vector<std::optional<Located>> views(g.values.size());  // of fixed values: which of them are views
  const auto is_fixed = [&](ValueId v, std::optional<Located> at) {
    f.fixed[index(v)] = at.has_value();
    views[index(v)] = std::move(at);
  };
  for (const Parameter& p : g.parameters) is_fixed(p.value, dense_at(-1, g.type(p.value)));
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    if (!f.alive[n]) continue;
    if (std::holds_alternative<Constant>(node.op)) {
      is_fixed(node.output, dense_at(-1, g.type(node.output)));
    } else if (moves_axes(node.op) && f.fixed[index(node.inputs[0])]) {
      is_fixed(node.output, view_of(node.op, *views[index(node.inputs[0])]));
    }
    for (ValueId v : node.inputs) f.readers[index(v)].push_back(static_cast<int>(n));
  }
  for (const NamedValue& o : g.outputs) f.kept[index(o.value)] = true;
  for (const NamedValue& t : g.taps) f.kept[index(t.value)] = true;

  const std::vector<bool> wants = precision == Precision::bf16 ? values_wanting_f32(g, f) : std::vector<bool>();
  for (std::size_t v = 0; v < g.values.size(); ++v) {
    DType type = g.values[v].type.dtype;
    if (type == DType::f32 && precision == Precision::bf16 && !wants[v]) type = DType::bf16;
    f.stored.push_back(type);
  }
  if (precision == Precision::bf16) {
    for (const NamedValue& o : g.outputs) store_product_as_f32(g, f, o.value);
  }
  return f;
}

bool is_view(const Graph& g, const Facts& f, const Node& node) {
  if (moves_axes(node.op)) return true;
  if (!std::holds_alternative<Cast>(node.op)) return false;
  const ValueId from = node.inputs[0];
  if (f.fixed[index(from)]) return false;
  // With Precision::bf16 a cast between f32 and bf16 finds both stored alike.
  return f.stored[index(from)] == f.stored[index(node.output)] && g.type(from).dtype != DType::boolean;
}

}  // namespace thimble::runtime
