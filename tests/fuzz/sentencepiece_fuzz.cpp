// Target: SentencePiece models and texts. The first two bytes (little endian) are the model's length, then the model,
// then the text.
#include "text/sentencepiece.h"

#include <algorithm>
#include <bit>

#include "tests/fuzz/target.h"
#include "text/utf8.h"

namespace thimble::fuzz {
namespace {

std::string message(unsigned field, const std::string& m) {
  std::string s(1, static_cast<char>(field << 3 | 2));
  if (m.size() >= 0x80) s += static_cast<char>((m.size() & 0x7f) | 0x80);
  return s + static_cast<char>(m.size() >= 0x80 ? m.size() >> 7 : m.size()) + m;
}

std::string little_endian(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16), static_cast<char>(v >> 24)};
}

std::string piece(const std::string& text, float score, char kind) {
  return message(1, message(1, text) + "\x15" + little_endian(std::bit_cast<std::uint32_t>(score)) + "\x18" + kind);
}

// A trie that turns 'A' (unit 65, value at 66) into "ab".
std::string table() {
  std::vector<std::uint32_t> units(68, 0);
  units[65] = 'A' | 1u << 8 | (65u ^ 66u) << 10;
  units[66] = 1u << 31;
  std::string trie;
  for (const std::uint32_t u : units) trie += little_endian(u);
  return little_endian(static_cast<std::uint32_t>(trie.size())) + trie + std::string("ab\0 \0", 5);
}

std::string input_of(const std::string& model, const std::string& text) {
  return std::string{static_cast<char>(model.size()), static_cast<char>(model.size() >> 8)} + model + text;
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string space = "\xe2\x96\x81";
  const std::string pieces = piece("<unk>", 0, 2) + piece("</s>", 0, 3) + piece(space, -2, 1) + piece("a", -3, 1) +
                             piece("ab", -4, 1) + piece(space + "a", -4, 1) + piece("\xc3\xa9", -5, 1) +
                             piece("<x>", 0, 4);
  const std::string trainer = message(2, std::string("\x18\x01\xc0\x02\0\xc8\x02\x01\xd0\x02\x01", 11));
  const std::string text = " A ab  a\xc3\xa9<x>\xf0\x9f\x98\x80 zz\n";
  return {input_of(pieces + trainer + message(3, message(2, table())), text),
          input_of(pieces + trainer + message(3, std::string("\x18\0\x20\0\x28\0", 6)), text), input_of(pieces, text)};
}

}  // namespace thimble::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  if (size < 2) return 0;
  const std::string_view rest = fuzz::text_of(data + 2, size - 2);
  const std::size_t length = std::min<std::size_t>(data[0] | static_cast<std::size_t>(data[1]) << 8, rest.size());
  return fuzz::survives([&] {
    const auto sp = text::SentencePiece::parse(rest.substr(0, length), "input");
    const std::string_view text = rest.substr(length);
    text::check_utf8(sp.normalise(text));
    const auto ids = sp.encode(text);
    fuzz::require(std::all_of(ids.begin(), ids.end(), [&](auto id) { return id >= 0 && id < sp.vocab_size(); }));
    sp.decode(ids);
  });
}
