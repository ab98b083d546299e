#include "plot/font.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace thimble::plot {
namespace {

// One character a row, from the top; its value in base 32 (0-9, a-v) holds the five pixels, the left one highest.
constexpr std::array<std::string_view, 95> kGlyphs = {
    "000000000", "444440400", "aaa000000", "aavavaa00", "4fke5u400", "op248j300", "cik8lid00", "440000000",  //  !"#$%&'
    "248884200", "842224800", "04lel4000", "044v44000", "00000c480", "000v00000", "00000cc00", "11248gg00",  // ()*+,-./
    "ehjlphe00", "4c4444e00", "eh1248v00", "v2421he00", "26aiv2200", "vgu11he00", "68guhhe00", "v12488800",  // 01234567
    "ehhehhe00", "ehhf12c00", "0cc0cc000", "0cc0c4800", "248g84200", "00v0v0000", "842124800", "eh1240400",  // 89:;<=>?
    "eh1dlle00", "ehhvhhh00", "uhhuhhu00", "ehggghe00", "sihhhis00", "vgguggv00", "vgguggg00", "ehgnhhf00",  // @ABCDEFG
    "hhhvhhh00", "e44444e00", "72222ic00", "hikokih00", "ggggggv00", "hrllhhh00", "hhpljhh00", "ehhhhhe00",  // HIJKLMNO
    "uhhuggg00", "ehhhlid00", "uhhukih00", "fgge11u00", "v44444400", "hhhhhhe00", "hhhhha400", "hhhllla00",  // PQRSTUVW
    "hha4ahh00", "hhha44400", "v1248gv00", "e88888e00", "gg8421100", "e22222e00", "4ah000000", "0000000v0",  // XYZ[\]^_
    "840000000", "00e1fhf00", "ggmphhu00", "00egghe00", "11djhhf00", "00ehvge00", "698s88800", "00fhhhf1e",  // `abcdefg
    "ggmphhh00", "40c444e00", "2062222ic", "ggikoki00", "c44444e00", "00qllll00", "00mphhh00", "00ehhhe00",  // hijklmno
    "00uhhhugg", "00fhhhf11", "00mpggg00", "00ege1u00", "88s889600", "00hhhjd00", "00hhha400", "00hhlla00",  // pqrstuvw
    "00ha4ah00", "00hhhhf1e", "00v248v00", "244844200", "444444400", "844244800", "008l20000",               // xyz{|}~
};

int row_bits(char c) { return c >= 'a' ? c - 'a' + 10 : c - '0'; }

const std::map<std::string_view, char>& plain_forms() {
  static const std::map<std::string_view, char> table = {
      {"\u2018", '\''}, {"\u2019", '\''}, {"\u201c", '"'}, {"\u201d", '"'}, {"\u2013", '-'}, {"\u2014", '-'},
      {"\u2212", '-'},  {"\u00d7", 'x'},  {"\u00b5", 'u'}, {"\u00e0", 'a'}, {"\u00e1", 'a'}, {"\u00e2", 'a'},
      {"\u00e3", 'a'},  {"\u00e4", 'a'},  {"\u00e5", 'a'}, {"\u00e7", 'c'}, {"\u00e8", 'e'}, {"\u00e9", 'e'},
      {"\u00ea", 'e'},  {"\u00eb", 'e'},  {"\u00ed", 'i'}, {"\u00f1", 'n'}, {"\u00f3", 'o'}, {"\u00f4", 'o'},
      {"\u00f6", 'o'},  {"\u00fa", 'u'},  {"\u00fc", 'u'}, {"\u00c5", 'A'}, {"\u00c7", 'C'}, {"\u00c9", 'E'},
  };
  return table;
}

}  // namespace

std::string to_ascii(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = 1;
    if (static_cast<unsigned char>(text[i]) >= 0x80) {
      while (i + n < text.size() && (static_cast<unsigned char>(text[i + n]) & 0xc0) == 0x80) ++n;
      const auto it = plain_forms().find(text.substr(i, n));
      out += it == plain_forms().end() ? '?' : it->second;
    } else {
      out += text[i] >= ' ' && text[i] <= '~' ? text[i] : ' ';
    }
    i += n;
  }
  return out;
}

void draw_text(media::Image& rgb, int x, int y, std::string_view ascii, media::Rgb colour, int scale, bool vertical) {
  const auto dot = [&](int px, int py) {
    if (px < 0 || py < 0 || px >= rgb.width || py >= rgb.height) return;
    std::uint8_t* p = rgb.at(px, py);
    p[0] = colour.r, p[1] = colour.g, p[2] = colour.b;
  };
  for (std::size_t i = 0; i < ascii.size(); ++i) {
    const char c = ascii[i];
    const std::string_view glyph =
        kGlyphs[c >= ' ' && c <= '~' ? static_cast<std::size_t>(c - ' ') : std::size_t{'?' - ' '}];
    for (int row = 0; row < kGlyphHeight * scale; ++row) {
      for (int column = 0; column < kGlyphWidth * scale; ++column) {
        if ((row_bits(glyph[static_cast<std::size_t>(row / scale)]) >> (kGlyphWidth - 1 - column / scale) & 1) == 0)
          continue;
        const int along = static_cast<int>(i) * kAdvance * scale + column;
        if (vertical) {
          dot(x + row, y - along);
        } else {
          dot(x + along, y + row);
        }
      }
    }
  }
}

std::vector<std::string> wrap(std::string_view ascii, int columns, int lines) {
  const auto limit = static_cast<std::size_t>(std::max(1, columns));
  std::vector<std::string> out;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out.push_back(std::exchange(line, {}));
  };
  while (!ascii.empty()) {
    const auto end = std::min(ascii.find(' '), ascii.size());
    std::string_view word = ascii.substr(0, end);
    ascii.remove_prefix(std::min(end + 1, ascii.size()));
    if (!line.empty() && line.size() + 1 + word.size() > limit) flush();
    for (; word.size() > limit; word.remove_prefix(limit)) out.emplace_back(word.substr(0, limit));
    if (!line.empty() && !word.empty()) line += ' ';
    line += word;
  }
  flush();
  if (out.size() > static_cast<std::size_t>(std::max(0, lines))) {
    out.resize(static_cast<std::size_t>(std::max(0, lines)));
    if (!out.empty()) {
      std::string& last = out.back();
      last = last.substr(0, std::min(last.size(), limit < 2 ? 0 : limit - 2)) + "..";
    }
  }
  return out;
}

}  // namespace thimble::plot
