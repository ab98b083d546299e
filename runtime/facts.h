// What the planner knows about a graph before it fuses or places anything: which nodes matter, which values are known
// when weights are bound, who reads what, and in which type values are kept between steps.
#pragma once

#include <vector>

#include "graph/executor.h"
#include "graph/graph.h"
#include "runtime/layout.h"

namespace thimble::runtime {

struct Facts {
  std::vector<bool> alive;                // by node: an output depends on it
  std::vector<bool> fixed;                // by value: a parameter, a constant, or a view of one (a pure one: no copy)
  std::vector<std::vector<int>> readers;  // by value: living nodes that read it, once per operand
  std::vector<bool> kept;                 // by value: an output or a tap, which must exist as it is
  // By value. Non-floating, bf16, f16 and f64 values as the graph says. f32 values as f32, or with Precision::bf16 as
  // bf16, except where every reader needs f32: attention masks, arguments of the sinusoidal embedding, of comparisons
  // and of casts to integers, and whatever element-wise or moving nodes lead to nothing but these; and except results
  // of linear and conv2d that are outputs of the graph and nothing else, reshaped or shuffled: their kernels write f32
  // at no cost.
  std::vector<DType> stored;

  int sole_reader(graph::ValueId v) const;  // the node that alone reads `v`; -1 if there are more, or it is kept
};

Facts gather_facts(const graph::Graph& graph, graph::Precision precision);

// Reshape, transpose, broadcast, slice, and casts that change nothing as stored.
bool is_view(const graph::Graph& graph, const Facts& facts, const graph::Node& node);

// The result of such an op on `x`, or nothing where a reshape needs a copy.
std::optional<Located> view_of(const graph::Op& op, const Located& x);

}  // namespace thimble::runtime
