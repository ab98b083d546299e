// Runs a case on an executor and compares with the reference interpreter.
// Also holds the executor to its contract: inputs untouched, every output element written, no state between runs,
// bf16 buffers taken and given.
#pragma once

#include <string>
#include <vector>

#include "graph/executor.h"
#include "tests/conformance/case.h"

namespace thimble::conformance {

// A case made ready for one precision, so that many executors can be judged by one run of the reference.
// With Precision::bf16 inputs and weights are rounded to bf16 first: the error judged is the executor's own.
struct Trial {
  const Case* source;
  graph::Precision precision;
  graph::Graph graph;
  graph::Weights weights;
  std::vector<graph::Tensor> inputs;
  std::vector<graph::Tensor> wanted;  // f32, i32 or bool, as graph.outputs
};
Trial prepare(const Case& c, graph::Precision precision);

// Empty when the executor is right; else the case's name, seed, worst element and graph text.
std::string complaint(graph::Executor& executor, const Trial& trial);

}  // namespace thimble::conformance
