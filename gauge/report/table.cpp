#include "gauge/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace thimble::gauge {
namespace {

// One code point at `at`, which moves on; nothing for a byte that is not valid there.
std::optional<char32_t> next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  const int more = first >= 0xf0 && first < 0xf5   ? 3
                   : first >= 0xe0 && first < 0xf0 ? 2
                                                   : first >= 0xc2 && first < 0xe0;
  if (more == 0 || at + static_cast<std::size_t>(more) > text.size()) return std::nullopt;
  char32_t code = first & (0x3f >> more);
  for (int i = 0; i < more; ++i) {
    const unsigned char c = byte(at + static_cast<std::size_t>(i));
    if ((c & 0xc0) != 0x80) return std::nullopt;
    code = code << 6 | (c & 0x3f);
  }
  constexpr char32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
  if (code < kLeast[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return std::nullopt;
  at += static_cast<std::size_t>(more);
  return code;
}

// Characters that are not seen, or that change how what stands beside them is seen.
bool hides(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0x180e ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
         (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f) || (c & 0xfffe) == 0xfffe;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (value < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t most) {
  std::string out;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    if (count == most) return out + "…";
    const std::size_t begin = at;
    const std::optional<char32_t> code = next_code_point(text, at);
    if (!code) {
      out += "\xef\xbf\xbd";
    } else if (hides(*code)) {
      out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(*code));
    } else {
      out += text.substr(begin, at - begin);
    }
  }
  return out;
}

Cell number(std::int64_t value, std::string from) { return {value, {}, std::move(from)}; }
Cell number(std::uint64_t value, std::string from) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return {static_cast<std::int64_t>(std::min(value, kMost)), {}, std::move(from)};
}
Cell number(double value, std::string from) {
  if (!std::isfinite(value)) return missing("the source's number is not finite");
  return {value, {}, std::move(from)};
}
Cell text(std::string_view value, std::string from) { return {clean_text(value), {}, std::move(from)}; }
Cell missing(std::string_view why) { return {std::monostate{}, clean_text(why), {}}; }

std::optional<double> as_number(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell.value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&cell.value)) return *real;
  return std::nullopt;
}

void Table::add(std::vector<Cell> cells, std::string source) {
  check(cells.size() == columns.size(), "a row of a report's table has as many cells as the table columns");
  rows.push_back({std::move(cells), std::move(source)});
}

std::size_t Table::column(std::string_view wanted) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].id == wanted) return i;
  }
  fail(ErrorKind::internal, "table {} has no column {}", id, wanted);
}

const Table* Report::find(std::string_view id) const {
  for (const Table& t : tables) {
    if (t.id == id) return &t;
  }
  return nullptr;
}

std::string display(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell.value)) return grouped(*integer);
  if (const auto* words = std::get_if<std::string>(&cell.value)) return *words;
  if (const auto* real = std::get_if<double>(&cell.value)) {
    const double size = std::abs(*real);
    if (size >= 1e15 || (size > 0 && size < 1e-4)) return fmt::format("{:.3g}", *real);
    if (size >= 1000) return grouped(std::llround(*real));
    return fmt::format("{:.4g}", *real);
  }
  return {};
}

}  // namespace thimble::gauge
