// What CLIP does to text before it is cut into words.
#include <array>
#include <optional>

#include "text/clip_bpe.h"
#include "text/normal_form.h"
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
constexpr std::array<Ligature, 14> kLigatures{{{0x132, 0x133, "ij"},
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
                                               {0xfb06, 0xfb06, "st"},
                                               {0xffe3, 0xffe3, " \xcc\x84"}}};

// clang-format off
// U+0080 to U+009F as Windows wrote them, and U+FF5F to U+FFEE in their usual width; 0: as they are.
constexpr std::array<char16_t, 32> kWindows{
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039,
    0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
};
constexpr std::array<char16_t, 144> kUsualWidth{
    0x2985, 0x2986, 0x3002, 0x300c, 0x300d, 0x3001, 0x30fb, 0x30f2, 0x30a1, 0x30a3, 0x30a5, 0x30a7,
    0x30a9, 0x30e3, 0x30e5, 0x30e7, 0x30c3, 0x30fc, 0x30a2, 0x30a4, 0x30a6, 0x30a8, 0x30aa, 0x30ab,
    0x30ad, 0x30af, 0x30b1, 0x30b3, 0x30b5, 0x30b7, 0x30b9, 0x30bb, 0x30bd, 0x30bf, 0x30c1, 0x30c4,
    0x30c6, 0x30c8, 0x30ca, 0x30cb, 0x30cc, 0x30cd, 0x30ce, 0x30cf, 0x30d2, 0x30d5, 0x30d8, 0x30db,
    0x30de, 0x30df, 0x30e0, 0x30e1, 0x30e2, 0x30e4, 0x30e6, 0x30e8, 0x30e9, 0x30ea, 0x30eb, 0x30ec,
    0x30ed, 0x30ef, 0x30f3, 0x3099, 0x309a, 0x1160, 0x1100, 0x1101, 0x11aa, 0x1102, 0x11ac, 0x11ad,
    0x1103, 0x1104, 0x1105, 0x11b0, 0x11b1, 0x11b2, 0x11b3, 0x11b4, 0x11b5, 0x111a, 0x1106, 0x1107,
    0x1108, 0x1121, 0x1109, 0x110a, 0x110b, 0x110c, 0x110d, 0x110e, 0x110f, 0x1110, 0x1111, 0x1112,
    0, 0, 0, 0x1161, 0x1162, 0x1163, 0x1164, 0x1165, 0x1166, 0, 0, 0x1167,
    0x1168, 0x1169, 0x116a, 0x116b, 0x116c, 0, 0, 0x116d, 0x116e, 0x116f, 0x1170, 0x1171,
    0x1172, 0, 0, 0x1173, 0x1174, 0x1175, 0, 0, 0, 0x00a2, 0x00a3, 0x00ac,
    0, 0x00a6, 0x00a5, 0x20a9, 0, 0x2502, 0x2190, 0x2191, 0x2192, 0x2193, 0x25a0, 0x25cb,
};
// clang-format on

template <std::size_t N>
char32_t mapped(const std::array<char16_t, N>& table, char32_t first, char32_t c) {
  if (c < first || c >= first + N) return c;
  const char16_t to = table[c - first];
  return to == 0 ? c : to;
}

// One code point as its plain form: several for ligatures, none for control characters.
void append_plain(std::string& out, char32_t c) {
  c = mapped(kUsualWidth, 0xff5f, mapped(kWindows, 0x80, c));
  const bool control = (c < 0x20 && (c == 0x0b || !is_space(c))) || c == 0x7f || (c >= 0x206a && c <= 0x206f) ||
                       c == 0xfeff || (c >= 0xfff9 && c <= 0xfffc);
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

// Bytes of a terminal's escape sequence at `at`, "ESC [ 1 ; 31 m"; 0 if there is none.
std::size_t terminal_escape(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with("\x1b[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;", at + 2);
  if (end == std::string_view::npos) return 0;
  const char c = static_cast<char>(text[end] | 0x20);
  return c >= 'a' && c <= 'z' ? end + 1 - at : 0;
}

}  // namespace

std::string clean_clip_text(std::string_view text, ClipCleaning cleaning) {
  const bool original = cleaning == ClipCleaning::original;
  std::string plain;
  if (original) {
    for (std::size_t i = 0; i < text.size();) {
      if (const std::size_t n = terminal_escape(text, i); n != 0) {
        i += n;
      } else {
        append_plain(plain, next_code_point(text, i));
      }
    }
    plain = resolve_references(resolve_references(compose(plain)));
  } else {
    plain = compose(text);
  }

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
    if (original && c == 0x3a3 && after_letter && !before_letter) {
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
