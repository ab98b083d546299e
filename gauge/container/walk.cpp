#include "gauge/container/walk.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "base/checksum.h"
#include "gauge/container/inflate.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostZipTries = 64;  // end records in one blob whose directories are looked at
constexpr std::size_t kMostCarvedEntries = 100'000;

// Accounts for what is unpacked. A member that lies inside its container costs nothing.
class Held {
 public:
  Held(std::uint64_t& held, std::uint64_t bytes) : held_(held), bytes_(bytes) { held_ += bytes_; }
  ~Held() { held_ -= bytes_; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

 private:
  std::uint64_t& held_;
  std::uint64_t bytes_;
};

std::string_view base_name(std::string_view path) { return path.substr(path.find_last_of('/') + 1); }

// "data.tar.gz" unpacks to "data.tar".
std::string unpacked_name(std::string_view path) {
  std::string name(base_name(path));
  if (name.ends_with(".tgz")) return name.substr(0, name.size() - 3) + "tar";
  if (name.ends_with(".gz")) return name.substr(0, name.size() - 3);
  return name + ".unpacked";
}

std::vector<std::size_t> find_all(Bytes bytes, std::string_view word) {
  std::vector<std::size_t> out;
  const auto* base = bytes.data();
  for (std::size_t at = 0; at + word.size() <= bytes.size();) {
    const void* hit = ::memmem(base + at, bytes.size() - at, word.data(), word.size());
    if (hit == nullptr) break;
    const auto found = static_cast<std::size_t>(static_cast<const std::byte*>(hit) - base);
    out.push_back(found);
    at = found + 1;
  }
  return out;
}

class MemberSiblings final : public Siblings {
 public:
  MemberSiblings(const Container& container, std::uint64_t most) : container_(container), most_(most) {}
  void stand_at(std::string_view member) { folder_ = member.substr(0, member.size() - base_name(member).size()); }

  std::optional<Content> find(const std::string& name) const override {
    if (index_.empty()) {
      for (std::size_t i = 0; i < container_.members().size(); ++i) index_.emplace(container_.members()[i].name, i);
    }
    const auto at = index_.find(folder_ + name);
    if (at == index_.end()) return std::nullopt;
    try {
      return container_.load(at->second, most_);
    } catch (const Error&) {
      return std::nullopt;  // its own visit tells why
    }
  }

 private:
  const Container& container_;
  std::uint64_t most_;
  std::string folder_;
  mutable std::unordered_map<std::string, std::size_t> index_;
};

class Walker {
 public:
  Walker(const Limits& limits, Visitor& visitor, const CancelToken& cancel)
      : limits_(limits), visitor_(visitor), cancel_(cancel) {}

  void root(Bytes bytes, const std::string& name, const Siblings* siblings) {
    Item item{.path = name,
              .kind = identify(bytes.first(std::min(bytes.size(), kHeadBytes))),
              .size = bytes.size(),
              .packed = bytes.size(),
              .is_package = true,
              .head = bytes.first(std::min(bytes.size(), kHeadBytes)),
              .siblings = siblings};
    if (item.kind.file_class == FileClass::container) {
      open(item, bytes);
      return;
    }
    ++totals.entries;
    if (visitor_.meet(item)) contents(item, bytes);
  }

  WalkTotals totals;

 private:
  // Paths of members of the package itself begin at its root; those of nested ones name the container.
  static std::string inside(const Item& container, std::string_view member) {
    return container.is_package ? std::string(member) : container.path + "!/" + std::string(member);
  }

  void open(const Item& item, Bytes bytes) {
    const std::optional<std::size_t> end = enter(item, bytes, bytes);
    if (end) rest(item, bytes, *end);
  }

  // Opens `bytes` as what the item's kind says; `own`, a part of them, is what tells it from its ancestors. Returns
  // where the container ends, none when it was refused.
  std::optional<std::size_t> enter(const Item& item, Bytes bytes, Bytes own) {
    if (item.depth >= limits_.depth) {
      visitor_.failure(item.path, FailureKind::too_deep, fmt::format("{} containers around it", item.depth));
      return std::nullopt;
    }
    const std::pair<std::size_t, std::uint64_t> identity{own.size(), checksum(own)};
    if (std::find(ancestors_.begin(), ancestors_.end(), identity) != ancestors_.end()) {
      visitor_.failure(item.path, FailureKind::cycle, "it holds itself");
      return std::nullopt;
    }
    std::unique_ptr<Container> container;
    try {
      const std::size_t left = limits_.entries - std::min(limits_.entries, totals.entries);
      container = item.kind.name == "zip"   ? open_zip(bytes, left)
                  : item.kind.name == "tar" ? open_tar(bytes, left)
                                            : open_gzip(bytes, unpacked_name(item.path));
    } catch (const Error& e) {
      visitor_.failure(item.path, failure_of(e), e.message());
      if (own.data() == bytes.data()) blob(item, bytes);  // what is left of it may still hold models
      return std::nullopt;
    }
    ancestors_.push_back(identity);
    members(item, *container);
    ancestors_.pop_back();
    return container->end();
  }

  void members(const Item& outer, const Container& container) {
    for (const Flaw& flaw : container.flaws()) {
      visitor_.failure(flaw.name.empty() ? outer.path : inside(outer, flaw.name), flaw.kind, flaw.reason);
    }
    MemberSiblings siblings(container, limits_.memory - std::min(limits_.memory, held_));
    for (std::size_t i = 0; i < container.members().size(); ++i) {
      cancel_.throw_if_cancelled();
      if (totals.entries == limits_.entries) {
        visitor_.failure(outer.path, FailureKind::too_many, fmt::format("{} entries were read", limits_.entries));
        return;
      }
      ++totals.entries;
      const Member& m = container.members()[i];
      Item item{.path = inside(outer, printable(m.name)),
                .size = m.size,
                .packed = m.packed,
                .depth = outer.depth + 1,
                .is_package = outer.is_package && container.kind() == "gzip"};
      siblings.stand_at(m.name);
      item.siblings = &siblings;
      member(container, i, item);
    }
  }

  void member(const Container& container, std::size_t i, Item& item) {
    try {
      const std::string head = container.head(i, kHeadBytes);
      item.head = bytes_of(head);
      item.kind = identify(item.head);
      const bool wanted = visitor_.meet(item);
      if (!wanted && item.kind.file_class != FileClass::container) return;
      const Content content = container.load(i, allowed(item, container.kind() == "gzip"));
      const std::uint64_t cost = content.owner == nullptr ? 0 : content.bytes.size();
      totals.unpacked += cost;
      const Held guard(held_, cost);
      item.size = content.bytes.size();
      contents(item, content.bytes);
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::cancelled) throw;
      visitor_.failure(item.path, failure_of(e), e.message());
    }
  }

  // How many bytes the member may unpack to; refuses one that declares more. gzip's declared size is a hint only.
  std::uint64_t allowed(const Item& item, bool hint) const {
    const std::uint64_t memory = limits_.memory - std::min(limits_.memory, held_);
    const std::uint64_t rest = limits_.unpacked - std::min(limits_.unpacked, totals.unpacked);
    const auto dense = static_cast<double>(item.packed) * limits_.ratio;
    const std::uint64_t by_ratio =
        std::max(limits_.ratio_from, dense < 1e18 ? static_cast<std::uint64_t>(dense) : ~std::uint64_t{0});
    const std::uint64_t most = std::min({memory, rest, by_ratio});
    if (hint || item.size <= most) return most;
    if (item.size > by_ratio) {
      refuse(FailureKind::ratio, "{} bytes from {} packed ones: more than {} to 1 is taken for a bomb", item.size,
             item.packed, limits_.ratio);
    }
    if (item.size > rest) {
      refuse(FailureKind::too_many, "{} bytes more would pass the {} that one package may unpack to", item.size,
             limits_.unpacked);
    }
    refuse(FailureKind::too_large, "{} bytes unpacked, {} of memory are left for this package", item.size, memory);
  }

  void contents(const Item& item, Bytes bytes) {
    if (item.kind.file_class == FileClass::container) {
      open(item, bytes);
    } else if (item.kind.file_class == FileClass::unknown) {
      blob(item, bytes);
    } else {
      visitor_.whole(item, bytes, {});
    }
  }

  // Bytes behind a container's end, when they are more than padding.
  void rest(const Item& outer, Bytes bytes, std::size_t end) {
    const Bytes tail = bytes.subspan(std::min(end, bytes.size()));
    if (std::all_of(tail.begin(), tail.end(), [](std::byte b) { return b == std::byte{0}; })) return;
    Item item = outer;
    item.offset = outer.offset + end;
    item.size = item.packed = tail.size();
    item.head = tail.first(std::min(tail.size(), kHeadBytes));
    item.kind = {"unknown", FileClass::unknown};
    if (visitor_.meet(item)) blob(item, tail);
  }

  void blob(const Item& item, Bytes bytes) {
    std::vector<Range> covered;
    for (const Carved& c : carve(bytes)) {
      covered.push_back({c.begin, c.end});
      open_carved(item, bytes, c);
    }
    visitor_.whole(item, bytes, covered);
  }

  // A container found in [begin, end) of a blob; its offsets count from `origin`.
  struct Carved {
    std::size_t begin = 0, end = 0, origin = 0;
    bool zip = false;
  };

  // The outermost ones; what lies within them is found when they are opened.
  static std::vector<Carved> carve(Bytes bytes) {
    std::vector<Carved> all;
    carve_tars(bytes, all);
    carve_zips(bytes, all);
    std::sort(all.begin(), all.end(),
              [](const Carved& a, const Carved& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
    std::vector<Carved> outer;
    for (const Carved& c : all) {
      if (outer.empty() || c.begin >= outer.back().end) outer.push_back(c);
    }
    return outer;
  }

  static void carve_tars(Bytes bytes, std::vector<Carved>& out) {
    constexpr std::size_t kMagicAt = 257;
    std::size_t free_from = 0;
    for (const std::size_t hit : find_all(bytes, "ustar")) {
      if (hit < free_from + kMagicAt) continue;
      const std::size_t begin = hit - kMagicAt;
      try {
        free_from = begin + open_tar(bytes.subspan(begin), kMostCarvedEntries)->end();
        out.push_back({begin, free_from, begin, false});
      } catch (const Refused&) {
        continue;  // the word alone
      }
    }
  }

  // From the last end record backwards, since that of an outer zip stands behind those of the zips within.
  static void carve_zips(Bytes bytes, std::vector<Carved>& out) {
    constexpr std::size_t kEndSize = 22;
    std::size_t tries = 0, taken_from = bytes.size();
    const std::vector<std::size_t> hits = find_all(bytes, "PK\5\6");
    for (auto hit = hits.rbegin(); hit != hits.rend() && tries < kMostZipTries; ++hit) {
      const std::size_t at = *hit;
      if (at >= taken_from || bytes.size() - at < kEndSize) continue;
      const std::size_t comment = load<std::uint16_t>(bytes, at + 20), size = load<std::uint32_t>(bytes, at + 12),
                        offset = load<std::uint32_t>(bytes, at + 16);
      if (size > at || comment > bytes.size() - at - kEndSize || !starts_with(bytes, "PK\1\2", at - size)) continue;
      ++tries;
      // Its writer counted offsets from the archive's start, or, when it was appended, from the blob's.
      const std::size_t origin = at - size >= offset ? at - size - offset : 0, end = at + kEndSize + comment;
      try {
        const std::size_t begin = origin + open_zip(bytes.subspan(origin, end - origin), kMostCarvedEntries)->begin();
        out.push_back({begin, end, origin, true});
        taken_from = begin;
      } catch (const Error&) {
        continue;
      }
    }
  }

  void open_carved(const Item& item, Bytes bytes, const Carved& c) {
    Item inner = item;
    inner.path = item.path_at(c.begin);
    inner.offset = 0;
    inner.is_package = false;
    inner.kind = {c.zip ? "zip" : "tar", FileClass::container};
    inner.size = inner.packed = c.end - c.begin;
    const Bytes part = bytes.subspan(c.origin, c.end - c.origin);
    const Bytes own = bytes.subspan(c.begin, c.end - c.begin);
    inner.head = own.first(std::min(own.size(), kHeadBytes));
    enter(inner, part, own);
  }

  const Limits& limits_;
  Visitor& visitor_;
  const CancelToken& cancel_;
  std::uint64_t held_ = 0;
  std::vector<std::pair<std::size_t, std::uint64_t>> ancestors_;  // size and checksum of the containers around
};

}  // namespace

WalkTotals walk(Bytes bytes, const std::string& name, const Limits& limits, const Siblings* siblings, Visitor& visitor,
                const CancelToken& cancel) {
  Walker walker(limits, visitor, cancel);
  walker.root(bytes, name, siblings);
  return walker.totals;
}

}  // namespace thimble::gauge
