// Target: the JSON of diffusers directories (model_index.json, the index of shards) and the original names in single
// files. An input that begins with 'n' is a list of tensor names, one a line.
#include <algorithm>

#include "formats/diffusers/single_file.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {
namespace {

constexpr const char* kIndex =
    R"({"_class_name":"StableDiffusionPipeline","requires_safety_checker":false,"safety_checker":[null,null],)"
    R"("scheduler":["diffusers","PNDMScheduler"],"tokenizer":["transformers","CLIPTokenizer"],)"
    R"("unet":["diffusers","UNet2DConditionModel"],"vae":["diffusers","AutoencoderKL"]})";
constexpr const char* kShards =
    R"({"metadata":{"total_size":8},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})";
constexpr const char* kNames =
    "n\nmodel.diffusion_model.input_blocks.3.0.op.weight\nmodel.diffusion_model.output_blocks.2.1.conv.bias\n"
    "model.diffusion_model.middle_block.2.in_layers.0.bias\nfirst_stage_model.decoder.up.2.block.1.nin_shortcut.bias\n"
    "first_stage_model.encoder.mid.attn_1.proj_out.weight\ncond_stage_model.transformer.embeddings.position_ids\n"
    "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight\n"
    "encoder.mid_block.attentions.0.query.weight\n";

void read_names(std::string_view text) {
  formats::TensorMap stored;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string name(text.substr(0, end));
    stored.try_emplace(name, name, "F32", std::vector<std::int64_t>{0, 3}, std::span<const std::byte>());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  for (const formats::Naming naming :
       {formats::original_unet_names, formats::original_vae_names, formats::original_clip_names,
        formats::original_bigg_names, formats::find_network("AutoencoderKL")->naming}) {
    for (const auto& [today, from] : naming(stored)) require(stored.contains(from.name));
  }
}

}  // namespace

std::vector<std::string> seeds() { return {kIndex, kShards, kNames}; }

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const std::string_view input = fuzz::text_of(data, size);
  return fuzz::survives([&] {
    if (input.starts_with('n')) return fuzz::read_names(input);
    if (input.find("weight_map") != std::string_view::npos) {
      for (const auto& [tensor, file] : formats::parse_safetensors_index(input, "input")) {
        fuzz::require(!file.empty() && file.find('/') == std::string::npos && file != "..");
      }
      return;
    }
    const formats::ModelIndex index = formats::parse_model_index(input, "input");
    fuzz::require(!index.networks.empty());
    for (const auto& entry : index.networks) fuzz::require(entry.name.find_first_of("/.\\") == std::string::npos);
  });
}
