// Thimble's own model: one safetensors file whose metadata entry `thimble` is a JSON header. The header says what each
// part is (config, passes in order), the pipeline's facts, the embedded tokenizer, licence and format version; tensors
// are named "<part>.<parameter>". Graphs are rebuilt from config and passes, so this file knows no graph.
//
// {"format_version": 1, "name": "...", "licence": "...", "description": "...",
//  "parts": {"denoiser": {"config": {"type": "dit", ...}, "passes": [{"name": "...", "options": {...}}]}, ...},
//  "pipeline": {...}, "tokenizer": {...}, "training": {...}}
// format_version, name, licence and parts are required; other keys are kept as they are.
// Since version 2 a last tensor "~checksums" (u8, rows of 8 bytes, little endian) holds base/checksum.h of the header's
// text and of every other tensor in the order of their names, so that a flipped bit is refused and never drawn.
//
//   const auto model = ModelFile::open("emoji.safetensors");
//   const Json& config = model.config("denoiser");
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/safetensors/safetensors.h"

namespace thimble::formats {

// The newest version that is written and read; readers read every earlier one.
inline constexpr int kModelFormatVersion = 2;
inline constexpr const char* kModelMetadataKey = "thimble";
inline constexpr const char* kChecksumsTensor = "~checksums";  // sorts, and so is stored, behind all others

// Fails with bad_file (naming `what` and the key) unless `header` is a valid header, and with `unsupported`
// (naming both versions) when it is of a newer version.
void validate_model_header(const Json& header, const std::string& what);

struct ModelFile {
  Json header;
  std::shared_ptr<const SafetensorsFile> file;

  // bad_file when the bytes are no safetensors file, have no Thimble header, hold a tensor of no part, or differ from
  // their checksums. Reads the whole file once, at memory speed.
  static ModelFile open(const std::filesystem::path& path);
  static ModelFile parse(std::span<const std::byte> bytes, std::string name);

  std::string name() const;
  std::string licence() const;
  bool has_part(const std::string& part) const;
  std::vector<std::string> parts() const;
  // Each fails with bad_file, naming the file and the parts it has, when `part` is absent.
  const Json& part(const std::string& part) const;
  const Json& config(const std::string& part) const;
  const Json& passes(const std::string& part) const;  // an array of {"name", "options"}, perhaps empty
  TensorMap tensors(const std::string& part) const;   // keys without "<part>."
  const TensorInfo& tensor(const std::string& part, const std::string& parameter) const;
};

// Gathers tensors, then writes header and tensors in one go; nothing is left behind when it fails.
class ModelWriter {
 public:
  // Sets format_version. Fails with bad_input when the header is not valid.
  explicit ModelWriter(Json header);

  // `data` is borrowed until write(). Stored as `stored`: any conversion between float types, or equal types.
  void add(const std::string& part, const std::string& parameter, DType dtype, std::vector<std::int64_t> shape,
           std::span<const std::byte> data, DType stored);
  // As above for values that are made only when their turn comes; `make` returns exactly the tensor's bytes.
  void add(const std::string& part, const std::string& parameter, DType dtype, std::vector<std::int64_t> shape,
           std::function<std::vector<std::byte>()> make, DType stored);

  // Fails with bad_input, naming the tensor, when a finite value does not fit the stored type (f16 ends at 65504).
  void write(const std::filesystem::path& path) const;

 private:
  struct Source {
    DType from, stored;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> borrowed;
    std::function<std::vector<std::byte>()> make;  // when set, `borrowed` is unused
  };
  void insert(const std::string& part, const std::string& parameter, Source source);

  Json header_;
  std::map<std::string, Source> tensors_;
};

}  // namespace thimble::formats
