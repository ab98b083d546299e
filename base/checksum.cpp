#include "base/checksum.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace thimble {
namespace {

constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio

// One to one in either argument, so that a changed word cannot be lost.
std::uint64_t mixed(std::uint64_t h, std::uint64_t word) {
  h = (h ^ word) * kOdd;
  return h ^ h >> 32;
}

}  // namespace

void Checksum::block(const std::byte* bytes) {
  std::uint64_t words[kLanes];
  std::memcpy(words, bytes, kBlock);
  if constexpr (std::endian::native == std::endian::big) {
    for (std::uint64_t& w : words) w = __builtin_bswap64(w);
  }
  for (std::size_t i = 0; i < kLanes; ++i) lanes_[i] = mixed(lanes_[i], words[i]);
}

void Checksum::add(std::span<const std::byte> bytes) {
  length_ += bytes.size();
  if (held_ > 0) {
    const std::size_t taken = std::min(bytes.size(), kBlock - held_);
    std::memcpy(rest_ + held_, bytes.data(), taken);
    held_ += taken;
    bytes = bytes.subspan(taken);
    if (held_ < kBlock) return;
    block(rest_);
    held_ = 0;
  }
  for (; bytes.size() >= kBlock; bytes = bytes.subspan(kBlock)) block(bytes.data());
  if (!bytes.empty()) std::memcpy(rest_, bytes.data(), bytes.size());
  held_ = bytes.size();
}

std::uint64_t Checksum::value() const {
  Checksum last = *this;
  std::fill(last.rest_ + held_, last.rest_ + kBlock, std::byte{0});
  last.block(last.rest_);
  std::uint64_t h = length_;
  for (const std::uint64_t lane : last.lanes_) h = mixed(h, lane);
  return h;
}

std::uint64_t checksum(std::span<const std::byte> bytes) {
  Checksum c;
  c.add(bytes);
  return c.value();
}

}  // namespace thimble
