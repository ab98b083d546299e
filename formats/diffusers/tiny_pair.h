// TAESD as its author publishes it: "<name>_encoder.safetensors" and "<name>_decoder.safetensors" side by side, each a
// row of numbered layers, and no config: what differs between the published ones follows from the tensors.
#pragma once

#include <filesystem>
#include <optional>

#include "formats/diffusers/model_dir.h"

namespace thimble::formats {

struct TinyPair {
  std::filesystem::path encoder, decoder;
};
// The one pair of a folder; none when there is none or more than one.
std::optional<TinyPair> find_tiny_pair(const std::filesystem::path& directory);

// bad_file when the tensors are not TAESD's.
DiffusersPart open_tiny_pair(const std::filesystem::path& directory);

}  // namespace thimble::formats
