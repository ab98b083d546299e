#include "text/utf8.h"

#include "base/error.h"

namespace thimble::text {
namespace {

unsigned raw_byte(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const unsigned first = raw_byte(text, at);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  char32_t value = 0;
  char32_t smallest = 0;
  if ((first & 0xe0) == 0xc0) {
    length = 2, value = first & 0x1f, smallest = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3, value = first & 0x0f, smallest = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4, value = first & 0x07, smallest = 0x10000;
  }
  if (length == 0 || text.size() - at < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    const unsigned b = raw_byte(text, at + i);
    if ((b & 0xc0) != 0x80) return 0;
    value = value << 6 | (b & 0x3f);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  return value < smallest || value > 0x10ffff || surrogate ? 0 : length;
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const std::size_t length = utf8_length(text, at);
  check(length != 0, "text was not checked to be UTF-8");
  const unsigned first = raw_byte(text, at);
  char32_t value = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) value = value << 6 | (raw_byte(text, at + i) & 0x3f);
  at += length;
  return value;
}

void append_utf8(std::string& out, char32_t c) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  }
}

void check_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) {
      fail(ErrorKind::bad_input, "text is not valid UTF-8 at byte {} (value 0x{:02x}); save or type it as UTF-8", at,
           raw_byte(text, at));
    }
    at += length;
  }
}

}  // namespace thimble::text
