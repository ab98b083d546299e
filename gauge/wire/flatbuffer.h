// A bounded reader of FlatBuffers (the binary layout: a root offset, tables with vtables, vectors, strings; all offsets
// little-endian and relative). No schema and no generated code: callers name fields by their vtable slot, 4, 6, 8 ...
// Every access is checked against the buffer. `extent` grows to the furthest byte that was reached, which tells where a
// buffer inside a larger file ends.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "gauge/bytes.h"

namespace thimble::gauge {

class FlatBuffer {
 public:
  // FlatBuffers address 31 bits; of a larger file only so much can be one.
  explicit FlatBuffer(Bytes bytes) : bytes_(bytes) {}

  Bytes bytes() const { return bytes_; }
  std::uint64_t extent() const { return extent_; }

  Bytes range(std::uint64_t at, std::uint64_t length) const {
    if (!within(bytes_.size(), at, length)) {
      fail_truncated("flatbuffer: bytes [{}, {}) wanted, {} are there", at, at + length, bytes_.size());
    }
    extent_ = std::max(extent_, at + length);
    return bytes_.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(length));
  }
  template <class T>
  T get(std::uint64_t at) const {
    return load<T>(range(at, sizeof(T)), 0);
  }
  // The place that an unsigned offset stored at `at` points to.
  std::uint64_t follow(std::uint64_t at) const {
    const auto offset = get<std::uint32_t>(at);
    if (offset == 0) fail(ErrorKind::bad_file, "flatbuffer: the offset at {} points to itself", at);
    return at + offset;
  }

 private:
  Bytes bytes_;
  mutable std::uint64_t extent_ = 0;
};

template <class T>
class FlatVector;

class FlatTable {
 public:
  FlatTable() = default;
  FlatTable(const FlatBuffer& buffer, std::uint64_t at) : buffer_(&buffer), at_(at) {
    const auto back = buffer.get<std::int32_t>(at);
    const std::int64_t vtable = static_cast<std::int64_t>(at) - back;
    if (vtable < 0) fail(ErrorKind::bad_file, "flatbuffer: the vtable of the table at {} lies before the buffer", at);
    vtable_ = static_cast<std::uint64_t>(vtable);
    vtable_size_ = buffer.get<std::uint16_t>(vtable_);
    size_ = buffer.get<std::uint16_t>(vtable_ + 2);
    if (vtable_size_ < 4 || vtable_size_ % 2 != 0 || size_ < 4) {
      fail(ErrorKind::bad_file, "flatbuffer: the vtable at {} has sizes {} and {}", vtable_, vtable_size_, size_);
    }
    buffer.range(vtable_, vtable_size_);
    buffer.range(at, size_);
  }
  static FlatTable root(const FlatBuffer& buffer) { return {buffer, buffer.follow(0)}; }

  const FlatBuffer& buffer() const { return *buffer_; }
  std::uint64_t at() const { return at_; }

  // Where the field lies, none when it has its default.
  std::optional<std::uint64_t> field(unsigned slot, unsigned size) const {
    if (slot + 2 > vtable_size_) return std::nullopt;
    const auto offset = buffer_->get<std::uint16_t>(vtable_ + slot);
    if (offset == 0) return std::nullopt;
    if (offset < 4 || !within(size_, offset, size)) {
      fail(ErrorKind::bad_file, "flatbuffer: field {} of the table at {} lies outside it", slot, at_);
    }
    return at_ + offset;
  }
  template <class T>
  T scalar(unsigned slot, T fallback) const {
    const auto at = field(slot, sizeof(T));
    return at ? buffer_->get<T>(*at) : fallback;
  }
  std::optional<FlatTable> table(unsigned slot) const {
    const auto at = field(slot, 4);
    if (!at) return std::nullopt;
    return FlatTable(*buffer_, buffer_->follow(*at));
  }
  template <class T>
  FlatVector<T> vector(unsigned slot) const;  // empty when absent
  std::string_view string(unsigned slot) const;

 private:
  const FlatBuffer* buffer_ = nullptr;
  std::uint64_t at_ = 0, vtable_ = 0;
  std::uint16_t vtable_size_ = 0, size_ = 0;
};

// T is a number, FlatTable or std::string_view (both stored as offsets).
template <class T>
class FlatVector {
 public:
  FlatVector() = default;
  FlatVector(const FlatBuffer& buffer, std::uint64_t at) : buffer_(&buffer), at_(at + 4) {
    size_ = buffer.get<std::uint32_t>(at);
    buffer.range(at_, std::uint64_t{size_} * kStride);
  }
  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T operator[](std::uint32_t i) const {
    const std::uint64_t at = at_ + std::uint64_t{i} * kStride;
    if constexpr (std::is_same_v<T, FlatTable>) {
      return FlatTable(*buffer_, buffer_->follow(at));
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      const std::uint64_t text = buffer_->follow(at);
      return text_of(buffer_->range(text + 4, buffer_->get<std::uint32_t>(text)));
    } else {
      return buffer_->get<T>(at);
    }
  }
  Bytes bytes() const { return size_ == 0 ? Bytes{} : buffer_->range(at_, std::uint64_t{size_} * kStride); }

 private:
  static constexpr std::uint64_t kStride = std::is_arithmetic_v<T> ? sizeof(T) : 4;
  const FlatBuffer* buffer_ = nullptr;
  std::uint64_t at_ = 0;
  std::uint32_t size_ = 0;
};

template <class T>
FlatVector<T> FlatTable::vector(unsigned slot) const {
  const auto at = field(slot, 4);
  return at ? FlatVector<T>(*buffer_, buffer_->follow(*at)) : FlatVector<T>{};
}

inline std::string_view FlatTable::string(unsigned slot) const { return text_of(vector<std::uint8_t>(slot).bytes()); }

}  // namespace thimble::gauge
