// What CLIP does to text before it is cut into words.
#include <array>
#include <optional>

#include "text/clip_bpe.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

struct Named {
  std::string_view name;
  char32_t value;
};

// The references that must work without their semicolon are those of early HTML; these are the ones met in captions.
constexpr std::array<Named, 9> kNamed{{{"amp", '&'},
                                       {"AMP", '&'},
                                       {"lt", '<'},
                                       {"gt", '>'},
                                       {"LT", '<'},
                                       {"GT", '>'},
                                       {"quot", '"'},
                                       {"QUOT", '"'},
                                       {"nbsp", 0xa0}}};

// Number of "&#233;" or "&#xe9;"; `at` is behind '#' and moves past the reference.
std::optional<char32_t> numeric_reference(std::string_view text, std::size_t& at) {
  const bool hex = at < text.size() && (text[at] == 'x' || text[at] == 'X');
  std::size_t i = at + (hex ? 1 : 0);
  const std::size_t digits = i;
  char32_t value = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    char32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<char32_t>(c - '0');
    } else if (hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
      digit = static_cast<char32_t>((c | 0x20) - 'a' + 10);
    } else {
      break;
    }
    if (value <= 0x10ffff) value = value * (hex ? 16 : 10) + digit;
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (i == digits || value < 0x20 || (value >= 0x7f && value < 0xa0) || surrogate || value > 0x10ffff)
    return std::nullopt;
  at = i < text.size() && text[i] == ';' ? i + 1 : i;
  return value;
}

std::optional<char32_t> named_reference(std::string_view text, std::size_t& at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("apos;")) {
    at += 5;
    return U'\'';
  }
  for (const Named& n : kNamed) {
    if (!rest.starts_with(n.name)) continue;
    at += n.name.size();
    if (at < text.size() && text[at] == ';') ++at;
    return n.value;
  }
  return std::nullopt;
}

std::string resolve_references(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == '&') {
      const bool numeric = i + 1 < text.size() && text[i + 1] == '#';
      std::size_t at = i + (numeric ? 2 : 1);
      if (const auto c = numeric ? numeric_reference(text, at) : named_reference(text, at)) {
        append_utf8(out, *c);
        i = at;
        continue;
      }
    }
    out += text[i++];
  }
  return out;
}

// Letters in one, spelled out; their case does not matter, lowercasing follows.
struct Ligature {
  char32_t first, last;
  std::string_view plain;
};
constexpr std::array<Ligature, 13> kLigatures{{{0x132, 0x133, "ij"},
                                               {0x149, 0x149, "'n"},
                                               {0x1c4, 0x1c6, "d\xc5\xbe"},
                                               {0x1c7, 0x1c9, "lj"},
                                               {0x1ca, 0x1cc, "nj"},
                                               {0x1f1, 0x1f3, "dz"},
                                               {0xfb00, 0xfb00, "ff"},
                                               {0xfb01, 0xfb01, "fi"},
                                               {0xfb02, 0xfb02, "fl"},
                                               {0xfb03, 0xfb03, "ffi"},
                                               {0xfb04, 0xfb04, "ffl"},
                                               {0xfb05, 0xfb05, "\xc5\xbft"},
                                               {0xfb06, 0xfb06, "st"}}};

// One code point as its plain form: several for ligatures, none for control characters.
void append_plain(std::string& out, char32_t c) {
  const bool control = (c < 0x20 && !is_space(c)) || (c >= 0x7f && c < 0xa0 && c != 0x85) ||
                       (c >= 0x206a && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
  if (control) return;
  for (const Ligature& l : kLigatures) {
    if (c < l.first || c > l.last) continue;
    out += l.plain;
    return;
  }
  if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b)) {
    out += '\'';
  } else if (c >= 0x201c && c <= 0x201f) {
    out += '"';
  } else if (c >= 0xff01 && c <= 0xff5e) {
    out += static_cast<char>(c - 0xff01 + 0x21);
  } else {
    append_utf8(out, c);
  }
}

}  // namespace

std::string clean_clip_text(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size();) append_plain(plain, next_code_point(text, i));
  plain = resolve_references(resolve_references(plain));

  std::string out;
  bool space = false, after_letter = false;
  for (std::size_t i = 0; i < plain.size();) {
    const char32_t c = next_code_point(plain, i);
    if (is_space(c)) {
      space = !out.empty();
      after_letter = false;
      continue;
    }
    if (space) out += ' ';
    space = false;
    std::size_t behind = i;
    const bool before_letter = i < plain.size() && is_letter(next_code_point(plain, behind));
    if (c == 0x3a3 && after_letter && !before_letter) {
      append_utf8(out, 0x3c2);  // a Greek sigma that ends its word
    } else if (c == 0x130) {
      out += "i\xcc\x87";  // Turkish dotted I: i and a combining dot
    } else {
      append_utf8(out, to_lower(c));
    }
    after_letter = is_letter(c);
  }
  return out;
}

}  // namespace thimble::text
