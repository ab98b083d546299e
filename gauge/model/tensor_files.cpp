// Reads files that hold tensors and no network: GGUF and safetensors, through the readers of formats/.
#include "base/json.h"
#include "formats/gguf/gguf.h"
#include "formats/safetensors/safetensors.h"
#include "gauge/model/readers.h"

namespace thimble::gauge {
namespace {

// Names that live as long as the program, as ElementType wants them; unknown ones are all called "other".
ElementType stored_element(const std::string& word) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"F32", "f32"},        {"F16", "f16"},   {"BF16", "bf16"}, {"F64", "f64"},   {"I8", "i8"},
      {"U8", "u8"},          {"I16", "i16"},   {"U16", "u16"},   {"I32", "i32"},   {"U32", "u32"},
      {"I64", "i64"},        {"U64", "u64"},   {"BOOL", "bool"}, {"Q4_0", "q4_0"}, {"Q4_1", "q4_1"},
      {"Q5_0", "q5_0"},      {"Q5_1", "q5_1"}, {"Q8_0", "q8_0"}, {"Q2_K", "q2_k"}, {"Q3_K", "q3_k"},
      {"Q4_K", "q4_k"},      {"Q5_K", "q5_k"}, {"Q6_K", "q6_k"}, {"Q8_K", "q8_k"}, {"F8_E4M3", "f8_e4m3"},
      {"F8_E5M2", "f8_e5m2"}};
  for (const auto& [from, to] : kNames) {
    if (word == from) return element_type(to);
  }
  return {"other", 0, {}};
}

void add_tensors(Model& model, const formats::TensorMap& tensors) {
  GraphBuilder b(model.graphs.emplace_back());
  for (const auto& [name, t] : tensors) {
    b.add(constant_tensor(name, stored_element(t.stored_type()), t.shape, t.stored_bytes()));
  }
  if (tensors.empty()) fail(ErrorKind::bad_file, "the file has no tensors");
  model.remarks.push_back("tensors alone: the layers are in a program's code");
}

}  // namespace

Model read_gguf(const ModelSource& source) {
  Model model = start_model("gguf", source);
  const auto file = formats::GgufFile::parse(source.bytes, "GGUF");
  if (source.bytes.size() >= 8) model.version = load<std::uint32_t>(source.bytes, 4);
  const auto& pairs = file.metadata();
  for (const auto& [key, value] : pairs) model.metadata.push_back(key);
  for (const char* key : {"general.name", "general.architecture"}) {
    if (const auto it = pairs.find(key); it != pairs.end() && it->second.is_string() && model.producer.empty()) {
      model.producer = it->second.get<std::string>();
    }
  }
  add_tensors(model, file.tensors());
  return model;
}

Model read_safetensors(const ModelSource& source) {
  Model model = start_model("safetensors", source);
  const auto file = formats::SafetensorsFile::parse(source.bytes, "safetensors");
  for (const auto& [key, value] : file.metadata()) model.metadata.push_back(key);
  add_tensors(model, file.tensors());
  return model;
}

}  // namespace thimble::gauge
