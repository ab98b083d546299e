// Names behind the field numbers of Core ML's messages, and where layers keep their weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace thimble::gauge {

std::string coreml_model_kind(std::uint32_t field);       // "treeEnsembleClassifier"; "model 999"
std::string coreml_layer_kind(std::uint32_t field);       // "convolution"; "layer 9999"
std::string coreml_activation_kind(std::uint32_t field);  // "ReLU"

struct CoremlWeights {
  std::vector<std::uint32_t> path;  // field numbers inside the layer's message
  std::string name;
};
std::span<const CoremlWeights> coreml_weights(std::uint32_t layer);

}  // namespace thimble::gauge
