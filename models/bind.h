// Weights of a published checkpoint as a graph's parameters. Names are the checkpoint's and so are shapes, but that
// some matrices are stored as 1x1 convolutions. Not here: reading files (formats/), other programs' names for the same
// tensors (formats/diffusers).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::models {

// Every parameter of `graph`, taken from `stored` by name; bytes are shared. bad_file, naming `what` and the tensor,
// when one is missing (with the nearest name that is there) or has another shape. Tensors that no parameter takes are
// left out; unused_names() lists them.
graph::Weights bind_checkpoint(const graph::Graph& graph, const graph::Weights& stored, std::string_view what);

// Names of `stored` that are no parameter of `graph`, sorted.
std::vector<std::string> unused_names(const graph::Graph& graph, const graph::Weights& stored);

}  // namespace thimble::models
