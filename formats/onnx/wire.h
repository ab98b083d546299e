// Writes protobuf's wire format, field by field, into a string. Knows no schema: callers give field numbers.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace thimble::formats {

class ProtobufWriter {
 public:
  static void append_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
  }

  // Integers may be negative: they then take ten bytes, as the format wants.
  void integer(std::uint32_t field, std::int64_t value) {
    append_varint(bytes_, field << 3 | 0U);
    append_varint(bytes_, static_cast<std::uint64_t>(value));
  }
  void number(std::uint32_t field, float value) {
    append_varint(bytes_, field << 3 | 5U);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (unsigned shift = 0; shift < 32; shift += 8) bytes_ += static_cast<char>(bits >> shift);
  }
  void text(std::uint32_t field, std::string_view value) {
    header(field, value.size());
    bytes_ += value;
  }
  void message(std::uint32_t field, const ProtobufWriter& value) { text(field, value.bytes_); }
  // The key and length of `length` bytes that are written elsewhere, behind these.
  void header(std::uint32_t field, std::uint64_t length) {
    append_varint(bytes_, field << 3 | 2U);
    append_varint(bytes_, length);
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace thimble::formats
