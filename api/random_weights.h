// Weights of a true size without a file: for timing networks whose checkpoints are not at hand. Numbers are drawn once
// for each scale that a network's parameters start with, in the type they would be stored in, and every parameter is a
// window of them. So a network of 10 GB is there at once and takes the memory of its largest tensors; what is packed
// from it has its full size. Not for training, nor for anything that looks at the numbers: windows overlap.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::api {

class RandomWeights {
 public:
  explicit RandomWeights(DType stored, std::uint64_t seed = 1) : stored_(stored), seed_(seed) {}

  // Every parameter, starting as the graph says; floats in the stored type, quantised weights and their scales
  // in their own.
  graph::Weights draw(const graph::Graph& graph);

 private:
  using Kind = std::pair<DType, std::pair<int, double>>;  // the type, the kind of Init, its scale
  DType stored_;
  std::uint64_t seed_;
  std::map<Kind, graph::Tensor> pools_;
};

}  // namespace thimble::api
