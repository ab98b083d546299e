// The published network classes that Thimble builds from the config.json beside their weights, by the class name that
// the file carries. One row per class; adding a family adds rows here and files beside this one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/json.h"
#include "graph/graph.h"

namespace thimble::models {

enum class Role : std::uint8_t { denoiser, text, encoder, decoder };
std::string_view to_string(Role role);

// What a graph is built for. Denoisers: latent cells; encoders: picture pixels; decoders: latent cells.
struct BuildSize {
  int batch = 1;
  int height = 0, width = 0;
  int tokens = 0;  // of the prompt; text encoders and denoisers that read text
};

struct NetworkClass {
  std::string_view name;  // "UNet2DConditionModel"
  Role role;
  graph::Graph (*build)(const Json& config, const BuildSize& size);
};
std::span<const NetworkClass> network_classes();        // all of the three below
std::span<const NetworkClass> convolutional_classes();  // classes_conv.cpp: UNets and autoencoders
std::span<const NetworkClass> transformer_classes();    // classes_transformer.cpp: diffusion transformers
std::span<const NetworkClass> text_classes();           // classes_text.cpp

// `unsupported`, naming the classes there are, when none fits.
graph::Graph build_network(std::string_view class_name, Role role, const Json& config, const BuildSize& size);

}  // namespace thimble::models
