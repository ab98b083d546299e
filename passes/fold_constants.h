// Evaluates nodes that depend on constants alone and puts constants in their place.
// Preserves: the function, exactly: a folded value is what the reference executor computes for it, in its dtype.
#pragma once

#include "graph/graph.h"

namespace thimble::passes {

// Values of more than `largest` elements (at most 4096, the limit of a constant) stay as they are.
graph::Graph fold_constants(const graph::Graph& graph, std::int64_t largest = 4096);

}  // namespace thimble::passes
