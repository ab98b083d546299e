#include "gauge/apk/dex.h"

#include <algorithm>

namespace thimble::gauge {
namespace {

constexpr std::size_t kHeader = 0x70;
constexpr std::uint32_t kNativeOrder = 0x12345678;
constexpr std::uint32_t kStringItem = 4, kTypeItem = 4, kMethodItem = 8, kClassItem = 32;

}  // namespace

Dex::Table Dex::table(std::size_t at, std::uint32_t item, const char* what) const {
  const Table t{load<std::uint32_t>(file_, at), load<std::uint32_t>(file_, at + 4)};
  if (t.count != 0 && !within(file_.size(), t.at, std::uint64_t{t.count} * item)) {
    fail_truncated("dex: {} {} at {} do not fit in {} bytes", t.count, what, t.at, file_.size());
  }
  return t;
}

Dex Dex::parse(Bytes file, std::size_t at) {
  if (!within(file.size(), at, kHeader)) fail_truncated("dex: {} bytes are no header", file.size());
  if (!starts_with(file, "dex\n0", at) || file[at + 7] != std::byte{0}) fail(ErrorKind::bad_file, "dex: no magic");
  Dex dex;
  dex.version_ = (std::to_integer<int>(file[at + 5]) - '0') * 10 + (std::to_integer<int>(file[at + 6]) - '0');
  if (dex.version_ < 35 || dex.version_ > 41)
    fail(ErrorKind::unsupported, "dex version {}; 35 to 41 are read", dex.version_);
  if (load<std::uint32_t>(file, at + 0x28) != kNativeOrder)
    fail(ErrorKind::bad_file, "dex: not in little-endian order");
  dex.file_ = file;
  const auto size = load<std::uint32_t>(file, at + 0x20);
  const bool more = dex.version_ >= 41 && size >= kHeader && within(file.size(), at, std::uint64_t{size} + kHeader);
  dex.next_ = more ? at + size : file.size();
  dex.strings_ = dex.table(at + 0x38, kStringItem, "strings");
  dex.types_ = dex.table(at + 0x40, kTypeItem, "types");
  dex.methods_ = dex.table(at + 0x58, kMethodItem, "methods");
  dex.classes_ = dex.table(at + 0x60, kClassItem, "classes");
  return dex;
}

std::string_view Dex::string(std::uint32_t i) const {
  if (i >= strings_.count) fail(ErrorKind::bad_file, "dex: string {} of {}", i, strings_.count);
  Reader r(file_, "dex string");
  r.seek(load<std::uint32_t>(file_, strings_.at + std::size_t{i} * kStringItem));
  r.varint();  // its length in UTF-16 units; the bytes end at a zero
  const std::string_view rest = text_of(file_.subspan(r.at()));
  const std::size_t end = rest.find('\0');
  if (end == std::string_view::npos) fail_truncated("dex: string {} has no end", i);
  return rest.substr(0, end);
}

std::string_view Dex::type(std::uint32_t i) const {
  if (i >= types_.count) fail(ErrorKind::bad_file, "dex: type {} of {}", i, types_.count);
  return string(load<std::uint32_t>(file_, types_.at + std::size_t{i} * kTypeItem));
}

Dex::Method Dex::method(std::uint32_t i) const {
  if (i >= methods_.count) fail(ErrorKind::bad_file, "dex: method {} of {}", i, methods_.count);
  const std::size_t at = methods_.at + std::size_t{i} * kMethodItem;
  return {load<std::uint16_t>(file_, at), string(load<std::uint32_t>(file_, at + 4))};
}

std::uint32_t Dex::class_type(std::uint32_t i) const {
  if (i >= classes_.count) fail(ErrorKind::bad_file, "dex: class {} of {}", i, classes_.count);
  const auto type = load<std::uint32_t>(file_, classes_.at + std::size_t{i} * kClassItem);
  if (type >= types_.count) fail(ErrorKind::bad_file, "dex: class {} is type {} of {}", i, type, types_.count);
  return type;
}

std::uint32_t Dex::class_data(std::uint32_t i) const {
  if (i >= classes_.count) fail(ErrorKind::bad_file, "dex: class {} of {}", i, classes_.count);
  return load<std::uint32_t>(file_, classes_.at + std::size_t{i} * kClassItem + 24);
}

std::string mutf8_to_utf8(std::string_view s) {
  std::string out;
  const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  const auto follows = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  // A surrogate stands as ED A0..BF xx.
  const auto half = [&](std::size_t i, unsigned low, unsigned high) {
    return byte(i) == 0xed && byte(i + 1) >= low && byte(i + 1) <= high && follows(i + 2);
  };
  for (std::size_t i = 0; i < s.size();) {
    const unsigned c = byte(i);
    if (c < 0x80) {
      out += s[i++];
    } else if (c == 0xc0 && byte(i + 1) == 0x80) {
      out += '\0';
      i += 2;
    } else if (c >= 0xc2 && c < 0xe0 && follows(i + 1)) {
      out += s.substr(i, 2);
      i += 2;
    } else if (half(i, 0xa0, 0xaf) && half(i + 3, 0xb0, 0xbf)) {
      const unsigned high = (byte(i + 1) & 0xf) << 6 | (byte(i + 2) & 63),
                     low = (byte(i + 4) & 0xf) << 6 | (byte(i + 5) & 63);
      const unsigned point = 0x10000 + (high << 10 | low);
      out += static_cast<char>(0xf0 | point >> 18);
      out += static_cast<char>(0x80 | (point >> 12 & 63));
      out += static_cast<char>(0x80 | (point >> 6 & 63));
      out += static_cast<char>(0x80 | (point & 63));
      i += 6;
    } else if (c >= 0xe0 && c < 0xf0 && follows(i + 1) && follows(i + 2) && !half(i, 0xa0, 0xbf) &&
               !(c == 0xe0 && byte(i + 1) < 0xa0)) {
      out += s.substr(i, 3);
      i += 3;
    } else {
      out += "\xef\xbf\xbd";
      ++i;
    }
  }
  return out;
}

}  // namespace thimble::gauge
