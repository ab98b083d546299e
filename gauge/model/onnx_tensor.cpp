#include "gauge/model/onnx_tensor.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "base/error.h"
#include "gauge/container/container.h"

namespace thimble::gauge {
namespace {

constexpr ElementType kElements[] = {{"unknown", 0, {}},       {"f32", 32, DType::f32},
                                     {"u8", 8, DType::u8},     {"i8", 8, DType::i8},
                                     {"u16", 16, {}},          {"i16", 16, {}},
                                     {"i32", 32, DType::i32},  {"i64", 64, DType::i64},
                                     {"string", 0, {}},        {"bool", 8, DType::boolean},
                                     {"f16", 16, DType::f16},  {"f64", 64, DType::f64},
                                     {"u32", 32, {}},          {"u64", 64, {}},
                                     {"c64", 64, {}},          {"c128", 128, {}},
                                     {"bf16", 16, DType::bf16}};

std::uint64_t number_of(const std::string& text, const std::string& name) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    fail(ErrorKind::bad_file, "tensor '{}': '{}' is no place in a file", printable(name), printable(text));
  }
  return value;
}

}  // namespace

ElementType onnx_element(std::uint64_t type) {
  if (type < std::size(kElements)) return kElements[type];
  if (type == 21) return {"u4", 4, {}};
  if (type == 22) return {"i4", 4, {}};
  if (type >= 17 && type <= 20) return {"f8", 8, {}};
  return {"unknown", 0, {}};
}

void append_integers(const Protobuf& field, std::vector<std::int64_t>& out) {
  if (field.wire() == Protobuf::kVarint) return out.push_back(field.signed_value());
  Reader r(field.bytes(), "ONNX integers");
  while (!r.done()) out.push_back(static_cast<std::int64_t>(r.varint()));
}

void append_floats(const Protobuf& field, std::vector<double>& out) {
  if (field.wire() == Protobuf::kFixed32) return out.push_back(double{field.float_value()});
  if (field.wire() == Protobuf::kFixed64) return out.push_back(std::bit_cast<double>(field.value()));
  Reader r(field.bytes(), "ONNX numbers");
  while (!r.done()) out.push_back(double{r.get<float>()});
}

Bytes OnnxTensors::keep(const void* data, std::size_t bytes) {
  std::vector<std::byte> copy(bytes);
  if (bytes != 0) std::memcpy(copy.data(), data, bytes);
  model_.storage.push_back(std::move(copy));
  return model_.storage.back();
}

ModelTensor OnnxTensors::make_integers(const std::vector<std::int64_t>& values, graph::Shape shape) {
  ModelTensor t;
  t.type = {"i64", 64, DType::i64};
  t.shape = std::move(shape);
  t.constant = true;
  t.bytes = keep(values.data(), values.size() * sizeof(std::int64_t));
  return t;
}

ModelTensor OnnxTensors::make_floats(const std::vector<double>& values, graph::Shape shape) {
  const std::vector<float> narrow(values.begin(), values.end());
  ModelTensor t;
  t.type = {"f32", 32, DType::f32};
  t.shape = std::move(shape);
  t.constant = true;
  t.bytes = keep(narrow.data(), narrow.size() * sizeof(float));
  return t;
}

ModelTensor OnnxTensors::read(Bytes message) {
  ModelTensor t;
  t.constant = true;
  std::vector<std::int64_t> integers;
  std::string unpacked;  // of float_data and double_data
  bool raw = false, outside = false;
  std::map<std::string, std::string> entries;
  Protobuf p(message, "ONNX tensor");
  while (p.next()) {
    switch (p.field()) {
      case 1: append_integers(p, t.shape); break;
      case 2: t.type = onnx_element(p.value()); break;
      case 4:
      case 10:
        if (p.wire() == Protobuf::kBytes) {
          unpacked += p.text();
        } else {
          const std::uint64_t value = p.value();
          unpacked.append(reinterpret_cast<const char*>(&value), p.field() == 4 ? 4 : 8);
        }
        break;
      case 5:
      case 7:
      case 11: append_integers(p, integers); break;
      case 8: t.name = p.text(); break;
      case 9:
        t.bytes = p.bytes();
        raw = true;
        break;
      case 13: {
        Protobuf entry(p.bytes(), "ONNX external data");
        std::string key, value;
        while (entry.next()) {
          if (entry.is(1, Protobuf::kBytes)) key = entry.text();
          if (entry.is(2, Protobuf::kBytes)) value = entry.text();
        }
        entries[key] = value;
        break;
      }
      case 14: outside = p.value() == 1; break;
      default: break;
    }
  }
  if (t.shape.size() > 16) fail(ErrorKind::unsupported, "tensor '{}' has {} axes", printable(t.name), t.shape.size());
  for (const std::int64_t d : t.shape) {
    if (d < 0) fail(ErrorKind::bad_file, "tensor '{}' has a negative size", printable(t.name));
  }
  if (outside) {
    t.bytes = external(entries, t.name);
  } else if (!raw && !unpacked.empty()) {
    t.bytes = keep(unpacked.data(), unpacked.size());
  } else if (!raw && !integers.empty()) {
    // Of the narrow types each value takes a varint of its own; little endian keeps the low bytes.
    const std::size_t size = std::min<std::size_t>(static_cast<std::size_t>(t.type.bits / 8), sizeof(std::int64_t));
    std::vector<std::byte> packed(integers.size() * size);
    for (std::size_t i = 0; i < integers.size(); ++i) std::memcpy(packed.data() + i * size, &integers[i], size);
    t.bytes = keep(packed.data(), packed.size());
  }
  const auto elements = static_cast<std::uint64_t>(graph::element_count(t.shape));
  if (t.type.bits != 0 && (elements > (~std::uint64_t{0} >> 8) ||
                           (elements * static_cast<std::uint64_t>(t.type.bits) + 7) / 8 != t.bytes.size())) {
    fail(ErrorKind::bad_file, "tensor '{}' {} of {} has {} bytes", printable(t.name), graph::to_string(t.shape),
         t.type.name, t.bytes.size());
  }
  return t;
}

Bytes OnnxTensors::external(const std::map<std::string, std::string>& entries, const std::string& name) {
  const auto find = [&](const char* key) {
    const auto it = entries.find(key);
    return it == entries.end() ? std::string() : it->second;
  };
  const std::filesystem::path location = find("location");
  bool plain = !location.empty() && location.is_relative() && !directory_.empty();
  for (const auto& part : location) plain = plain && part != "..";
  if (!plain) {
    fail(ErrorKind::bad_file, "tensor '{}' lies in '{}', which is no file beside the model", printable(name),
         printable(location.string()));
  }
  auto& file = files_[location.string()];
  if (!file) {
    file = MappedFile::open(directory_ / location);
    auto both =
        std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(model_.owner, file);
    model_.owner = both;
  }
  const std::string offset = find("offset"), length = find("length");
  const std::uint64_t at = offset.empty() ? 0 : number_of(offset, name);
  const std::uint64_t size = file->bytes().size();
  const std::uint64_t count = !length.empty() ? number_of(length, name) : at <= size ? size - at : 0;
  if (!within(size, at, count)) {
    fail_truncated("tensor '{}': bytes {} to {} of '{}' wanted, {} are there", printable(name), at, at + count,
                   location.string(), size);
  }
  return file->bytes().subspan(at, count);
}

}  // namespace thimble::gauge
