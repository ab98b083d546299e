// GGUF, the container of ggml's programs, version 2 and 3, little endian: bounded reader over a memory map, and a
// streaming writer. Shapes are row-major here, as in the checkpoint the tensors came from (the file lists them the
// other way round). Quantised tensors keep their bytes until blocks.h expands them. Not here: what tensors are called
// (formats/diffusers).
//
//   const auto file = GgufFile::open("model.gguf");
//   const TensorInfo& w = file.tensors().at("proj.weight");   // w.stored_type(): "F16", "Q4_K"
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "formats/safetensors/safetensors.h"

namespace thimble::formats {

class GgufFile {
 public:
  // `io` (no such file), bad_file (one line that names file, entry and violation), unsupported (version 1, big endian).
  // Tensors of a type that is not known are there under its number ("ggml type 16") and fail when they are read.
  static GgufFile open(const std::filesystem::path& path);
  static GgufFile parse(std::span<const std::byte> bytes, std::string name);  // the caller keeps `bytes` alive

  const TensorMap& tensors() const { return tensors_; }
  // Strings, numbers, booleans; of arrays their length alone.
  const std::map<std::string, Json>& metadata() const { return metadata_; }
  const std::string& name() const { return name_; }
  std::shared_ptr<const MappedFile> file() const { return file_; }  // null after parse()

 private:
  std::string name_;
  TensorMap tensors_;
  std::map<std::string, Json> metadata_;
  std::shared_ptr<const MappedFile> file_;
};

bool is_gguf(std::span<const std::byte> bytes);  // by its first four

struct GgufSpec {
  std::string name;
  std::string stored_type;  // "F32", "F16", "BF16" or a block type
  std::vector<std::int64_t> shape;
  std::size_t bytes() const;  // bad_input where rows are no whole number of blocks
};

// Streams to a temporary file; the target appears at commit() only. Tensors are written in the order of `tensors`.
class GgufWriter {
 public:
  GgufWriter(const std::filesystem::path& path, std::vector<GgufSpec> tensors,
             const std::map<std::string, std::string>& metadata);

  void write(std::string_view name, std::span<const std::byte> bytes);  // the whole tensor whose turn it is
  void commit();

 private:
  std::vector<GgufSpec> tensors_;
  AtomicFile file_;
  std::size_t current_ = 0;
};

}  // namespace thimble::formats
