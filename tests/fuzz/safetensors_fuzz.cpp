// Target: the safetensors reader.
#include "formats/safetensors/safetensors.h"
#include "tests/fuzz/target.h"

namespace thimble::fuzz {

using formats::plan_safetensors;

std::vector<std::string> seeds() {
  const auto small = plan_safetensors({{"a.weight", DType::f32, {2, 3}}, {"b", DType::u8, {5}}}, {{"format", "pt"}});
  const auto scalar = plan_safetensors({{"n", DType::i64, {}}, {"none", DType::bf16, {0, 4}}}, {});
  std::string foreign = R"({"q":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]}})";
  foreign.insert(0, std::string{static_cast<char>(foreign.size()), 0, 0, 0, 0, 0, 0, 0});
  return {small.header + std::string(29, 'x'), scalar.header + std::string(8, 'y'), plan_safetensors({}, {}).header,
          foreign + "1234"};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  return fuzz::survives([&] {
    const auto file = formats::SafetensorsFile::parse(fuzz::bytes_of(fuzz::text_of(data, size)), "input");
    for (const auto& [name, tensor] : file.tensors()) {
      if (!tensor.supported()) continue;
      fuzz::require(tensor.data().size() == static_cast<std::size_t>(tensor.elements()) * size_of(tensor.dtype()));
      fuzz::touch(tensor.data());
    }
  });
}
