#include "formats/diffusers/lazy_checkpoint.h"

#include "formats/diffusers/tiny_pair.h"
#include "formats/gguf/gguf.h"

namespace thimble::formats {

OpenCheckpoint OpenCheckpoint::open(const std::filesystem::path& path) {
  OpenCheckpoint opened;
  const auto add = [&](const SafetensorsFile& file, const std::string& prefix) {
    for (const auto& [name, info] : file.tensors()) opened.tensors_.insert_or_assign(prefix + name, info);
    opened.files_.push_back(file.file());
  };
  if (const auto pair = std::filesystem::is_directory(path) ? find_tiny_pair(path) : std::nullopt) {
    add(SafetensorsFile::open(pair->encoder), "encoder.");
    add(SafetensorsFile::open(pair->decoder), "decoder.");
    return opened;
  }
  if (path.extension() != ".json" && is_gguf(MappedFile::open(path)->bytes())) {
    const GgufFile file = GgufFile::open(path);
    opened.tensors_ = file.tensors();
    opened.files_.push_back(file.file());
    return opened;
  }
  const SafetensorsCheckpoint checkpoint = SafetensorsCheckpoint::open(path);
  opened.tensors_ = checkpoint.tensors();
  for (const SafetensorsFile& file : checkpoint.files()) opened.files_.push_back(file.file());
  return opened;
}

}  // namespace thimble::formats
