// Bytes of foreign files and a cursor over them that cannot leave them. Little endian, as all formats of gauge/ are.
// Not here: what the bytes mean. Errors are bad_file; Truncated says that the bytes end before what they announce.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace thimble::gauge {

using Bytes = std::span<const std::byte>;

class Truncated : public Error {
 public:
  explicit Truncated(std::string message) : Error(ErrorKind::bad_file, std::move(message)) {}
};

template <class... Args>
[[noreturn]] void fail_truncated(fmt::format_string<Args...> format, Args&&... args) {
  throw Truncated(fmt::format(format, std::forward<Args>(args)...));
}

inline std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// [at, at + length) lies within `size` bytes; sums that wrap do not.
inline bool within(std::uint64_t size, std::uint64_t at, std::uint64_t length) {
  return at <= size && length <= size - at;
}

// The caller has checked the range.
template <class T>
T load(Bytes bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

inline bool starts_with(Bytes bytes, std::string_view magic, std::size_t at = 0) {
  return within(bytes.size(), at, magic.size()) && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

class Reader {
 public:
  // `what` stands for the bytes in errors: "dex header".
  Reader(Bytes bytes, std::string_view what) : bytes_(bytes), what_(what) {}

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  bool done() const { return at_ == bytes_.size(); }

  void seek(std::uint64_t at) {
    if (at > bytes_.size()) fail_truncated("{}: offset {} is past the end, {}", what_, at, bytes_.size());
    at_ = static_cast<std::size_t>(at);
  }
  Bytes take(std::uint64_t count) {
    if (count > left()) fail_truncated("{}: {} bytes wanted at {}, {} are there", what_, count, at_, left());
    const Bytes out = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return out;
  }
  void skip(std::uint64_t count) { take(count); }
  template <class T>
  T get() {
    return load<T>(take(sizeof(T)), 0);
  }
  std::uint8_t u8() { return get<std::uint8_t>(); }
  std::uint16_t u16() { return get<std::uint16_t>(); }
  std::uint32_t u32() { return get<std::uint32_t>(); }
  std::uint64_t u64() { return get<std::uint64_t>(); }

  // Little-endian groups of seven bits (DWARF's ULEB128, protobuf's varint): at most ten bytes.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const std::uint8_t byte = u8();
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
    fail(ErrorKind::bad_file, "{}: a number of more than 64 bits before {}", what_, at_);
  }

 private:
  Bytes bytes_;
  std::string_view what_;
  std::size_t at_ = 0;
};

}  // namespace thimble::gauge
