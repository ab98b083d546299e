// The text form of graphs, printed and read back, stable in order. Tests compare it, bug reports paste it.
//
//   graph "mlp" {
//     input %x: f32[1,64]
//     param @ffn.fc1.weight: f32[256,64] normal 0.125
//     %2 = linear(%x, @ffn.fc1.weight, @ffn.fc1.bias) : f32[1,256]
//     %3 = unary(%2) {kind=gelu} : f32[1,256]
//     output "y" = %3
//   }
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"

namespace thimble::graph {

std::string print_graph(const Graph& graph);

// Throws bad_file with the line number: unknown op, undefined value, wrong shape, cycle (a use before the
// definition), too many values. The result is verified.
Graph parse_graph(std::string_view text);

}  // namespace thimble::graph
