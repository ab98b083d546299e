// The judge: a scalar interpreter in double precision. Slow and obvious; module ops run by their decomposition.
#pragma once

#include <memory>

#include "graph/executor.h"

namespace thimble::graph {

std::unique_ptr<Executor> make_reference_executor();

}  // namespace thimble::graph
