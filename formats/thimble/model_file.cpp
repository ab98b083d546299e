// Reading of Thimble models: the header is checked as a whole before anybody builds a graph from it.
#include "formats/thimble/model_file.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/checksum.h"
#include "base/error.h"

namespace thimble::formats {
namespace {

bool is_part_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

void require_object(const Json& object, const char* key, const std::string& what) {
  if (object.contains(key)) get_object(object, key, what);
}

void validate_part(const Json& part, const std::string& where) {
  const Json& config = get_object(part, "config", where);
  get_string(config, "type", where + " config");
  if (!part.contains("passes")) return;
  for (const Json& pass : get_array(part, "passes", where)) {
    const std::string name = get_string(pass, "name", where + " passes");
    require_object(pass, "options", where + " pass '" + name + "'");
  }
}

// The part of "<part>.<parameter>".
std::string part_of(const std::string& tensor) { return tensor.substr(0, tensor.find('.')); }

void verify_checksums(const SafetensorsFile& file, const std::string& header_text) {
  const TensorInfo* sums = file.find(kChecksumsTensor);
  if (sums == nullptr) fail(ErrorKind::bad_file, "{}: the checksums are missing; get the file again", file.name());
  const auto count = static_cast<std::int64_t>(file.tensors().size());
  if (sums->dtype() != DType::u8 || sums->shape != std::vector<std::int64_t>{count, 8}) {
    fail(ErrorKind::bad_file, "{}: {} checksums of 8 bytes were wanted; get the file again", file.name(), count);
  }
  const std::byte* row = sums->data().data();
  const auto check = [&](std::uint64_t sum, std::string_view what) {
    std::uint64_t wanted = 0;
    for (int i = 7; i >= 0; --i) wanted = wanted << 8 | static_cast<std::uint64_t>(row[i]);
    row += 8;
    if (sum != wanted) {
      fail(ErrorKind::bad_file, "{}: {} is damaged: its checksum is {:016x}, {:016x} was wanted; get the file again",
           file.name(), what, sum, wanted);
    }
  };
  check(checksum(std::as_bytes(std::span(header_text))), "the header");
  for (const auto& [name, info] : file.tensors()) {
    if (name != kChecksumsTensor) check(checksum(info.data()), "tensor '" + name + "'");
  }
}

ModelFile from_file(SafetensorsFile parsed) {
  const std::string& name = parsed.name();
  const auto text = parsed.metadata().find(kModelMetadataKey);
  if (text == parsed.metadata().end()) {
    fail(ErrorKind::bad_file,
         "{}: no Thimble model (its metadata has no '{}' entry); plain weights are read as checkpoints", name,
         kModelMetadataKey);
  }
  ModelFile model;
  const std::string what = name + ": model header";
  model.header = parse_json(text->second, what);
  validate_model_header(model.header, what);
  const bool summed = get_int(model.header, "format_version", what) >= 2;
  if (summed) verify_checksums(parsed, text->second);
  for (const auto& [tensor, info] : parsed.tensors()) {
    if (summed && tensor == kChecksumsTensor) continue;
    if (tensor.find('.') == std::string::npos || !model.header["parts"].contains(part_of(tensor))) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' belongs to no part; parts are {}", name, tensor,
           fmt::join(model.parts(), ", "));
    }
  }
  model.file = std::make_shared<const SafetensorsFile>(std::move(parsed));
  return model;
}

}  // namespace

void validate_model_header(const Json& header, const std::string& what) {
  const std::int64_t version = get_int(header, "format_version", what);
  if (version > kModelFormatVersion) {
    fail(ErrorKind::unsupported,
         "{}: format version {} is newer than {}, the newest that this Thimble reads: a newer Thimble is needed", what,
         version, kModelFormatVersion);
  }
  if (version < 1) fail(ErrorKind::bad_file, "{}: format version {} does not exist", what, version);
  get_string(header, "name", what);
  get_string(header, "licence", what);
  if (header.contains("description")) get_string(header, "description", what);
  for (const char* key : {"pipeline", "tokenizer", "training"}) require_object(header, key, what);
  const Json& parts = get_object(header, "parts", what);
  if (parts.empty()) fail(ErrorKind::bad_file, "{}: 'parts' is empty, at least one part was wanted", what);
  for (const auto& [name, part] : parts.items()) {
    if (!is_part_name(name)) {
      fail(ErrorKind::bad_file, "{}: part name '{}' must be of small letters, digits and '_'", what, name);
    }
    validate_part(part, what + " part '" + name + "'");
  }
}

ModelFile ModelFile::open(const std::filesystem::path& path) { return from_file(SafetensorsFile::open(path)); }

ModelFile ModelFile::parse(std::span<const std::byte> bytes, std::string name) {
  return from_file(SafetensorsFile::parse(bytes, std::move(name)));
}

std::string ModelFile::name() const { return header["name"].get<std::string>(); }
std::string ModelFile::licence() const { return header["licence"].get<std::string>(); }

bool ModelFile::has_part(const std::string& name) const { return header["parts"].contains(name); }

std::vector<std::string> ModelFile::parts() const {
  std::vector<std::string> names;
  for (const auto& [name, part] : header["parts"].items()) names.push_back(name);
  return names;
}

const Json& ModelFile::part(const std::string& name) const {
  const Json& all = header["parts"];
  const auto it = all.find(name);
  if (it == all.end()) {
    fail(ErrorKind::bad_file, "{}: the model has no part '{}'; it has {}", file->name(), name,
         fmt::join(parts(), ", "));
  }
  return *it;
}

const Json& ModelFile::config(const std::string& name) const { return part(name)["config"]; }

const Json& ModelFile::passes(const std::string& name) const {
  static const Json kNone = Json::array();
  const Json& p = part(name);
  const auto it = p.find("passes");
  return it == p.end() ? kNone : *it;
}

TensorMap ModelFile::tensors(const std::string& name) const {
  static_cast<void>(part(name));
  const std::string prefix = name + ".";
  TensorMap found;
  for (auto it = file->tensors().lower_bound(prefix); it != file->tensors().end() && it->first.starts_with(prefix);
       ++it) {
    found.emplace(it->first.substr(prefix.size()), it->second);
  }
  return found;
}

const TensorInfo& ModelFile::tensor(const std::string& name, const std::string& parameter) const {
  static_cast<void>(part(name));
  return file->at(name + "." + parameter);
}

}  // namespace thimble::formats
