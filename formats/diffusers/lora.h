// LoRA files: low-rank changes of a published model's matrices (Hu et al. 2021), W + scale * alpha / rank * up * down,
// in the names of diffusers and peft ("unet.….to_q.lora_A.weight"), of early diffusers ("….processor.to_q_lora.down.
// weight") and of kohya's scripts ("lora_unet_…_to_q.lora_down.weight", also with the original names of Stable
// Diffusion's blocks). Not here: adding them to weights (diffusion/published/adapters.h) or to a graph
// (passes/lora_branch.h); other kinds of changes (LoHa, LoKr, DoRA, three factors) are refused by name.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "formats/safetensors/safetensors.h"
#include "graph/tensor.h"

namespace thimble::formats {

struct LoraUpdate {
  std::string parameter;   // "down_blocks.0.….to_q.weight"
  graph::Tensor down, up;  // (rank, inputs ...) and (outputs, rank ...), as stored
  double factor = 1;       // alpha / rank
};

class LoraFile {
 public:
  // bad_file for a damaged file, one that holds no LoRA, or a pair without its other half; unsupported, naming the
  // tensor, for other kinds of changes and for pickles.
  static LoraFile open(const std::filesystem::path& path);
  static LoraFile parse(std::span<const std::byte> bytes, std::string name);  // the caller keeps `bytes` alive

  // The updates of one part that has these parameters ("….weight"). `denoiser`: whether the part is what the file calls
  // unet or transformer. Shapes are not compared.
  std::vector<LoraUpdate> updates(std::string_view part, bool denoiser, const std::vector<std::string>& parameters);

  std::size_t pairs() const { return pairs_.size(); }
  std::vector<std::string> left() const;  // pairs that no part has taken so far, as the file names them

 private:
  struct Pair {
    std::string owner, flat;  // "denoiser", "text_encoder" ...; the layer's name with _ for every dot
    const TensorInfo* down = nullptr;
    const TensorInfo* up = nullptr;
    double alpha = 0;  // 0: the rank
    bool taken = false;
  };
  static LoraFile read(SafetensorsFile file);
  std::shared_ptr<const SafetensorsFile> file_;
  std::map<std::string, Pair> pairs_;  // by the file's name for the layer
};

}  // namespace thimble::formats
