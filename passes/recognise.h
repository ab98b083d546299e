// Puts ops that runtimes serve well in the place of what importers of foreign models leave behind:
//   -relu(-x)                                       min(x, 0), the half of a PReLU that fuses into a convolution
//   x clamp(x + 3, 0, 6) / 6, however it is written  hard_swish(x)
//   e / sum(e) with e = exp(x - max(x))             softmax(x)
//   a convolution of few output channels            one of as many pixels side by side as make up 16 channels: kernels
//                                                   compute 16 at a time, whether they are wanted or not
// Preserves: the function, within rounding. What a graph costs by counting operations grows by the last.
#pragma once

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::passes {

// `weights` gains the recipes of new parameters, "<name>.side_by_side".
graph::Graph recognise(const graph::Graph& graph, graph::Weights& weights);

}  // namespace thimble::passes
