// The list itself: that it leaves nothing out, and that every case survives printing, reading and decomposition.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "graph/decompose.h"
#include "graph/reference.h"
#include "graph/text.h"
#include "tests/conformance/judge.h"

namespace thimble::conformance {
namespace {

using graph::Graph;
using graph::Node;

// Calls f with each node's op of type T, over all cases.
template <class T, class F>
void each(F&& f) {
  for (const Case& c : all_cases()) {
    const Graph g = c.graph();
    for (const Node& n : g.nodes) {
      if (const T* op = std::get_if<T>(&n.op)) f(*op, g, n);
    }
  }
}

// Every enumerator up to the last is used.
template <class Kind>
void expect_all(const std::set<Kind>& seen, Kind last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    EXPECT_TRUE(seen.contains(static_cast<Kind>(i))) << "no case has '" << to_string(static_cast<Kind>(i)) << "'";
  }
}

TEST(List, NamesAreUnique) {
  std::set<std::string> names;
  for (const Case& c : all_cases()) EXPECT_TRUE(names.insert(c.name).second) << c.name;
  EXPECT_GE(names.size(), 120u);
}

TEST(List, EveryOpHasACase) {
  std::set<std::string_view> seen;
  for (const Case& c : all_cases()) {
    for (const Node& n : c.graph().nodes) seen.insert(op_name(n.op));
  }
#define CORE(type, name) EXPECT_TRUE(seen.contains(name)) << "no case has the op " << name;
#define MODULE(type, name) CORE(type, name)
#include "graph/ops.inc"
#undef CORE
#undef MODULE
}

TEST(List, EveryKindHasACase) {
  std::set<graph::UnaryKind> unary;
  std::set<graph::BinaryKind> binary;
  std::set<graph::ReduceKind> reduce;
  std::set<graph::PoolKind> pool;
  std::set<graph::ResizeMode> resize;
  std::set<graph::ResizeGrid> grid;
  each<graph::Unary>([&](const auto& op, auto&, auto&) { unary.insert(op.kind); });
  each<graph::Binary>([&](const auto& op, auto&, auto&) { binary.insert(op.kind); });
  each<graph::Reduce>([&](const auto& op, auto&, auto&) { reduce.insert(op.kind); });
  each<graph::Pool2d>([&](const auto& op, auto&, auto&) { pool.insert(op.kind); });
  each<graph::Resize>([&](const auto& op, auto&, auto&) { resize.insert(op.mode); });
  each<graph::Resize>([&](const auto& op, auto&, auto&) { grid.insert(op.grid); });
  expect_all(unary, graph::UnaryKind::logical_not);
  expect_all(binary, graph::BinaryKind::greater);
  expect_all(reduce, graph::ReduceKind::prod);
  expect_all(pool, graph::PoolKind::average);
  expect_all(resize, graph::ResizeMode::bilinear);
  expect_all(grid, graph::ResizeGrid::asymmetric);
}

TEST(List, EveryOptionalInputComesAndIsLeftOut) {
  std::set<std::pair<std::string_view, std::size_t>> seen;
  for (const Case& c : all_cases()) {
    for (const Node& n : c.graph().nodes) seen.insert({op_name(n.op), n.inputs.size()});
  }
  for (auto [op, count] : {std::pair<std::string_view, std::size_t>{"linear", 2},
                           {"linear", 3},
                           {"conv2d", 2},
                           {"conv2d", 3},
                           {"layer_norm", 1},
                           {"layer_norm", 2},
                           {"layer_norm", 3},
                           {"rms_norm", 1},
                           {"rms_norm", 2},
                           {"attention", 3},
                           {"attention", 4},
                           {"attention_map", 2},
                           {"attention_map", 3},
                           {"quant_linear", 3},
                           {"quant_linear", 4}}) {
    EXPECT_TRUE(seen.contains({op, count})) << op << " with " << count << " inputs";
  }
}

TEST(List, EveryCaseSurvivesItsText) {
  for (const Case& c : all_cases()) {
    for (const Graph& g : {c.graph(), graph::decompose(c.graph())}) {
      const std::string text = graph::print_graph(g);
      const Graph back = graph::parse_graph(text);
      EXPECT_EQ(graph::print_graph(back), text) << c.name;
      EXPECT_EQ(back.nodes.size(), g.nodes.size()) << c.name;
    }
  }
}

TEST(List, DecompositionLeavesCoreOpsAndTheInterface) {
  for (const Case& c : all_cases()) {
    const Graph g = c.graph(), core = graph::decompose(g);
    for (const Node& n : core.nodes) {
      const bool is_core = std::visit([]<class T>(const T&) { return graph::OpTraits<T>::kCore; }, n.op);
      EXPECT_TRUE(is_core) << c.name << ": " << op_name(n.op);
    }
    const auto names = [](const Graph& x) {
      std::vector<std::string> out;
      for (auto id : x.inputs) out.push_back(x.value(id).name + to_string(x.type(id)));
      for (auto& p : x.parameters) out.push_back(x.value(p.value).name + to_string(x.type(p.value)));
      for (auto& o : x.outputs) out.push_back(o.name + to_string(x.type(o.value)));
      for (auto& t : x.taps) out.push_back(t.name + to_string(x.type(t.value)));
      return out;
    };
    EXPECT_EQ(names(core), names(g)) << c.name;
  }
}

// The reference keeps its contract, and its results are numbers.
TEST(List, ReferenceConforms) {
  const auto reference = graph::make_reference_executor();
  for (const Case& c : all_cases()) {
    for (auto precision : {graph::Precision::f32, graph::Precision::bf16}) {
      const Trial trial = prepare(c, precision);
      const std::string wrong = complaint(*reference, trial);
      EXPECT_TRUE(wrong.empty()) << wrong;
      for (const graph::Tensor& t : trial.wanted) {
        if (!is_float(t.type().dtype) || c.name == "pad_lowest") continue;
        for (float v : t.as<float>()) ASSERT_TRUE(std::isfinite(v)) << c.name;
      }
    }
  }
}

}  // namespace
}  // namespace thimble::conformance
