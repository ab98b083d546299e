#include "media/png_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/error.h"

namespace thimble::media {
namespace {

constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";
constexpr std::size_t kLengthBytes = 4, kTypeBytes = 4, kSumBytes = 4, kAroundChunk = 12;

std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c >> 1 ^ (0xedb88320u & (0u - (c & 1)));
    table[i] = c;
  }
  return table;
}

std::uint32_t chunk_sum(std::string_view type_and_data) {
  static const auto table = make_crc_table();
  std::uint32_t crc = ~0u;
  for (const char c : type_and_data) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

std::uint32_t read_big_endian(std::string_view s) {
  std::uint32_t v = 0;
  for (std::size_t i = 0; i < 4; ++i) v = v << 8 | static_cast<unsigned char>(s[i]);
  return v;
}

std::string big_endian_bytes(std::uint32_t v) {
  std::string s;
  for (int i = 0; i < 4; ++i) s.push_back(static_cast<char>(v >> (24 - 8 * i) & 0xff));
  return s;
}

struct Chunk {
  std::string_view type, data;
  std::size_t end = 0;  // offset of the next one
};

Chunk chunk_at(std::string_view png, std::size_t at, std::string_view what) {
  if (png.size() - at < kAroundChunk) fail(ErrorKind::bad_file, "{}: the PNG ends inside a chunk", what);
  const std::size_t length = read_big_endian(png.substr(at, kLengthBytes));
  if (length > png.size() - at - kAroundChunk) {
    fail(ErrorKind::bad_file, "{}: the chunk at byte {} has {} bytes, {} are left", what, at, length,
         png.size() - at - kAroundChunk);
  }
  const std::string_view body = png.substr(at + kLengthBytes, kTypeBytes + length);
  return {body.substr(0, kTypeBytes), body.substr(kTypeBytes), at + kAroundChunk + length};
}

void check_chunk_sum(std::string_view png, const Chunk& chunk, std::string_view what) {
  const std::size_t sum = chunk.end - kSumBytes;
  const std::string_view body = png.substr(sum - kTypeBytes - chunk.data.size(), kTypeBytes + chunk.data.size());
  if (read_big_endian(png.substr(sum, kSumBytes)) != chunk_sum(body)) {
    fail(ErrorKind::bad_file, "{}: the sum of the text chunk before byte {} is wrong", what, chunk.end);
  }
}

// What stands before the next zero byte, which goes too; nothing when there is none.
std::optional<std::string_view> take_field(std::string_view& data) {
  const std::size_t zero = data.find('\0');
  if (zero == std::string_view::npos) return std::nullopt;
  const std::string_view field = data.substr(0, zero);
  data.remove_prefix(zero + 1);
  return field;
}

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (b < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xc0 | b >> 6));
      out.push_back(static_cast<char>(0x80 | (b & 0x3f)));
    }
  }
  return out;
}

// The text of a chunk that holds `key`.
std::optional<std::string> text_under(const Chunk& chunk, std::string_view key) {
  std::string_view rest = chunk.data;
  if (take_field(rest) != key) return std::nullopt;
  if (chunk.type == "tEXt") return utf8_of_latin1(rest);
  if (rest.size() < 2 || rest[0] != 0) return std::nullopt;  // compressed
  rest.remove_prefix(2);
  if (!take_field(rest) || !take_field(rest)) return std::nullopt;  // language, translated key
  return std::string(rest);
}

}  // namespace

std::string add_png_text(std::string_view png, std::string_view key, std::string_view text) {
  if (!png.starts_with(kPngSignature)) fail(ErrorKind::bad_file, "a text was to go into a PNG, this is none");
  const bool printable = std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7f; });
  if (key.empty() || key.size() > 79 || !printable || text.size() > kMaxPngText ||
      text.find('\0') != std::string_view::npos) {
    fail(ErrorKind::bad_input, "a text of {} bytes under a key of {} characters does not go into a PNG", text.size(),
         key.size());
  }
  const Chunk header = chunk_at(png, kPngSignature.size(), "the PNG");
  std::string body = "iTXt";
  body += key;
  body.append(5, '\0');  // end of the key, not compressed, method, no language, no translated key
  body += text;
  std::string out(png.substr(0, header.end));
  out += big_endian_bytes(static_cast<std::uint32_t>(body.size() - kTypeBytes));
  out += body;
  out += big_endian_bytes(chunk_sum(body));
  return out += png.substr(header.end);
}

std::optional<std::string> find_png_text(std::span<const std::byte> bytes, std::string_view key,
                                         std::string_view what) {
  const std::string_view png(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!png.starts_with(kPngSignature)) fail(ErrorKind::bad_file, "{} is no PNG", what);
  for (std::size_t at = kPngSignature.size(); at < png.size();) {
    const Chunk chunk = chunk_at(png, at, what);
    at = chunk.end;
    if (chunk.type == "IEND") break;
    if (chunk.type != "tEXt" && chunk.type != "iTXt") continue;
    const auto text = text_under(chunk, key);
    if (!text) continue;
    check_chunk_sum(png, chunk, what);
    if (text->size() > kMaxPngText) {
      fail(ErrorKind::bad_file, "{}: the text '{}' has {} bytes, at most {} are read", what, key, text->size(),
           kMaxPngText);
    }
    return text;
  }
  return std::nullopt;
}

}  // namespace thimble::media
