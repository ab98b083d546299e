// Writing of safetensors files: the layout is fixed before the first byte of data, so tensors of any size stream.
#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "formats/safetensors/safetensors.h"

namespace thimble::formats {
namespace {

constexpr std::size_t kHeaderAlignment = 64;  // a multiple of the 8 that the format asks for

std::string_view stored_name(DType type) {
  switch (type) {
    case DType::f64: return "F64";
    case DType::f32: return "F32";
    case DType::f16: return "F16";
    case DType::bf16: return "BF16";
    case DType::i64: return "I64";
    case DType::i32: return "I32";
    case DType::i8: return "I8";
    case DType::u8: return "U8";
    case DType::boolean: return "BOOL";
  }
  return "?";
}

std::string quoted(const std::string& text, std::string_view what) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    fail(ErrorKind::bad_input, "safetensors: {} is not valid UTF-8", what);
  }
}

}  // namespace

std::size_t TensorSpec::bytes() const {
  std::size_t n = size_of(dtype);
  for (const std::int64_t d : shape) {
    if (d < 0 || __builtin_mul_overflow(n, static_cast<std::size_t>(d), &n)) {
      fail(ErrorKind::bad_input, "safetensors: tensor '{}' has an impossible dimension {}", name, d);
    }
  }
  return n;
}

SafetensorsLayout plan_safetensors(std::vector<TensorSpec> tensors,
                                   const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorSpec& a, const TensorSpec& b) {
    const auto wa = size_of(a.dtype), wb = size_of(b.dtype);
    return wa != wb ? wa > wb : a.name < b.name;
  });
  std::set<std::string_view> names{"__metadata__"};
  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (json.back() != '{') json += ',';
      json += quoted(key, "a metadata key") + ":" + quoted(value, "metadata '" + key + "'");
    }
    json += '}';
  }
  std::size_t offset = 0;
  for (const TensorSpec& t : tensors) {
    if (!names.insert(t.name).second) fail(ErrorKind::bad_input, "safetensors: tensor name '{}' is taken", t.name);
    const std::size_t bytes = t.bytes();
    if (json.size() > 1) json += ',';
    json +=
        fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(t.name, "a tensor name"),
                    stored_name(t.dtype), fmt::join(t.shape, ","), offset, offset + bytes);
    offset += bytes;
  }
  json += '}';
  json.resize(round_up(json.size() + 8, kHeaderAlignment) - 8, ' ');
  if (json.size() > kMaxSafetensorsHeader) {
    fail(ErrorKind::bad_input, "safetensors: a header of {} bytes is over the format's limit of {}", json.size(),
         kMaxSafetensorsHeader);
  }
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(json.size() >> (8 * i) & 0xff);
  return {std::move(tensors), length + json};
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                                     const std::map<std::string, std::string>& metadata)
    : layout_(plan_safetensors(std::move(tensors), metadata)), file_(path) {
  file_.write(layout_.header);
  if (!layout_.order.empty()) missing_ = layout_.order.front().bytes();
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  // Tensors that have all their bytes, empty ones too, are passed only when a later one comes.
  while (current_ < layout_.order.size() && missing_ == 0 && layout_.order[current_].name != name) {
    if (++current_ < layout_.order.size()) missing_ = layout_.order[current_].bytes();
  }
  const bool its_turn = current_ < layout_.order.size() && layout_.order[current_].name == name;
  if (!its_turn || bytes.size() > missing_) {
    throw Error(ErrorKind::internal, fmt::format("safetensors: {} bytes of '{}' came out of turn", bytes.size(), name));
  }
  file_.write(bytes.data(), bytes.size());
  missing_ -= bytes.size();
}

void SafetensorsWriter::commit() {
  std::size_t left = missing_;
  for (std::size_t i = current_ + 1; i < layout_.order.size(); ++i) left += layout_.order[i].bytes();
  if (left != 0) throw Error(ErrorKind::internal, fmt::format("safetensors: {} bytes were not written", left));
  file_.commit();
}

}  // namespace thimble::formats
