// Names of members: which may be followed, and how they are shown.
#include <algorithm>

#include "gauge/container/container.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostName = 4096, kMostShown = 512;

// Length of the UTF-8 sequence at the front, 0 when it is none. Overlong forms and surrogates do no harm in a record.
std::size_t utf8_length(std::string_view s) {
  const auto lead = static_cast<unsigned char>(s.front());
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
  if (length == 0 || length > s.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(s[i]) & 0xc0) != 0x80) return 0;
  }
  // The forms that a strict reader (JSON, SQLite's tools) would refuse.
  const auto second = length > 1 ? static_cast<unsigned char>(s[1]) : 0;
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) || (lead == 0xf0 && second < 0x90) ||
      (lead == 0xf4 && second >= 0x90)) {
    return 0;
  }
  return length;
}

}  // namespace

std::string unsafe_name(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kMostName) return "it is longer than 4096 bytes";
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; })) {
    return "it has a control character";
  }
  if (name.front() == '/' || name.front() == '\\') return "it is absolute";
  if (name.size() > 1 && name[1] == ':' && std::isalpha(static_cast<unsigned char>(name[0])) != 0)
    return "it names a drive";
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find_first_of("/\\", begin), name.size());
    if (name.substr(begin, end - begin) == "..") return "it climbs out of the package with '..'";
    begin = end + 1;
  }
  return {};
}

std::string printable(std::string_view name) {
  std::string out;
  while (!name.empty() && out.size() < kMostShown) {
    const std::size_t length = utf8_length(name);
    const auto c = static_cast<unsigned char>(name.front());
    if (length == 0 || c < 0x20 || c == 0x7f) {
      out += '?';
      name.remove_prefix(1);
    } else {
      out += name.substr(0, length);
      name.remove_prefix(length);
    }
  }
  return name.empty() ? out : out + "…";
}

}  // namespace thimble::gauge
