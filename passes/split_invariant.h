// Splits a graph into what depends on some inputs alone and the rest, so that a sampler computes the part that only
// knows the prompt (keys and values of its text, say) once and the rest at every step.
// Preserves: the function; both parts run the same ops on the same values. Executors that store every value in the
// program's precision give the same bits (the device executor does); the reference interpreter keeps doubles inside a
// graph, so there what is handed over is rounded to f32 once.
#pragma once

#include <set>
#include <string>

#include "graph/graph.h"

namespace thimble::passes {

struct Split {
  graph::Graph once;  // inputs: those of the named ones that it reads; outputs "once.0", "once.1", ...
  graph::Graph rest;  // inputs: what is left of the original's, then "once.0", ...; outputs and taps: the original's
};

// Nodes that read, directly or not, at least one of `invariant_inputs` and no other input go to `once`; so do nodes
// made of parameters and constants that only such nodes need. Parameters keep their names in both parts. When nothing
// can be split off, `once` has no nodes and no outputs and `rest` is the original; such a `once` is not to be compiled.
// Moves and views (reshape, slice, transpose, broadcast) at the border stay in `rest`: a value is handed over once and
// cut up there. Errors: bad_input when a name is not an input of the graph.
Split split_invariant(const graph::Graph& graph, const std::set<std::string>& invariant_inputs);

}  // namespace thimble::passes
