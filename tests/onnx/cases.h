// Graphs to be exported, with inputs and what the reference interpreter makes of them: the conformance list, and the
// small networks of every published family (tests/zoo).
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::onnx_cases {

struct Example {
  std::string name;
  graph::Graph graph;
  graph::Weights weights;
  std::vector<graph::Tensor> inputs, wanted;  // as graph.inputs and graph.outputs; floats f32
  double tolerance = 0;                       // of f32, as tests/conformance/case.h counts it
};

std::vector<Example> conformance_examples();
// From files of the working directory; empty where there are none.
std::vector<Example> network_examples();

// Largest |a - b| / max(|b|, rms(b)), as the conformance list counts it; infinity where one is no number.
double relative_error(const graph::Tensor& got, const graph::Tensor& wanted);

}  // namespace thimble::onnx_cases
