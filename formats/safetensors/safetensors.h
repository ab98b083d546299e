// The safetensors container (8-byte little-endian header length, JSON header, raw tensor bytes): bounded reader over
// a memory map, checkpoints cut into several files, and a streaming writer.
// Not here: what the tensors mean (formats/thimble, formats/diffusers) and any conversion of element types.
//
//   const auto file = SafetensorsFile::open("model.safetensors");
//   const TensorInfo& w = file.at("proj.weight");   // w.dtype(), w.shape, w.data()
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/file.h"

namespace thimble::formats {

// Largest JSON header that is read, the format's own limit.
inline constexpr std::size_t kMaxSafetensorsHeader = 100'000'000;

// One tensor. The element type is checked when it is asked for, so that a file may hold tensors of a type that
// Thimble does not compute with (F8_E4M3, U32 ...) as long as nobody needs them.
class TensorInfo {
 public:
  TensorInfo() = default;
  TensorInfo(std::string name, std::string stored_type, std::vector<std::int64_t> shape,
             std::span<const std::byte> data);

  std::vector<std::int64_t> shape;  // row major; empty for a scalar; dimensions are >= 0

  const std::string& name() const { return name_; }
  const std::string& stored_type() const { return stored_type_; }  // as the file says it: "F32", "F8_E4M3"
  bool supported() const { return dtype_.has_value(); }
  std::int64_t elements() const;

  // Both fail with `unsupported`, naming tensor and type, when Thimble has no such type. The bytes live as long as
  // the file (or the bytes that were parsed) and, in files written by others, need not be aligned for their type.
  DType dtype() const;
  std::span<const std::byte> data() const;
  std::span<const std::byte> stored_bytes() const { return data_; }  // of any stored type

 private:
  std::string name_, stored_type_;
  std::optional<DType> dtype_;
  std::span<const std::byte> data_;
};

using TensorMap = std::map<std::string, TensorInfo>;

// A parsed file. A copy copies the map of names and shares the bytes.
class SafetensorsFile {
 public:
  // Fails with `io` (no such file) or `bad_file` (one line that names file, tensor and violation).
  static SafetensorsFile open(const std::filesystem::path& path);
  // `name` stands for the file in errors. The caller keeps `bytes` alive.
  static SafetensorsFile parse(std::span<const std::byte> bytes, std::string name);

  const TensorMap& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const TensorInfo* find(const std::string& tensor) const;  // null when absent
  const TensorInfo& at(const std::string& tensor) const;    // bad_file when absent
  const std::string& name() const { return name_; }
  std::shared_ptr<const MappedFile> file() const { return file_; }  // null after parse()

 private:
  std::string name_;
  TensorMap tensors_;
  std::map<std::string, std::string> metadata_;
  std::shared_ptr<const MappedFile> file_;
};

// What an index says: the plain name of the file beside it that holds each tensor. bad_file otherwise.
std::map<std::string, std::string> parse_safetensors_index(std::string_view text, const std::string& name);

// A checkpoint of one file or of several with an index ("<stem>.safetensors.index.json"; with a variant,
// "<stem>.safetensors.index.fp16.json").
class SafetensorsCheckpoint {
 public:
  // `path`: a .safetensors file, an index (.json), or a directory of exactly one index or one .safetensors file.
  static SafetensorsCheckpoint open(const std::filesystem::path& path);

  const TensorMap& tensors() const { return tensors_; }
  const TensorInfo& at(const std::string& tensor) const;
  const std::vector<SafetensorsFile>& files() const { return files_; }

 private:
  std::string name_;
  TensorMap tensors_;
  std::vector<SafetensorsFile> files_;
};

// What a writer must know of a tensor before its bytes come.
struct TensorSpec {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::int64_t> shape;

  std::size_t bytes() const;  // fails with bad_input on a negative dimension or overflow
};

// Tensors in the order in which their bytes are stored (wider element types first, then by name, so that every tensor
// is aligned for its type without holes) and the bytes of length field and header, padded with spaces to 64.
struct SafetensorsLayout {
  std::vector<TensorSpec> order;
  std::string header;
};
SafetensorsLayout plan_safetensors(std::vector<TensorSpec> tensors, const std::map<std::string, std::string>& metadata);

// Streams to a temporary file; the target appears at commit() only.
//
//   SafetensorsWriter out(path, specs, {{"format", "pt"}});
//   for (const TensorSpec& t : out.order()) out.write(t.name, bytes_of(t));
//   out.commit();
class SafetensorsWriter {
 public:
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                    const std::map<std::string, std::string>& metadata = {});

  const std::vector<TensorSpec>& order() const { return layout_.order; }
  // Bytes of the tensor whose turn it is, whole or in pieces; another name, or too many bytes, is `internal`.
  void write(std::string_view name, std::span<const std::byte> bytes);
  void commit();

 private:
  SafetensorsLayout layout_;
  AtomicFile file_;
  std::size_t current_ = 0;  // index into order()
  std::size_t missing_ = 0;  // bytes the current tensor still needs
};

}  // namespace thimble::formats
