// Android binary XML: a chunk of chunks (type u16, header size u16, size u32). Read are the string pool (UTF-8 or
// UTF-16), the map from names to Android's attribute numbers, and start tags. Chunks of other types are passed over,
// since obfuscators put invented ones between.
#include "gauge/apk/manifest.h"
#include "gauge/container/container.h"

namespace thimble::gauge {
namespace {

constexpr std::uint16_t kXml = 0x0003, kStringPool = 0x0001, kResourceMap = 0x0180, kStartTag = 0x0102;
constexpr std::uint32_t kUtf8Flag = 1 << 8, kNone = 0xffffffff;
constexpr std::size_t kMostStringBytes = 64 << 10;

void put_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 63));
    out += static_cast<char>(0x80 | (c >> 6 & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

std::string utf16_to_utf8(Bytes units) {
  std::string out;
  for (std::size_t i = 0; i + 1 < units.size(); i += 2) {
    std::uint32_t c = load<std::uint16_t>(units, i);
    if (c >= 0xd800 && c < 0xdc00 && i + 3 < units.size()) {
      const std::uint32_t low = load<std::uint16_t>(units, i + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        i += 2;
      }
    }
    put_utf8(out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
  }
  return out;
}

class StringPool {
 public:
  StringPool() = default;
  // `chunk` with its header of 28 bytes: counts of strings and styles, flags, where strings and styles begin.
  explicit StringPool(Bytes chunk) : chunk_(chunk) {
    Reader r(chunk, "AXML string pool");
    r.skip(2);
    offsets_at_ = r.u16();
    r.skip(4);
    count_ = r.u32();
    r.skip(4);
    utf8_ = (r.u32() & kUtf8Flag) != 0;
    strings_at_ = r.u32();
    if (!within(chunk.size(), offsets_at_, std::uint64_t{count_} * 4)) {
      fail_truncated("AXML: {} strings do not fit in a pool of {} bytes", count_, chunk.size());
    }
  }

  std::string get(std::uint32_t i) const {
    if (i == kNone) return {};
    if (i >= count_) fail(ErrorKind::bad_file, "AXML: string {} of {}", i, count_);
    Reader r(chunk_, "AXML string");
    r.seek(std::uint64_t{strings_at_} + load<std::uint32_t>(chunk_, offsets_at_ + std::size_t{i} * 4));
    if (utf8_) {
      length8(r);  // in UTF-16 units
      return std::string(text_of(r.take(std::min<std::size_t>(length8(r), kMostStringBytes))));
    }
    std::uint32_t units = r.u16();
    if ((units & 0x8000) != 0) units = (units & 0x7fff) << 16 | r.u16();
    return utf16_to_utf8(r.take(std::min<std::size_t>(std::size_t{units} * 2, kMostStringBytes)));
  }

 private:
  static std::size_t length8(Reader& r) {
    const std::size_t first = r.u8();
    return (first & 0x80) == 0 ? first : (first & 0x7f) << 8 | r.u8();
  }

  Bytes chunk_;
  std::size_t offsets_at_ = 0, strings_at_ = 0;
  std::uint32_t count_ = 0;
  bool utf8_ = false;
};

std::string typed_value(const StringPool& pool, std::uint32_t raw, std::uint8_t type, std::uint32_t data) {
  enum : std::uint8_t {
    kReference = 0x01,
    kAttribute = 0x02,
    kString = 0x03,
    kDecimal = 0x10,
    kHex = 0x11,
    kBoolean = 0x12
  };
  switch (type) {
    case kReference: return fmt::format("@{:08x}", data);
    case kAttribute: return fmt::format("?{:08x}", data);
    case kString: return pool.get(data);
    case kDecimal: return std::to_string(static_cast<std::int32_t>(data));
    case kHex: return fmt::format("0x{:x}", data);
    case kBoolean: return data != 0 ? "true" : "false";
    default: return raw != kNone ? pool.get(raw) : fmt::format("type {} value {:08x}", type, data);
  }
}

// Header of 16 bytes, then namespace, name, and where the attributes begin, how wide they are and how many.
void start_tag(Bytes chunk, std::size_t header, const StringPool& pool, Bytes resource_ids, Manifest& manifest) {
  Reader r(chunk, "AXML start tag");
  r.seek(header);
  r.skip(4);
  const std::string element = pool.get(r.u32());
  const std::uint16_t start = r.u16(), width = r.u16(), count = r.u16();
  if (width < 20 && count != 0) fail(ErrorKind::bad_file, "AXML: attributes of {} bytes", width);
  std::vector<std::string> names;
  names.reserve(count);  // attributes keep views of these
  std::vector<XmlAttribute> attributes;
  for (std::uint16_t i = 0; i < count; ++i) {
    r.seek(header + start + std::size_t{i} * width);
    r.skip(4);
    const std::uint32_t name = r.u32(), raw = r.u32();
    r.skip(3);
    const std::uint8_t type = r.u8();
    const std::uint32_t data = r.u32();
    names.push_back(pool.get(name));
    const bool mapped = std::uint64_t{name} * 4 + 4 <= resource_ids.size();
    attributes.push_back({names.back(), mapped ? load<std::uint32_t>(resource_ids, std::size_t{name} * 4) : 0,
                          typed_value(pool, raw, type, data)});
  }
  take_element(manifest, element, attributes);
}

}  // namespace

Manifest read_axml_manifest(Bytes bytes) {
  Reader r(bytes, "AXML");
  const std::uint16_t type = r.u16(), header = r.u16();
  r.skip(4);  // the size of all: lies are harmless, each chunk has its own
  // Obfuscators change the type; Android does not look at it.
  if ((type != kXml && type != 0) || header < 8) fail(ErrorKind::bad_file, "AXML: chunk type {:#06x}", type);
  r.seek(header);
  StringPool pool;
  Bytes resource_ids;
  Manifest manifest;
  while (r.left() >= 8) {
    const std::size_t at = r.at();
    const std::uint16_t chunk_type = r.u16(), chunk_header = r.u16();
    const std::uint32_t size = r.u32();
    if (chunk_header < 8 || size < chunk_header) fail(ErrorKind::bad_file, "AXML: a chunk of {} bytes at {}", size, at);
    r.seek(at);
    const Bytes chunk = r.take(size);
    if (chunk_type == kStringPool) pool = StringPool(chunk);
    if (chunk_type == kResourceMap) resource_ids = chunk.subspan(chunk_header);
    if (chunk_type == kStartTag) start_tag(chunk, chunk_header, pool, resource_ids, manifest);
  }
  if (manifest.package.empty()) fail(ErrorKind::bad_file, "manifest: no package name");
  return manifest;
}

}  // namespace thimble::gauge
