// ZIP (PKWARE's APPNOTE 6.3): end record, zip64, central directory, local headers. The central directory says what
// there is; the local headers must agree with it, and no two members may share bytes, so that nothing is read twice and
// every reader sees the same file.
#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/memory.h"
#include "gauge/container/container.h"
#include "gauge/container/inflate.h"

namespace thimble::gauge {
namespace {

constexpr std::string_view kEndMagic = "PK\5\6", kEnd64Magic = "PK\6\6", kLocatorMagic = "PK\6\7",
                           kCentralMagic = "PK\1\2", kLocalMagic = "PK\3\4";
constexpr std::size_t kEndSize = 22, kLocatorSize = 20, kCentralSize = 46, kLocalSize = 30;
constexpr std::uint16_t kEncrypted = 1 << 0, kDescriptor = 1 << 3;
constexpr std::uint16_t kStored = 0, kDeflated = 8, kAes = 99;
constexpr std::uint32_t kIn64 = 0xffffffff;  // "see the zip64 field"
constexpr std::uint64_t kCheckEncrypted = std::uint64_t{64} << 20;

// Where the central directory lies. Offsets in the file count from `base`: 0, or the length of what stands before the
// archive when its writer counted from its own start.
struct Directory {
  std::uint64_t base = 0, at = 0, size = 0, entries = 0;
  std::size_t end = 0;  // of the archive, comment included
};

struct Place {
  std::uint64_t local = 0, data = 0, packed = 0, size = 0;
  std::uint32_t crc = 0;
  std::uint16_t method = kStored;
  bool encrypted = false;
};

struct Central {
  Place place;
  std::string_view name;
  std::uint16_t flags = 0;
};

bool read_end64(Bytes b, std::size_t end, Directory& d) {
  if (end < kLocatorSize || !starts_with(b, kLocatorMagic, end - kLocatorSize)) return false;
  std::uint64_t at = load<std::uint64_t>(b, end - kLocatorSize + 8);
  // Bytes before the archive shift it: it then stands right before its locator.
  if (!starts_with(b, kEnd64Magic, static_cast<std::size_t>(std::min<std::uint64_t>(at, b.size())))) {
    if (end < kLocatorSize + 56) return false;
    at = end - kLocatorSize - 56;
  }
  if (!within(b.size(), at, 56) || !starts_with(b, kEnd64Magic, static_cast<std::size_t>(at))) return false;
  const auto p = static_cast<std::size_t>(at);
  d.entries = load<std::uint64_t>(b, p + 32);
  d.size = load<std::uint64_t>(b, p + 40);
  d.at = load<std::uint64_t>(b, p + 48);
  return true;
}

bool read_end(Bytes b, std::size_t at, Directory& d) {
  if (!within(b.size(), at, kEndSize) || !starts_with(b, kEndMagic, at)) return false;
  const std::size_t comment = load<std::uint16_t>(b, at + 20);
  if (!within(b.size(), at, kEndSize + comment)) return false;
  d = {.base = 0,
       .at = load<std::uint32_t>(b, at + 16),
       .size = load<std::uint32_t>(b, at + 12),
       .entries = load<std::uint16_t>(b, at + 10),
       .end = at + kEndSize + comment};
  const bool wide = d.at == kIn64 || d.size == kIn64 || d.entries == 0xffff;
  if (wide) read_end64(b, at, d);
  const auto central_at = [&](std::uint64_t base) {
    if (base > b.size() || d.at > b.size() || !within(at, base + d.at, d.size)) return false;
    return d.size == 0 || starts_with(b, kCentralMagic, static_cast<std::size_t>(base + d.at));
  };
  if (central_at(0)) return true;
  if (d.size > at || d.at > at - d.size) return false;
  d.base = at - d.size - d.at;
  return central_at(d.base);
}

Directory find_directory(Bytes b) {
  constexpr std::size_t kMostComment = 0xffff;
  if (b.size() < kEndSize) fail_truncated("zip: {} bytes are too few for its end record", b.size());
  const std::size_t last = b.size() - kEndSize, first = last > kMostComment ? last - kMostComment : 0;
  Directory d;
  for (std::size_t at = last + 1; at-- > first;) {
    if (read_end(b, at, d)) return d;
  }
  fail_truncated("zip: no end record with a central directory before it");
}

// The zip64 extra field holds, in this order, those of size, packed size and offset that were too wide.
void read_zip64(Bytes extra, Place& p) {
  Reader r(extra, "zip extra field");
  while (r.left() >= 4) {
    const std::uint16_t id = r.u16(), length = r.u16();
    if (length > r.left()) return;  // padding that some aligners leave
    Reader field(r.take(length), "zip64 field");
    if (id != 1) continue;
    if (p.size == kIn64) p.size = field.u64();
    if (p.packed == kIn64) p.packed = field.u64();
    if (p.local == kIn64) p.local = field.u64();
    return;
  }
}

Central read_central(Reader& r) {
  Central c;
  Reader h(r.take(kCentralSize), "zip central entry");
  h.skip(8);
  c.flags = h.u16();
  c.place.method = h.u16();
  h.skip(4);
  c.place.crc = h.u32();
  c.place.packed = h.u32();
  c.place.size = h.u32();
  const std::uint16_t name = h.u16(), extra = h.u16(), comment = h.u16();
  h.skip(8);
  c.place.local = h.u32();
  c.name = text_of(r.take(name));
  read_zip64(r.take(extra), c.place);
  r.skip(comment);
  return c;
}

// The packed bytes begin behind the local header, whose name and sizes must be those of the directory.
void find_data(Bytes b, std::uint64_t base, std::uint64_t central_begin, Central& c) {
  Place& p = c.place;
  if (p.local > b.size() || !within(central_begin, base + p.local, kLocalSize)) {
    refuse(FailureKind::malformed, "its local header at {} lies outside the archive", p.local);
  }
  p.local += base;
  const auto at = static_cast<std::size_t>(p.local);
  if (!starts_with(b, kLocalMagic, at)) refuse(FailureKind::malformed, "there is no local header at {}", p.local);
  const std::uint64_t name = load<std::uint16_t>(b, at + 26), extra = load<std::uint16_t>(b, at + 28);
  if (!within(central_begin, p.local + kLocalSize, name + extra)) {
    refuse(FailureKind::malformed, "its local header runs into the central directory");
  }
  const std::string_view local_name = text_of(b.subspan(at + kLocalSize, static_cast<std::size_t>(name)));
  if (local_name != c.name) {
    refuse(FailureKind::malformed, "its local header names another file, '{}'", printable(local_name));
  }
  if (load<std::uint16_t>(b, at + 8) != p.method) {
    refuse(FailureKind::malformed, "its local header names another method, {}", load<std::uint16_t>(b, at + 8));
  }
  const std::uint32_t local_packed = load<std::uint32_t>(b, at + 18), local_size = load<std::uint32_t>(b, at + 22);
  const bool told = (load<std::uint16_t>(b, at + 6) & kDescriptor) == 0 && local_size != kIn64 && local_packed != kIn64;
  if (told && (local_packed | local_size) != 0 && (local_packed != p.packed || local_size != p.size)) {
    refuse(FailureKind::lying_size, "its local header declares {} bytes in {}, the directory {} in {}", local_size,
           local_packed, p.size, p.packed);
  }
  p.data = p.local + kLocalSize + name + extra;
  if (!within(central_begin, p.data, p.packed)) {
    refuse(FailureKind::lying_size, "{} packed bytes are declared, {} lie before the central directory", p.packed,
           central_begin - std::min(central_begin, p.data));
  }
}

void check_place(const Place& p) {
  if (p.method == kAes) refuse(FailureKind::encrypted, "it is encrypted with AES");
  if (p.method != kStored && p.method != kDeflated) {
    refuse(FailureKind::unsupported_method, "it is packed by method {}; 0 (stored) and 8 (deflate) are read", p.method);
  }
  if (p.encrypted) return;  // an encrypted entry has twelve bytes more
  if (p.method == kStored && p.packed != p.size) {
    refuse(FailureKind::lying_size, "it is stored, yet {} bytes are declared in {}", p.size, p.packed);
  }
  if (p.size > most_inflated(p.packed)) {
    refuse(FailureKind::lying_size, "{} bytes are declared, more than {} packed bytes can hold", p.size, p.packed);
  }
}

class Zip final : public Container {
 public:
  Zip(Bytes bytes, std::size_t most_entries) : bytes_(bytes) {
    const Directory d = find_directory(bytes);
    end_ = d.end;
    read_entries(d, most_entries);
    drop_overlaps();
    begin_ = static_cast<std::size_t>(d.base + d.at);
    for (const Place& p : places_) begin_ = std::min(begin_, static_cast<std::size_t>(p.local));
  }

  std::string_view kind() const override { return "zip"; }

  std::string head(std::size_t i, std::size_t count) const override {
    const Place& p = places_[i];
    // Nothing but its checksum tells whether the flag of encryption is true, so such a member is read whole.
    if (p.encrypted) return std::string(text_of(load(i, kCheckEncrypted).bytes).substr(0, count));
    const Bytes packed = packed_bytes(p);
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, p.size));
    if (p.method == kStored) return std::string(text_of(packed.subspan(0, count)));
    return inflate_head(packed, Wrap::raw, count);
  }

  Content load(std::size_t i, std::uint64_t most) const override {
    const Place& p = places_[i];
    if (p.size > most) refuse(FailureKind::too_large, "{} bytes are declared, {} are allowed", p.size, most);
    if (!p.encrypted) return unpack(p);
    try {
      return unpack(p);
    } catch (const Error&) {
      refuse(FailureKind::encrypted, "it is encrypted with a password");
    }
  }

 private:
  Bytes packed_bytes(const Place& p) const {
    return bytes_.subspan(static_cast<std::size_t>(p.data), static_cast<std::size_t>(p.packed));
  }

  Content unpack(const Place& p) const {
    Content content;
    if (p.method == kStored) {
      if (p.packed != p.size) refuse(FailureKind::lying_size, "it is stored in {} bytes, not {}", p.packed, p.size);
      content.bytes = packed_bytes(p);
    } else {
      if (p.size > most_inflated(p.packed)) refuse(FailureKind::lying_size, "{} bytes cannot hold it", p.packed);
      auto buffer = std::make_shared<Buffer>(static_cast<std::size_t>(p.size));
      const std::size_t made = inflate_all(packed_bytes(p), Wrap::raw, {buffer->data(), buffer->size()});
      if (made != p.size) refuse(FailureKind::lying_size, "{} bytes are declared, {} came", p.size, made);
      content = {{buffer->data(), buffer->size()}, buffer};
    }
    const std::uint32_t crc = crc32_of(content.bytes);
    if (crc != p.crc) refuse(FailureKind::bad_checksum, "its CRC-32 is {:08x}, {:08x} was declared", crc, p.crc);
    return content;
  }

  void flaw(FailureKind kind, std::string_view name, std::string reason) {
    flaws_.push_back({kind, printable(name), std::move(reason)});
  }

  void read_entries(const Directory& d, std::size_t most_entries) {
    const std::uint64_t begin = d.base + d.at;
    Reader r(bytes_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(d.size)),
             "zip central directory");
    std::unordered_map<std::string, int> seen;
    std::uint64_t count = 0;
    for (; r.left() >= kCentralSize; ++count) {
      if (count == most_entries) {
        flaw(FailureKind::too_many, {},
             fmt::format("the first {} entries are read, {} are declared", count, d.entries));
        return;
      }
      if (!starts_with(bytes_, kCentralMagic, static_cast<std::size_t>(begin) + r.at())) break;
      try {
        Central c = read_central(r);
        add_entry(c, begin, d.base, seen);
      } catch (const Truncated& e) {
        flaw(FailureKind::truncated, {}, e.message());
        return;
      }
    }
    if (count != d.entries) {
      flaw(FailureKind::malformed, {}, fmt::format("the end record counts {} entries, {} are there", d.entries, count));
    }
  }

  void add_entry(Central& c, std::uint64_t central_begin, std::uint64_t base,
                 std::unordered_map<std::string, int>& seen) {
    std::string name(c.name);
    if (name.ends_with('/') && c.place.size == 0) return;
    try {
      const std::string bad = unsafe_name(name);
      if (!bad.empty()) refuse(FailureKind::unsafe_name, "its name is refused: {}", bad);
      c.place.encrypted = (c.flags & kEncrypted) != 0;
      find_data(bytes_, base, central_begin, c);
      check_place(c.place);
    } catch (const Refused& e) {
      flaw(e.failure(), name, e.message());
      return;
    }
    const int times = ++seen[name];
    if (times > 1) {
      flaw(FailureKind::duplicate_name, name, fmt::format("entry number {} of this name", times));
      name += "#" + std::to_string(times);
    }
    members_.push_back({std::move(name), c.place.size, c.place.packed});
    places_.push_back(c.place);
  }

  // In the order of bytes; the first claim stands. Else a few bytes could unpack to any amount, member by member.
  void drop_overlaps() {
    std::vector<std::size_t> order(places_.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return places_[a].local != places_[b].local ? places_[a].local < places_[b].local : a < b;
    });
    std::uint64_t end = 0;
    std::vector<bool> bad(places_.size());
    for (const std::size_t i : order) {
      const Place& p = places_[i];
      if (p.local < end) {
        bad[i] = true;
        flaw(FailureKind::overlap, members_[i].name,
             fmt::format("its bytes from {} belong to another entry too", p.local));
      } else {
        end = p.data + p.packed;
      }
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (bad[i]) continue;
      if (kept != i) {
        places_[kept] = places_[i];
        members_[kept] = std::move(members_[i]);
      }
      ++kept;
    }
    places_.resize(kept);
    members_.resize(kept);
  }

  Bytes bytes_;
  std::vector<Place> places_;  // beside members_
};

}  // namespace

std::unique_ptr<Container> open_zip(Bytes bytes, std::size_t most_entries) {
  return std::make_unique<Zip>(bytes, most_entries);
}

}  // namespace thimble::gauge
