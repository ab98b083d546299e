// What a graph costs: floating-point operations, parameters and bytes, per node and in all.
// Not here: what a plan needs in memory (graph/executor.h MemoryReport).
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace thimble::graph {

struct NodeCost {
  double flops = 0;             // a multiply-add counts 2
  std::int64_t parameters = 0;  // elements read by this node
  double activation_bytes = 0;  // read and written, at 4 bytes a float
};

struct GraphCost {
  std::vector<NodeCost> nodes;  // as graph.nodes
  double flops = 0;
  std::int64_t parameters = 0;
};

GraphCost cost(const Graph& graph);

}  // namespace thimble::graph
