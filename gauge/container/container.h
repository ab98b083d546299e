// Containers read where they lie in memory: zip, tar, gzip. Nothing is written to disk and nothing is executed.
// A container lists its members and its flaws at once (both bounded by the bytes it has); contents come one by one.
// Not here: containers within containers (walk.h) and what the contents are (signature.h, probe.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gauge/bytes.h"
#include "gauge/failure.h"

namespace thimble::gauge {

struct Limits {
  int depth = 8;                                       // containers within containers
  std::size_t entries = 500'000;                       // of one package, nested ones counted
  std::uint64_t memory = std::uint64_t{1} << 30;       // unpacked bytes of one package held at the same time
  std::uint64_t unpacked = std::uint64_t{64} << 30;    // of one package in all
  double ratio = 250;                                  // unpacked over packed bytes of one entry ...
  std::uint64_t ratio_from = std::uint64_t{16} << 20;  // ... above this size
};

// What is wrong with a container or one of its members; members with a flaw are not listed as members.
struct Flaw {
  FailureKind kind = FailureKind::malformed;
  std::string name;  // the member's, printable; empty: the container's own
  std::string reason;
};

struct Member {
  std::string name;          // relative, '/' between parts, no "..", no control characters
  std::uint64_t size = 0;    // unpacked, as declared
  std::uint64_t packed = 0;  // bytes in the container
};

// Bytes and what keeps them alive: nothing when they lie inside the container's own bytes.
struct Content {
  Bytes bytes;
  std::shared_ptr<const void> owner;
};

class Container {
 public:
  virtual ~Container() = default;

  virtual std::string_view kind() const = 0;  // "zip", "tar", "gzip"
  const std::vector<Member>& members() const { return members_; }
  const std::vector<Flaw>& flaws() const { return flaws_; }
  // [begin, end) of the bytes given belong to it; what stands before or after is something else.
  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }

  // The first `count` bytes, or all when there are fewer. Refused, or Truncated, when the packed bytes are bad.
  virtual std::string head(std::size_t member, std::size_t count) const = 0;
  // All bytes; refuses more than `most` (too_large), a wrong checksum, a size that is not the declared one.
  virtual Content load(std::size_t member, std::uint64_t most) const = 0;

 protected:
  std::vector<Member> members_;
  std::vector<Flaw> flaws_;
  std::size_t begin_ = 0, end_ = 0;
};

// The caller keeps `bytes` alive. `most_entries` bounds what is listed; the rest is one flaw (too_many).
// All refuse bytes that are no such container at all.
std::unique_ptr<Container> open_zip(Bytes bytes, std::size_t most_entries);
std::unique_ptr<Container> open_tar(Bytes bytes, std::size_t most_entries);
// One member, called `inner_name`.
std::unique_ptr<Container> open_gzip(Bytes bytes, std::string inner_name);

// Why a name may not be followed, or empty when it may.
std::string unsafe_name(std::string_view name);
// For messages and records: control characters and broken UTF-8 become '?', at most 512 bytes.
std::string printable(std::string_view name);

}  // namespace thimble::gauge
