// Attribute access, and the choice of a reader.
#include "gauge/model/model.h"

#include <algorithm>

#include "base/error.h"

namespace thimble::gauge {
namespace {

template <class T>
const T* find(const ModelOp& op, std::string_view key) {
  const auto it = op.attributes.find(key);
  return it == op.attributes.end() ? nullptr : std::get_if<T>(&it->second);
}

bool has_suffix(std::string_view path, std::string_view suffix) {
  if (path.size() < suffix.size()) return false;
  return std::ranges::equal(path.substr(path.size() - suffix.size()), suffix,
                            [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

}  // namespace

std::int64_t ModelTensor::elements() const {
  graph::Shape known = shape;
  for (std::int64_t& d : known) d = d < 0 ? 1 : d;
  return graph::element_count(known);
}

std::int64_t ModelOp::integer(std::string_view key, std::int64_t fallback) const {
  const auto* v = find<std::int64_t>(*this, key);
  return v ? *v : fallback;
}

double ModelOp::number(std::string_view key, double fallback) const {
  const auto* v = find<double>(*this, key);
  return v ? *v : fallback;
}

std::string_view ModelOp::text(std::string_view key, std::string_view fallback) const {
  const auto* v = find<std::string>(*this, key);
  return v ? std::string_view(*v) : fallback;
}

std::vector<std::int64_t> ModelOp::integers(std::string_view key, std::vector<std::int64_t> fallback) const {
  const auto* v = find<std::vector<std::int64_t>>(*this, key);
  return v ? *v : fallback;
}

std::vector<double> ModelOp::numbers(std::string_view key) const {
  const auto* v = find<std::vector<double>>(*this, key);
  return v ? *v : std::vector<double>{};
}

Model read_model(Bytes bytes, const std::string& path, std::shared_ptr<const void> owner) {
  const bool tflite = starts_with(bytes, "TFL3", 4);
  if (tflite || has_suffix(path, ".tflite") || has_suffix(path, ".tfl") || has_suffix(path, ".lite")) {
    return read_tflite(bytes, std::move(owner));
  }
  if (has_suffix(path, ".onnx") || (!bytes.empty() && bytes[0] == std::byte{8})) {
    return read_onnx(bytes, std::filesystem::path(path).parent_path(), std::move(owner));
  }
  fail(ErrorKind::unsupported, "{}: not a TFLite or ONNX model; 'thimble gauge scan' tells what it is", path);
}

Model open_model(const std::filesystem::path& path) {
  const std::shared_ptr<const MappedFile> file = MappedFile::open(path);
  return read_model(file->bytes(), path.string(), file);
}

}  // namespace thimble::gauge
