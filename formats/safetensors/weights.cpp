#include "formats/safetensors/weights.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace thimble::formats {
namespace {

using Table = std::array<float, 256>;

Table table_of(float (*to_float)(std::uint8_t)) {
  Table values{};
  for (int i = 0; i < 256; ++i) values[static_cast<std::size_t>(i)] = to_float(static_cast<std::uint8_t>(i));
  return values;
}

const Table* f8_table(const std::string& stored_type) {
  static const Table e4m3 = table_of(f8_e4m3_to_f32), e5m2 = table_of(f8_e5m2_to_f32);
  if (stored_type == "F8_E4M3") return &e4m3;
  if (stored_type == "F8_E5M2") return &e5m2;
  return nullptr;
}

graph::Tensor widened(const TensorInfo& info, const Table& table, DType as) {
  check(is_float(as), "map_tensor: 8-bit floats become floats only");
  graph::Tensor out(graph::TensorType{as, info.shape});
  std::byte* to = out.mutable_data();
  std::array<std::array<std::byte, 8>, 256> widened{};
  const std::size_t width = size_of(as);
  for (std::size_t i = 0; i < 256; ++i) convert(DType::f32, &table[i], as, widened[i].data(), 1);
  for (const std::byte b : info.stored_bytes()) {
    std::memcpy(to, widened[std::to_integer<std::size_t>(b)].data(), width);
    to += width;
  }
  return out;
}

}  // namespace

float f8_e4m3_to_f32(std::uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                   : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (bits & 0x80) != 0 ? -size : size;
}

float f8_e5m2_to_f32(std::uint8_t bits) { return to_f32(f16{static_cast<std::uint16_t>(bits << 8)}); }

graph::Tensor map_tensor(const TensorInfo& info, const std::shared_ptr<const void>& owner, DType f8_as) {
  if (const Table* table = f8_table(info.stored_type())) return widened(info, *table, f8_as);
  const graph::TensorType type{info.dtype(), info.shape};
  const std::byte* data = info.data().data();
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(type.dtype) == 0) return graph::Tensor(type, owner, data);
  graph::Tensor copy(type);
  std::memcpy(copy.mutable_data(), data, type.bytes());
  return copy;
}

graph::Weights map_weights(const TensorMap& tensors, const std::shared_ptr<const void>& owner, DType f8_as) {
  graph::Weights weights;
  for (const auto& [name, info] : tensors) weights.set(name, map_tensor(info, owner, f8_as));
  return weights;
}

}  // namespace thimble::formats
