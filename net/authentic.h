// Small packets that only holders of a shared key can make, and that cannot be played back: HMAC-SHA256 (RFC 2104)
// cut to 96 bits over header and content, and a stamp that must rise from packet to packet of a sender and lie near the
// receiver's clock. Not secret: anybody on the network can read them. Little-endian:
//   0-1 "TP"   2 version 1   3 kind   4-5 sender   6-13 stamp, microseconds since 1970   14... content   last 12: tag
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace thimble::net {

inline constexpr std::size_t kHeaderBytes = 14, kTagBytes = 12, kMaxContent = 1200;

std::array<std::byte, 32> hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> message);

// 16 to 1024 bytes, as they are in the file or typed.
class Key {
 public:
  explicit Key(std::string_view secret);  // bad_input for a length out of range
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

struct Packet {
  std::uint8_t kind = 0;
  std::uint16_t sender = 0;
  std::uint64_t stamp = 0;
  std::vector<std::byte> content;
};

class Sealer {
 public:
  Sealer(Key key, std::uint16_t sender) : key_(std::move(key)), sender_(sender) {}

  // `now` in microseconds since 1970; a clock that stands or goes back does not stop the stamps from rising.
  std::vector<std::byte> seal(std::uint8_t kind, std::span<const std::byte> content, std::uint64_t now);

 private:
  Key key_;
  std::uint16_t sender_;
  std::uint64_t last_ = 0;
};

class Opener {
 public:
  // Why packets were dropped.
  struct Counts {
    std::uint64_t accepted = 0;
    std::uint64_t malformed = 0;  // too short, too long, another magic or version
    std::uint64_t forged = 0;     // the tag is wrong: another key, or changed on the way
    std::uint64_t replayed = 0;   // the stamp was seen before
    std::uint64_t reordered = 0;  // overtaken by a later one
    std::uint64_t stale = 0;      // the stamp is further from this machine's clock than allowed
  };

  explicit Opener(Key key, double tolerance_seconds = 10) : key_(std::move(key)), tolerance_(tolerance_seconds) {}

  // The packet, or nothing and one count more. Senders without a valid packet take no memory.
  std::optional<Packet> open(std::span<const std::byte> bytes, std::uint64_t now);
  const Counts& counts() const { return counts_; }

 private:
  Key key_;
  double tolerance_;
  Counts counts_;
  struct Seen {
    std::uint64_t last = 0;
    std::array<std::uint64_t, 16> recent{};  // to tell a replayed packet from an overtaken one
    std::size_t at = 0;
  };
  std::map<std::uint16_t, Seen> seen_;
};

std::uint64_t microseconds_now();

}  // namespace thimble::net
