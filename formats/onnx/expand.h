// The few nodes that ONNX has no operators for become core ops before they are written: products by quantised weights
// that the graph computes. Names of inputs, parameters and outputs stay.
#pragma once

#include "graph/graph.h"

namespace thimble::formats {

bool needs_expansion(const graph::Graph& graph);
graph::Graph expand_for_onnx(const graph::Graph& graph);

}  // namespace thimble::formats
