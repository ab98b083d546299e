#include "text/wire.h"

#include <bit>

#include "base/error.h"

namespace thimble::text {

void WireReader::refuse(const char* why) const {
  fail(ErrorKind::bad_file, "{}: {} at byte {}", name_, why, offset_ + at_);
}

std::uint64_t WireReader::read_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at_ == message_.size()) refuse("a number is cut off");
    const auto b = static_cast<unsigned char>(message_[at_++]);
    value |= static_cast<std::uint64_t>(b & 0x7f) << shift;
    if (b < 0x80) return value;
  }
  refuse("a number of more than ten bytes");
}

std::uint64_t WireReader::read_fixed(std::size_t width) {
  if (message_.size() - at_ < width) refuse("a number is cut off");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(message_[at_ + i])) << (8 * i);
  at_ += width;
  return value;
}

bool WireReader::next() {
  if (at_ == message_.size()) return false;
  const std::uint64_t key = read_varint();
  if (key >> 3 == 0 || key >> 3 > 0x1fffffff) refuse("a field number that does not exist");
  field_ = static_cast<std::uint32_t>(key >> 3);
  switch (key & 7) {
    case 0: type_ = Type::varint, number_ = read_varint(); return true;
    case 1: type_ = Type::fixed64, number_ = read_fixed(8); return true;
    case 5: type_ = Type::fixed32, number_ = read_fixed(4); return true;
    case 2: {
      type_ = Type::bytes;
      const std::uint64_t length = read_varint();
      if (length > message_.size() - at_) refuse("a field is longer than what holds it");
      value_offset_ = offset_ + at_;
      bytes_ = message_.substr(at_, static_cast<std::size_t>(length));
      at_ += static_cast<std::size_t>(length);
      return true;
    }
    default: refuse("a wire type that is not read");
  }
}

void WireReader::expect(Type type) const {
  if (type_ != type)
    fail(ErrorKind::bad_file, "{}: field {} before byte {} is of another type", name_, field_, offset_ + at_);
}

std::uint64_t WireReader::varint() const {
  expect(Type::varint);
  return number_;
}

float WireReader::float32() const {
  expect(Type::fixed32);
  return std::bit_cast<float>(static_cast<std::uint32_t>(number_));
}

std::string_view WireReader::bytes() const {
  expect(Type::bytes);
  return bytes_;
}

}  // namespace thimble::text
