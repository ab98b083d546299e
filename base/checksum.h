// A fast 64-bit checksum against damage (flipped bits, lost blocks), not against malice: sha256 in base/file.h is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace thimble {

// Any change inside one aligned 8-byte word changes the sum; wider damage goes unseen once in 2^64. The same on every
// machine. In pieces: Checksum c; c.add(a); c.add(b); c.value().
class Checksum {
 public:
  void add(std::span<const std::byte> bytes);
  std::uint64_t value() const;

 private:
  static constexpr std::size_t kLanes = 8, kBlock = 8 * kLanes;
  void block(const std::byte* bytes);

  std::uint64_t lanes_[kLanes] = {1, 2, 3, 4, 5, 6, 7, 8};
  std::uint64_t length_ = 0;
  std::byte rest_[kBlock] = {};
  std::size_t held_ = 0;
};

std::uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace thimble
