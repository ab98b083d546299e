#include "text/normal_form.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "text/utf8.h"

namespace thimble::text {
namespace {

// A code point, its one or two parts (0: one), and whether the two make it again.
struct Split {
  char32_t whole, first, second;
  int composes;
};

struct ClassRange {
  char32_t first, last;
  int combining;
};

// clang-format off
#include "text/normal_form_tables.inc"
// clang-format on

constexpr char32_t kSyllables = 0xac00, kLeads = 0x1100, kVowels = 0x1161, kTails = 0x11a7;
constexpr char32_t kVowelCount = 21, kTailCount = 28, kSyllableCount = 19 * kVowelCount * kTailCount;

int combining_class(char32_t c) {
  const auto* it = std::upper_bound(std::begin(kClasses), std::end(kClasses), c,
                                    [](char32_t v, const ClassRange& r) { return v < r.first; });
  return it != std::begin(kClasses) && c <= (it - 1)->last ? (it - 1)->combining : 0;
}

void append_parts(std::vector<char32_t>& out, char32_t c) {
  if (c >= kSyllables && c < kSyllables + kSyllableCount) {
    const char32_t i = c - kSyllables, tail = i % kTailCount;
    out.push_back(kLeads + i / kTailCount / kVowelCount);
    out.push_back(kVowels + i / kTailCount % kVowelCount);
    if (tail != 0) out.push_back(kTails + tail);
    return;
  }
  const auto* it = std::lower_bound(std::begin(kSplits), std::end(kSplits), c,
                                    [](const Split& s, char32_t v) { return s.whole < v; });
  if (it == std::end(kSplits) || it->whole != c) {
    out.push_back(c);
    return;
  }
  append_parts(out, it->first);
  if (it->second != 0) append_parts(out, it->second);
}

// The code point that two make together, or 0.
char32_t composed(char32_t a, char32_t b) {
  static const auto kPairs = [] {
    std::map<std::pair<char32_t, char32_t>, char32_t> pairs;
    for (const Split& s : kSplits) {
      if (s.composes != 0) pairs[{s.first, s.second}] = s.whole;
    }
    return pairs;
  }();
  if (a >= kLeads && a < kLeads + 19 && b >= kVowels && b < kVowels + kVowelCount) {
    return kSyllables + ((a - kLeads) * kVowelCount + (b - kVowels)) * kTailCount;
  }
  if (a >= kSyllables && a < kSyllables + kSyllableCount && (a - kSyllables) % kTailCount == 0 && b > kTails &&
      b < kTails + kTailCount) {
    return a + (b - kTails);
  }
  const auto it = kPairs.find({a, b});
  return it == kPairs.end() ? 0 : it->second;
}

}  // namespace

std::string compose(std::string_view text) {
  // Nothing below U+0300 moves or composes with what follows it below U+0300.
  if (std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0xcc; })) return std::string(text);
  std::vector<char32_t> points;
  for (std::size_t at = 0; at < text.size();) append_parts(points, next_code_point(text, at));

  // Runs of marks in the order of their classes; marks of one class stay as they came.
  for (std::size_t i = 0; i < points.size();) {
    std::size_t end = i;
    while (end < points.size() && combining_class(points[end]) != 0) ++end;
    std::stable_sort(points.begin() + static_cast<std::ptrdiff_t>(i), points.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    i = end + 1;
  }

  // A mark joins the last starter unless a mark of its class or a higher one stands between.
  std::vector<char32_t> out;
  std::ptrdiff_t starter = -1;
  int last = 0;  // class of what was kept last behind the starter; -1: nothing
  for (const char32_t c : points) {
    const int k = combining_class(c);
    if (starter >= 0 && (last < k || last == -1)) {
      if (const char32_t joined = composed(out[static_cast<std::size_t>(starter)], c); joined != 0) {
        out[static_cast<std::size_t>(starter)] = joined;
        continue;
      }
    }
    if (k == 0) {
      starter = static_cast<std::ptrdiff_t>(out.size());
      last = -1;
    } else {
      last = k;
    }
    out.push_back(c);
  }
  std::string composed_text;
  for (const char32_t c : out) append_utf8(composed_text, c);
  return composed_text;
}

}  // namespace thimble::text
