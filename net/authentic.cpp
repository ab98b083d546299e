#include "net/authentic.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace thimble::net {
namespace {

constexpr std::byte kMagic[] = {std::byte{'T'}, std::byte{'P'}};
constexpr std::byte kVersion{1};
constexpr std::size_t kBlock = 64;  // of SHA-256, bytes

std::array<std::byte, 32> digest(std::span<const std::byte> message) {
  const std::string hex = sha256(message);
  const auto nibble = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::array<std::byte, 32> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
  return out;
}

void put(std::vector<std::byte>& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(value >> (8 * i)));
}

std::uint64_t take(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

// Takes as long for any two tags.
bool same_tag(std::span<const std::byte> a, std::span<const std::byte> b) {
  std::byte differs{};
  for (std::size_t i = 0; i < kTagBytes; ++i) differs |= a[i] ^ b[i];
  return differs == std::byte{};
}

}  // namespace

std::array<std::byte, 32> hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message) {
  std::array<std::byte, kBlock> padded{};
  if (key.size() > kBlock) {
    const auto hashed = digest(key);
    std::copy(hashed.begin(), hashed.end(), padded.begin());
  } else {
    std::copy(key.begin(), key.end(), padded.begin());
  }
  std::vector<std::byte> inner, outer;
  for (const std::byte b : padded) {
    inner.push_back(b ^ std::byte{0x36});
    outer.push_back(b ^ std::byte{0x5c});
  }
  inner.insert(inner.end(), message.begin(), message.end());
  const auto hashed = digest(inner);
  outer.insert(outer.end(), hashed.begin(), hashed.end());
  return digest(outer);
}

Key::Key(std::string_view secret) {
  constexpr std::size_t kLeast = 16, kMost = 1024;
  if (secret.size() < kLeast || secret.size() > kMost)
    fail(ErrorKind::bad_input, "a shared key of {} bytes; {} to {} were wanted", secret.size(), kLeast, kMost);
  const auto bytes = std::as_bytes(std::span(secret.data(), secret.size()));
  bytes_.assign(bytes.begin(), bytes.end());
}

std::vector<std::byte> Sealer::seal(std::uint8_t kind, std::span<const std::byte> content, std::uint64_t now) {
  if (content.size() > kMaxContent)
    fail(ErrorKind::bad_input, "a packet of {} bytes; at most {} fit", content.size(), kMaxContent);
  last_ = std::max(now, last_ + 1);
  std::vector<std::byte> out(kMagic, kMagic + 2);
  out.push_back(kVersion);
  out.push_back(static_cast<std::byte>(kind));
  put(out, sender_, 2);
  put(out, last_, 8);
  out.insert(out.end(), content.begin(), content.end());
  const auto tag = hmac_sha256(key_.bytes(), out);
  out.insert(out.end(), tag.begin(), tag.begin() + kTagBytes);
  return out;
}

std::optional<Packet> Opener::open(std::span<const std::byte> bytes, std::uint64_t now) {
  if (bytes.size() < kHeaderBytes + kTagBytes || bytes.size() > kHeaderBytes + kMaxContent + kTagBytes ||
      bytes[0] != kMagic[0] || bytes[1] != kMagic[1] || bytes[2] != kVersion) {
    ++counts_.malformed;
    return std::nullopt;
  }
  const auto signed_part = bytes.first(bytes.size() - kTagBytes);
  const auto tag = hmac_sha256(key_.bytes(), signed_part);
  if (!same_tag(tag, bytes.last(kTagBytes))) {
    ++counts_.forged;
    return std::nullopt;
  }
  Packet packet{static_cast<std::uint8_t>(bytes[3]),
                static_cast<std::uint16_t>(take(bytes.subspan(4, 2))),
                take(bytes.subspan(6, 8)),
                {}};
  const auto known = seen_.find(packet.sender);
  if (known != seen_.end() && packet.stamp <= known->second.last) {
    const auto& recent = known->second.recent;
    const bool before = std::find(recent.begin(), recent.end(), packet.stamp) != recent.end();
    ++(before ? counts_.replayed : counts_.reordered);
    return std::nullopt;
  }
  const std::uint64_t off = packet.stamp > now ? packet.stamp - now : now - packet.stamp;
  if (static_cast<double>(off) > tolerance_ * 1e6) {
    ++counts_.stale;
    return std::nullopt;
  }
  Seen& seen = seen_[packet.sender];
  seen.last = packet.stamp;
  seen.recent[seen.at++ % seen.recent.size()] = packet.stamp;
  const auto content = signed_part.subspan(kHeaderBytes);
  packet.content.assign(content.begin(), content.end());
  ++counts_.accepted;
  return packet;
}

std::uint64_t microseconds_now() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<microseconds>(system_clock::now().time_since_epoch()).count());
}

}  // namespace thimble::net
