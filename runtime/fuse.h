// Groups nodes into units, each of which becomes one step (or a few): bias, activation, gate and residual go into the
// pass of a matrix product or convolution, modulation and activation into that of a norm. Fusions are rows of a table
// in fuse.cpp; a value that is an output, a tap, or read elsewhere is never fused away.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "runtime/facts.h"

namespace thimble::runtime {

struct Unit {
  int node = -1;               // the op that gives the step its kernel
  std::vector<int> nodes;      // all that it computes, `node` included
  graph::ValueId output = -1;  // of the last of them
  int position = 0;            // where it runs: the node index of its last op, or of the first of merged ones
  std::string name;            // "linear+gate+residual"

  // Linear, MatMul by fixed weights, Conv2d:
  graph::ValueId x = -1;  // input 0, or the picture before a fused doubling
  bool upsample = false;
  std::int64_t shuffle = 0;  // factor of a pixel shuffle that follows; the channels are made in its order
  graph::ValueId bias = -1;
  std::optional<graph::UnaryKind> activation;  // norms too
  graph::ValueId slope = -1;                   // of values below zero: max(x, 0) + slope * min(x, 0)
  std::optional<double> most;                  // min(x, most), behind the activation
  bool act_last = false;                       // these follow gate and residual
  graph::ValueId gate = -1, residual = -1;
  std::vector<int> merged;  // linears of one input run as one product; their outputs are slices of its result
  // LayerNorm, RmsNorm:
  graph::ValueId shift = -1, scale = -1;

  std::vector<graph::ValueId> reads(const graph::Graph& graph) const;  // with repetitions
};

// In the order in which they run. Views and fixed values make no units.
std::vector<Unit> fuse(const graph::Graph& graph, const Facts& facts);

// A MatMul whose second operand is one fixed matrix: runs as a linear layer.
bool is_linear_matmul(const graph::Graph& graph, const Facts& facts, const graph::Node& node);

}  // namespace thimble::runtime
