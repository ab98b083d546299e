// Target: LoRA files and textual inversions. A third reader of the same bytes is asked for the updates of a made-up
// part.
#include "formats/diffusers/embedding_file.h"
#include "formats/diffusers/lora.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

using formats::plan_safetensors;

std::vector<std::string> seeds() {
  const std::string q = "unet.mid_block.attentions.0.proj_in", k = "lora_unet_input_blocks_4_1_proj_in";
  const auto peft =
      plan_safetensors({{q + ".lora_A.weight", DType::f32, {2, 3}}, {q + ".lora_B.weight", DType::f32, {4, 2}}},
                       {{"lora_adapter_metadata", R"({"unet.lora_alpha": 4, "unet.r": 2})"}});
  const auto kohya = plan_safetensors({{k + ".lora_down.weight", DType::f16, {2, 3}},
                                       {k + ".lora_up.weight", DType::f16, {4, 2}},
                                       {k + ".alpha", DType::f32, {}}},
                                      {});
  const auto word = plan_safetensors({{"<word>", DType::f32, {2, 4}}}, {});
  const auto filled = [](const formats::SafetensorsLayout& layout, std::size_t bytes) {
    return layout.header + std::string(bytes, '\x3f');
  };
  return {filled(peft, 24 + 32), filled(kohya, 12 + 16 + 4), filled(word, 32)};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const auto bytes = fuzz::bytes_of(fuzz::text_of(data, size));
  fuzz::survives([&] {
    for (const graph::Tensor& t : formats::parse_embedding(bytes, "input").vectors) {
      fuzz::touch({t.data(), t.type().bytes()});
    }
  });
  return fuzz::survives([&] {
    auto lora = formats::LoraFile::parse(bytes, "input");
    const std::vector<std::string> parameters{"mid_block.attentions.0.proj_in.weight",
                                              "down_blocks.1.attentions.0.proj_in.weight"};
    for (const formats::LoraUpdate& u : lora.updates("unet", true, parameters)) {
      fuzz::touch({u.down.data(), u.down.type().bytes()});
      fuzz::touch({u.up.data(), u.up.type().bytes()});
    }
    fuzz::require(lora.left().size() <= lora.pairs());
  });
}
