// Functions of PlainStep: the element-wise ops and casts in double, for the types that no kernel serves.
#pragma once

#include "graph/ops/elementwise.h"

namespace thimble::runtime {

double (*plain_function(graph::UnaryKind kind))(double, double);
double (*plain_function(graph::BinaryKind kind))(double, double);
double plain_copy(double x, double);

}  // namespace thimble::runtime
