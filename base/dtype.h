// Element types and the two 16-bit floats. Conversions round to nearest, ties to even.
// Not here: quantised blocks, which are layouts of bytes and live with their kernels.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace thimble {

enum class DType : std::uint8_t { f32, bf16, f16, f64, i32, i64, i8, u8, boolean };

std::string_view to_string(DType type);  // "f32", "bf16", ..., "bool"
std::optional<DType> dtype_from_string(std::string_view name);

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::f64:
    case DType::i64: return 8;
    case DType::f32:
    case DType::i32: return 4;
    case DType::bf16:
    case DType::f16: return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean: return 1;
  }
  return 0;
}

constexpr bool is_float(DType type) {
  return type == DType::f32 || type == DType::bf16 || type == DType::f16 || type == DType::f64;
}

struct bf16 {
  std::uint16_t bits = 0;
  bool operator==(const bf16&) const = default;
};

struct f16 {
  std::uint16_t bits = 0;
  bool operator==(const f16&) const = default;
};

inline float to_f32(bf16 v) { return std::bit_cast<float>(std::uint32_t{v.bits} << 16); }

inline bf16 to_bf16(float v) {
  std::uint32_t u = std::bit_cast<std::uint32_t>(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>((u >> 16) | 0x40)};  // quiet NaN
  u += 0x7fffu + ((u >> 16) & 1);
  return {static_cast<std::uint16_t>(u >> 16)};
}

float to_f32(f16 v);
f16 to_f16(float v);

// Bulk conversion of n elements between any two float types or between equal types.
void convert(DType from, const void* src, DType to, void* dst, std::size_t n);

}  // namespace thimble
