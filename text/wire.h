// Protobuf's wire format, read field by field with bounds checks. Not here: schemas; a reader names its own fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace thimble::text {

// Walks one message. Every violation is bad_file with the byte offset in the whole file.
//
//   for (WireReader r(message, 0, name); r.next();) {
//     if (r.field() == 1) use(r.bytes());
//   }
class WireReader {
 public:
  // `offset` is where the message begins in the file; `name` stands for the file in errors. Both views are borrowed.
  WireReader(std::string_view message, std::size_t offset, std::string_view name)
      : message_(message), offset_(offset), name_(name) {}

  // Moves to the next field; false at the end.
  bool next();
  std::uint32_t field() const { return field_; }

  // The value, which must be of the asked kind.
  std::uint64_t varint() const;
  std::int32_t int32() const { return static_cast<std::int32_t>(varint()); }
  bool boolean() const { return varint() != 0; }
  float float32() const;
  std::string_view bytes() const;
  // Where bytes() begins in the whole file.
  std::size_t bytes_offset() const { return value_offset_; }

 private:
  enum class Type : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

  std::uint64_t read_varint();
  std::uint64_t read_fixed(std::size_t width);
  void expect(Type type) const;
  [[noreturn]] void refuse(const char* why) const;

  std::string_view message_;
  std::size_t offset_;
  std::string_view name_;
  std::size_t at_ = 0;
  std::uint32_t field_ = 0;
  Type type_ = Type::varint;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
  std::size_t value_offset_ = 0;
};

}  // namespace thimble::text
