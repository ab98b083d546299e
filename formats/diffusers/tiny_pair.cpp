#include "formats/diffusers/tiny_pair.h"

#include "base/error.h"

namespace thimble::formats {

namespace fs = std::filesystem;

std::optional<TinyPair> find_tiny_pair(const fs::path& directory) {
  static constexpr std::string_view kEncoder = "_encoder.safetensors", kDecoder = "_decoder.safetensors";
  std::optional<TinyPair> pair;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(kEncoder)) continue;
    const fs::path decoder = directory / (name.substr(0, name.size() - kEncoder.size()) + std::string(kDecoder));
    if (!fs::exists(decoder)) continue;
    if (pair) return std::nullopt;
    pair = TinyPair{entry.path(), decoder};
  }
  return pair;
}

DiffusersPart open_tiny_pair(const fs::path& directory) {
  const auto checkpoint = std::make_shared<LazyCheckpoint>(directory);
  const TensorMap& tensors = checkpoint->get()->tensors();
  const auto first = tensors.find("decoder.1.weight");
  if (first == tensors.end() || first->second.shape.size() != 4) {
    fail(ErrorKind::bad_file, "{}: these are not the two files of a TAESD: the decoder has no filter '1.weight'",
         directory.string());
  }
  bool pooled = false;
  for (const auto& [name, info] : tensors) pooled = pooled || name.find(".pool.") != std::string::npos;
  const Json config{{"_class_name", "AutoencoderTiny"},
                    {"latent_channels", first->second.shape[1]},
                    {"use_midblock_gn", pooled},
                    {"scaling_factor", 1.0}};
  const fs::path named = directory.has_filename() ? directory : directory.parent_path();
  return {named.filename().string(), "AutoencoderTiny", config, checkpoint, find_network("AutoencoderTiny")->naming};
}

}  // namespace thimble::formats
