// Rewrites module ops into core ops. Keeps names of inputs, parameters, outputs and taps.
// Preserves: the function, exactly in real arithmetic.
#pragma once

#include "graph/graph.h"

namespace thimble::graph {

Graph decompose(const Graph& graph);

}  // namespace thimble::graph
