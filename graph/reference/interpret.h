// One overload per core op: the values of its result, of type `out`, from the values of its inputs.
// Straight from the comments of graph/ops/*.h, with no thought of speed.
#pragma once

#include <span>

#include "graph/op.h"
#include "graph/reference/array.h"

namespace thimble::graph::reference {

// Borrowed, so that weights are not copied.
using Arrays = std::span<const Array* const>;

#define CORE(type, name) Array interpret(const type& op, Arrays in, const TensorType& out);
#define MODULE(type, name)
#include "graph/ops.inc"
#undef CORE
#undef MODULE

}  // namespace thimble::graph::reference
