#include "formats/diffusers/embedding_file.h"

#include "base/error.h"
#include "formats/diffusers/weight_files.h"
#include "formats/safetensors/weights.h"

namespace thimble::formats {
namespace {

EmbeddingFile embedding_of(const SafetensorsFile& file) {
  EmbeddingFile embedding;
  for (const auto& [name, info] : file.tensors()) {
    const bool one = info.shape.size() == 1;
    if (!info.supported() || !is_float(info.dtype()) || info.shape.empty() || info.shape.size() > 2 ||
        info.shape.back() < 1 || (!one && (info.shape[0] < 1 || info.shape[0] > kMaxEmbeddingVectors))) {
      fail(ErrorKind::bad_file, "{} is no textual inversion: '{}' is {} {}, 1 to {} vectors were wanted", file.name(),
           name.substr(0, 120), info.stored_type(), graph::to_string(info.shape), kMaxEmbeddingVectors);
    }
    graph::Tensor t(graph::TensorType{DType::f32, {one ? 1 : info.shape[0], info.shape.back()}});
    convert(info.dtype(), info.data().data(), DType::f32, t.mutable_data(), static_cast<std::size_t>(info.elements()));
    embedding.vectors.push_back(std::move(t));
    if (name != "emb_params" && name != "clip_l" && name != "clip_g") embedding.token = name;
  }
  if (embedding.vectors.empty() || embedding.vectors.size() > 2) {
    fail(ErrorKind::bad_file, "{} is no textual inversion: it holds {} tensors, 1 or 2 were wanted", file.name(),
         embedding.vectors.size());
  }
  return embedding;
}

}  // namespace

EmbeddingFile read_embedding(const std::filesystem::path& path) {
  refuse_pickle(path);
  return embedding_of(SafetensorsFile::open(path));
}

EmbeddingFile parse_embedding(std::span<const std::byte> bytes, std::string name) {
  return embedding_of(SafetensorsFile::parse(bytes, std::move(name)));
}

}  // namespace thimble::formats
