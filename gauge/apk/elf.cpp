// The dynamic section is found by program headers, as a loader does; stripped files have no section headers to trust.
#include "gauge/apk/elf.h"

#include <algorithm>
#include <array>
#include <optional>

namespace thimble::gauge {
namespace {

constexpr std::uint32_t kLoad = 1, kDynamic = 2;
enum Tag : std::uint64_t {
  kNeeded = 1,
  kHash = 4,
  kStringTable = 5,
  kSymbolTable = 6,
  kStringSize = 10,
  kSoname = 14,
  kGnuHash = 0x6ffffef5,
  kVersionDefs = 0x6ffffffc,
  kVersionDefCount = 0x6ffffffd,
};
constexpr std::uint32_t kMostSymbols = 4'000'000, kMostSegments = 1024;

struct Segment {
  std::uint32_t type = 0;
  std::uint64_t offset = 0, address = 0, size = 0;  // size in the file
};

std::string_view machine_name(std::uint16_t machine) {
  switch (machine) {
    case 183: return "arm64-v8a";
    case 40: return "armeabi-v7a";
    case 62: return "x86_64";
    case 3: return "x86";
    case 243: return "riscv64";
    case 164: return "hexagon";
    default: return "other";
  }
}

class File {
 public:
  explicit File(Bytes bytes) : bytes_(bytes) {
    if (!starts_with(bytes,
                     "\x7f"
                     "ELF") ||
        bytes.size() < 52)
      fail(ErrorKind::bad_file, "ELF: no header");
    const auto width = std::to_integer<int>(bytes[4]);
    if (width != 1 && width != 2) fail(ErrorKind::bad_file, "ELF: class {}", width);
    if (bytes[5] != std::byte{1}) fail(ErrorKind::unsupported, "ELF: big-endian files are not read");
    elf_.wide = width == 2;
    elf_.machine = machine_name(get<std::uint16_t>(18));
    read_segments();
  }

  Elf read() {
    const auto dynamic =
        std::find_if(segments_.begin(), segments_.end(), [](const Segment& s) { return s.type == kDynamic; });
    if (dynamic == segments_.end()) return std::move(elf_);
    std::vector<std::uint64_t> needed;
    std::optional<std::uint64_t> soname, strings, symbols, hash, gnu_hash, version_defs;
    std::uint64_t string_size = 0, version_count = 0;
    const std::uint64_t entry = elf_.wide ? 16 : 8;
    for (std::uint64_t i = 0; i + entry <= dynamic->size; i += entry) {
      const std::uint64_t at = dynamic->offset + i;
      const std::uint64_t tag = word(at), value = word(at + entry / 2);
      if (tag == 0) break;
      if (tag == kNeeded && needed.size() < kMostSegments) needed.push_back(value);
      if (tag == kSoname) soname = value;
      if (tag == kStringTable) strings = offset_of(value);
      if (tag == kStringSize) string_size = value;
      if (tag == kSymbolTable) symbols = offset_of(value);
      if (tag == kHash) hash = offset_of(value);
      if (tag == kGnuHash) gnu_hash = offset_of(value);
      if (tag == kVersionDefs) version_defs = offset_of(value);
      if (tag == kVersionDefCount) version_count = value;
    }
    if (!strings) return std::move(elf_);
    if (*strings > bytes_.size()) fail_truncated("ELF: the string table lies at {} of {}", *strings, bytes_.size());
    strings_ = text_of(bytes_.subspan(static_cast<std::size_t>(*strings),
                                      static_cast<std::size_t>(std::min(string_size, bytes_.size() - *strings))));
    for (const std::uint64_t n : needed) elf_.needed.push_back(string(n));
    if (soname) elf_.soname = string(*soname);
    if (symbols) read_symbols(*symbols, symbol_count(*symbols, *strings, hash, gnu_hash));
    if (version_defs) read_versions(*version_defs, std::min<std::uint64_t>(version_count, 256));
    return std::move(elf_);
  }

 private:
  template <class T>
  T get(std::uint64_t at) const {
    if (!within(bytes_.size(), at, sizeof(T))) fail_truncated("ELF: byte {} of {}", at, bytes_.size());
    return load<T>(bytes_, static_cast<std::size_t>(at));
  }
  std::uint64_t word(std::uint64_t at) const { return elf_.wide ? get<std::uint64_t>(at) : get<std::uint32_t>(at); }

  void read_segments() {
    const std::uint64_t table = elf_.wide ? get<std::uint64_t>(32) : get<std::uint32_t>(28);
    const std::uint32_t size = get<std::uint16_t>(elf_.wide ? 54 : 42);
    const std::uint32_t count = std::min<std::uint32_t>(get<std::uint16_t>(elf_.wide ? 56 : 44), kMostSegments);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint64_t at = table + std::uint64_t{i} * size;
      Segment s;
      s.type = get<std::uint32_t>(at);
      s.offset = word(at + (elf_.wide ? 8 : 4));
      s.address = word(at + (elf_.wide ? 16 : 8));
      s.size = word(at + (elf_.wide ? 32 : 16));
      segments_.push_back(s);
    }
  }

  std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
    for (const Segment& s : segments_) {
      if (s.type == kLoad && address >= s.address && address - s.address < s.size)
        return s.offset + (address - s.address);
    }
    return std::nullopt;
  }

  std::string_view string(std::uint64_t at) const {
    if (at >= strings_.size()) return {};
    const std::string_view rest = strings_.substr(static_cast<std::size_t>(at));
    return rest.substr(0, rest.find('\0'));
  }

  // The dynamic section does not say how many symbols there are; its hash tables do.
  std::uint64_t symbol_count(std::uint64_t symbols, std::uint64_t strings, std::optional<std::uint64_t> hash,
                             std::optional<std::uint64_t> gnu_hash) const {
    const std::uint64_t width = elf_.wide ? 24 : 16;
    std::uint64_t count = 0;
    if (hash) {
      count = get<std::uint32_t>(*hash + 4);
    } else if (gnu_hash) {
      count = gnu_count(*gnu_hash);
    } else if (strings > symbols) {
      count = (strings - symbols) / width;  // linkers put the strings behind
    }
    const std::uint64_t room = symbols < bytes_.size() ? (bytes_.size() - symbols) / width : 0;
    return std::min({count, room, std::uint64_t{kMostSymbols}});
  }

  // The last symbol is the end of the chain that begins at the highest bucket.
  std::uint64_t gnu_count(std::uint64_t at) const {
    const auto buckets = get<std::uint32_t>(at), first = get<std::uint32_t>(at + 4), bloom = get<std::uint32_t>(at + 8);
    const std::uint64_t bucket_at = at + 16 + std::uint64_t{bloom} * (elf_.wide ? 8 : 4);
    const std::uint64_t chain_at = bucket_at + std::uint64_t{buckets} * 4;
    if (!within(bytes_.size(), bucket_at, std::uint64_t{buckets} * 4)) return first;
    std::uint32_t last = 0;
    for (std::uint32_t i = 0; i < buckets; ++i)
      last = std::max(last, get<std::uint32_t>(bucket_at + std::uint64_t{i} * 4));
    if (last < first) return first;
    std::uint64_t i = last;
    while ((get<std::uint32_t>(chain_at + (i - first) * 4) & 1) == 0) ++i;
    return i + 1;
  }

  void read_symbols(std::uint64_t table, std::uint64_t count) {
    constexpr unsigned kGlobal = 1, kWeak = 2;
    for (std::uint64_t i = 1; i < count; ++i) {
      const std::uint64_t at = table + i * (elf_.wide ? 24 : 16);
      const std::string_view name = string(get<std::uint32_t>(at));
      const unsigned binding = get<std::uint8_t>(at + (elf_.wide ? 4 : 12)) >> 4;
      if (name.empty() || (binding != kGlobal && binding != kWeak)) continue;
      const bool defined = get<std::uint16_t>(at + (elf_.wide ? 6 : 14)) != 0;
      (defined ? elf_.exported : elf_.imported).push_back(name);
    }
  }

  // Verdef: u16 version, flags, index, count; u32 hash, offset of its names, offset of the next.
  void read_versions(std::uint64_t at, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::string_view name = string(get<std::uint32_t>(at + get<std::uint32_t>(at + 12)));
      if (!name.empty()) elf_.versions.push_back(name);
      const auto next = get<std::uint32_t>(at + 16);
      if (next == 0) return;
      at += next;
    }
  }

  Bytes bytes_;
  Elf elf_;
  std::vector<Segment> segments_;
  std::string_view strings_;
};

}  // namespace

Elf read_elf(Bytes bytes) { return File(bytes).read(); }

}  // namespace thimble::gauge
