#include "base/dtype.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace thimble {
namespace {

constexpr std::array<std::pair<DType, std::string_view>, 9> kTypeNames{{
    {DType::f32, "f32"},
    {DType::bf16, "bf16"},
    {DType::f16, "f16"},
    {DType::f64, "f64"},
    {DType::i32, "i32"},
    {DType::i64, "i64"},
    {DType::i8, "i8"},
    {DType::u8, "u8"},
    {DType::boolean, "bool"},
}};

template <class T>
double load(const void* src, std::size_t i) {
  T v;
  std::memcpy(&v, static_cast<const char*>(src) + i * sizeof(T), sizeof(T));
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
    return to_f32(v);
  } else {
    return static_cast<double>(v);
  }
}

double load(DType type, const void* src, std::size_t i) {
  switch (type) {
    case DType::f32: return load<float>(src, i);
    case DType::bf16: return load<bf16>(src, i);
    case DType::f16: return load<f16>(src, i);
    case DType::f64: return load<double>(src, i);
    case DType::i32: return load<std::int32_t>(src, i);
    case DType::i64: return static_cast<double>(load<std::int64_t>(src, i));
    case DType::i8: return load<std::int8_t>(src, i);
    case DType::u8:
    case DType::boolean: return load<std::uint8_t>(src, i);
  }
  return 0;
}

template <class T>
void store_as(void* dst, std::size_t i, T v) {
  std::memcpy(static_cast<char*>(dst) + i * sizeof(T), &v, sizeof(T));
}

void store(DType type, void* dst, std::size_t i, double v) {
  switch (type) {
    case DType::f32: return store_as(dst, i, static_cast<float>(v));
    case DType::bf16: return store_as(dst, i, to_bf16(static_cast<float>(v)));
    case DType::f16: return store_as(dst, i, to_f16(static_cast<float>(v)));
    case DType::f64: return store_as(dst, i, v);
    case DType::i32: return store_as(dst, i, static_cast<std::int32_t>(v));
    case DType::i64: return store_as(dst, i, static_cast<std::int64_t>(v));
    case DType::i8: return store_as(dst, i, static_cast<std::int8_t>(v));
    case DType::u8: return store_as(dst, i, static_cast<std::uint8_t>(v));
    case DType::boolean: return store_as(dst, i, static_cast<std::uint8_t>(v != 0));
  }
}

// All halves in another type: checkpoints are full of them, and a look is quicker than the arithmetic.
template <class To, class F>
std::array<To, 65536> table_of_halves(F one) {
  std::array<To, 65536> table;
  for (std::uint32_t i = 0; i < table.size(); ++i) table[i] = one(f16{static_cast<std::uint16_t>(i)});
  return table;
}

template <class To>
void look_up(const std::array<To, 65536>& table, const void* src, void* dst, std::size_t n) {
  const auto* s = static_cast<const std::uint16_t*>(src);
  auto* d = static_cast<To*>(dst);
  for (std::size_t i = 0; i < n; ++i) d[i] = table[s[i]];
}

// Blocks of a fixed length, which compilers turn into vectors.
template <class From, class To, class F>
void in_blocks(const void* src, void* dst, std::size_t n, F one) {
  constexpr std::size_t kBlock = 32;
  const auto* s = static_cast<const std::byte*>(src);
  auto* d = static_cast<std::byte*>(dst);
  From in[kBlock];
  To out[kBlock];
  for (std::size_t at = 0; at < n; at += kBlock) {
    const std::size_t count = std::min(kBlock, n - at);
    std::memcpy(in, s + at * sizeof(From), count * sizeof(From));
    for (std::size_t i = count; i < kBlock; ++i) in[i] = {};
    for (std::size_t i = 0; i < kBlock; ++i) out[i] = one(in[i]);
    std::memcpy(d + at * sizeof(To), out, count * sizeof(To));
  }
}

}  // namespace

std::string_view to_string(DType type) {
  for (auto& [t, name] : kTypeNames) {
    if (t == type) return name;
  }
  return "?";
}

std::optional<DType> dtype_from_string(std::string_view name) {
  for (auto& [t, n] : kTypeNames) {
    if (n == name) return t;
  }
  return std::nullopt;
}

float to_f32(f16 v) {
  const std::uint32_t sign = std::uint32_t{v.bits & 0x8000u} << 16;
  const std::uint32_t exponent = (v.bits >> 10) & 0x1fu;
  std::uint32_t mantissa = v.bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;  // zero and subnormals
  return sign ? -magnitude : magnitude;
}

f16 to_f16(float v) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(v);
  const auto sign = static_cast<std::uint16_t>((u >> 16) & 0x8000u);
  const std::uint32_t a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (a >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // rounds past 65504
  if (a < 0x38800000u) {                                                      // below 2^-14: subnormal
    const float scaled = std::bit_cast<float>(a) * 0x1p24f;
    auto m = static_cast<std::uint32_t>(scaled);
    const float rest = scaled - static_cast<float>(m);
    if (rest > 0.5f || (rest == 0.5f && (m & 1))) ++m;
    return {static_cast<std::uint16_t>(sign | m)};
  }
  const std::uint32_t rounded = a + 0xfffu + ((a >> 13) & 1);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

void convert(DType from, const void* src, DType to, void* dst, std::size_t n) {
  if (from == to) {
    if (n != 0) std::memmove(dst, src, n * size_of(from));
    return;
  }
  if (from == DType::f32 && to == DType::bf16)
    return in_blocks<float, bf16>(src, dst, n, [](float v) { return to_bf16(v); });
  if (from == DType::bf16 && to == DType::f32)
    return in_blocks<bf16, float>(src, dst, n, [](bf16 v) { return to_f32(v); });
  if (from == DType::f16 && to == DType::f32) {
    static const auto table = table_of_halves<float>([](f16 v) { return to_f32(v); });
    return look_up(table, src, dst, n);
  }
  if (from == DType::f16 && to == DType::bf16) {
    static const auto table = table_of_halves<bf16>([](f16 v) { return to_bf16(to_f32(v)); });
    return look_up(table, src, dst, n);
  }
  for (std::size_t i = 0; i < n; ++i) store(to, dst, i, load(from, src, i));
}

}  // namespace thimble
