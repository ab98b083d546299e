// A model as the agent takes it: the text of its graph and its weights in one safetensors file, fixed to its shapes;
// and files of inputs and outputs. Written on the host, read on the device, so that a device needs no importer.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::gauge {

struct PackedModel {
  graph::Graph graph;
  graph::Weights weights;
  std::string sha256;  // of the foreign file that it was made from
};

void write_packed_model(const std::filesystem::path& path, const graph::Graph& graph, const graph::Weights& weights,
                        const std::string& sha256);
// bad_file when it is no such file or its weights do not fit its graph.
PackedModel read_packed_model(const std::filesystem::path& path);

// "input:NAME" for the graph's inputs, in their order.
void write_inputs(const std::filesystem::path& path, const graph::Graph& graph,
                  const std::vector<graph::Tensor>& inputs);
std::vector<graph::Tensor> read_inputs(const std::filesystem::path& path, const graph::Graph& graph);
// "output:NUMBER".
void write_outputs(const std::filesystem::path& path, const std::vector<graph::Tensor>& outputs);
std::vector<graph::Tensor> read_outputs(const std::filesystem::path& path);

}  // namespace thimble::gauge
