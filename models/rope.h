// Rotary positions of image and text tokens in joint attention (Su et al. 2021; several axes as in FLUX.1).
// Built from core ops; angles are worked out in f64 while the graph is built.
#pragma once

#include <vector>

#include "graph/builder.h"

namespace thimble::models {

struct RotaryTables {
  graph::Var cosine, sine;  // (T, 1, D/2)
};

// Positions of `text` tokens, all (0, 0, 0), then of rows x columns cells, (0, row, column). `axes`: channels of a head
// for each of the three, even, summing to D. Frequencies theta^(-2i / axis).
RotaryTables rotary_tables(graph::Builder& b, std::int64_t text, std::int64_t rows, std::int64_t columns,
                           const std::vector<int>& axes, double theta = 10000);

// x (B, T, heads, D): channels 2i and 2i+1 are turned by angle i. The result holds all first members of the pairs, then
// all second ones; queries and keys alike, their products are those of the interleaved order.
graph::Var rotate(graph::Var x, const RotaryTables& tables);

}  // namespace thimble::models
