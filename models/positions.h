// Fixed positions of latent grids: sines and cosines of row and column, made while the graph is built. Checkpoints that
// carry such a table (SD3's "pos_embed.pos_embed") carry the same numbers.
// Not here: rotary positions (rope.h).
#pragma once

#include <vector>

#include "graph/builder.h"

namespace thimble::models {

// A constant of any size, f32: joined along axis 0 from pieces that the graph's constants can hold.
graph::Var table(graph::Builder& b, graph::Shape shape, const std::vector<double>& values);

// Positions first, first + 1, ... of a side of `whole` patches, measured so that the side always spans `base` /
// `scale`. In f32, as the originals compute them.
std::vector<float> grid_positions(int first, int count, int whole, int base, double scale);

// x (B, rows, columns, D), D a multiple of 4: the first half of the channels gets [sin | cos] of the column's position
// times 10000^(-i / (D/4)), the second half those of the row's.
graph::Var add_grid_positions(graph::Var x, const std::vector<float>& rows, const std::vector<float>& columns);

}  // namespace thimble::models
