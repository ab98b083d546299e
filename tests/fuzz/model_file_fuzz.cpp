// Target: Thimble's model file. The header is JSON inside JSON, which mutations of a whole file rarely reach: an input
// that is no safetensors file is taken as the header's text.
#include "formats/thimble/model_file.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {
namespace {

constexpr const char* kHeader =
    R"({"format_version":1,"name":"tiny","licence":"Apache-2.0","description":"d","parts":{"denoiser":{"config":)"
    R"({"type":"dit","width":64},"passes":[{"name":"p","options":{"n":[1,2.5]}}]},"text":{"config":{"type":"t"}}},)"
    R"("pipeline":{"size":256},"tokenizer":{"type":"byte_bpe","merges":[5,6]},"training":{"steps":1000}})";

std::string file_of(const std::string& header) {
  return formats::plan_safetensors({{"denoiser.w", DType::bf16, {2, 2}}, {"text.e", DType::f32, {1}}},
                                   {{formats::kModelMetadataKey, header}})
             .header +
         std::string(12, 'x');
}

void walk(const formats::ModelFile& model) {
  touch(bytes_of(model.name() + model.licence()));
  for (const std::string& part : model.parts()) {
    require(model.config(part)["type"].is_string());
    for (const auto& pass : model.passes(part)) require(pass["name"].is_string());
    for (const auto& [name, tensor] : model.tensors(part)) {
      require(tensor.shape == model.tensor(part, name).shape);
      if (tensor.supported()) touch(tensor.data());
    }
  }
}

}  // namespace

std::vector<std::string> seeds() { return {kHeader, file_of(kHeader)}; }

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const std::string_view input = fuzz::text_of(data, size);
  return fuzz::survives([&] {
    const std::string wrapped = input.starts_with('{') ? fuzz::file_of(std::string(input)) : std::string(input);
    fuzz::walk(formats::ModelFile::parse(fuzz::bytes_of(wrapped), "input"));
  });
}
