// A bounded reader of protobuf's wire format: field by field over the bytes of one message. No schema and no generated
// code; callers know the field numbers. Nested messages are read by a Reader of their bytes, to a depth the caller
// bounds.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "gauge/bytes.h"

namespace thimble::gauge {

class Protobuf {
 public:
  enum Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

  // `what` stands for the message in errors: "ONNX graph".
  Protobuf(Bytes bytes, std::string_view what) : reader_(bytes, what), what_(what) {}

  // Goes to the next field; false at the end. Groups (wire types 3 and 4) and field number 0 are bad_file.
  bool next() {
    if (reader_.done()) return false;
    begin_ = reader_.at();
    const std::uint64_t key = reader_.varint();
    if (key >> 3 == 0 || key >> 3 > 0x1fffffff) {
      fail(ErrorKind::bad_file, "{}: field number {} at byte {}", what_, key >> 3, begin_);
    }
    field_ = static_cast<std::uint32_t>(key >> 3);
    wire_ = static_cast<Wire>(key & 7);
    value_ = 0;
    bytes_ = {};
    switch (wire_) {
      case kVarint: value_ = reader_.varint(); break;
      case kFixed64: value_ = reader_.u64(); break;
      case kFixed32: value_ = reader_.u32(); break;
      case kBytes: bytes_ = reader_.take(reader_.varint()); break;
      default: fail(ErrorKind::bad_file, "{}: wire type {} at byte {}", what_, key & 7, begin_);
    }
    return true;
  }

  std::uint32_t field() const { return field_; }
  Wire wire() const { return wire_; }
  bool is(std::uint32_t field, Wire wire) const { return field_ == field && wire_ == wire; }
  std::uint64_t value() const { return value_; }  // of kVarint, kFixed32, kFixed64
  std::int64_t signed_value() const { return static_cast<std::int64_t>(value_); }
  float float_value() const { return std::bit_cast<float>(static_cast<std::uint32_t>(value_)); }
  Bytes bytes() const { return bytes_; }  // of kBytes
  std::string_view text() const { return text_of(bytes_); }
  std::size_t begin() const { return begin_; }      // of the field's key
  std::size_t end() const { return reader_.at(); }  // behind the field

 private:
  Reader reader_;
  std::string_view what_;
  std::uint32_t field_ = 0;
  Wire wire_ = kVarint;
  std::uint64_t value_ = 0;
  Bytes bytes_;
  std::size_t begin_ = 0;
};

}  // namespace thimble::gauge
