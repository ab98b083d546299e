#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace thimble::fuzz {
namespace {

std::size_t pick(Rng& rng, std::size_t n) { return static_cast<std::size_t>(rng.below(n)); }

void flip_bit(std::string& s, Rng& rng) {
  const std::size_t i = pick(rng, s.size());
  s[i] = static_cast<char>(s[i] ^ (1 << pick(rng, 8)));
}

void set_byte(std::string& s, Rng& rng) { s[pick(rng, s.size())] = static_cast<char>(rng.below(256)); }

void truncate(std::string& s, Rng& rng) { s.resize(pick(rng, s.size())); }

void erase_chunk(std::string& s, Rng& rng) {
  const std::size_t at = pick(rng, s.size());
  s.erase(at, 1 + pick(rng, std::min<std::size_t>(s.size() - at, 64)));
}

void repeat_chunk(std::string& s, Rng& rng) {
  const std::size_t at = pick(rng, s.size());
  const std::string chunk = s.substr(at, 1 + pick(rng, std::min<std::size_t>(s.size() - at, 64)));
  for (std::size_t n = 1 + pick(rng, rng.chance(0.1) ? 200 : 3); n > 0; --n) s.insert(at, chunk);
}

void swap_chunks(std::string& s, Rng& rng) {
  const std::size_t n = 1 + pick(rng, std::min<std::size_t>(s.size(), 16));
  const std::size_t a = pick(rng, s.size() - n + 1), b = pick(rng, s.size() - n + 1);
  std::string first = s.substr(a, n), second = s.substr(b, n);
  s.replace(a, n, second);
  s.replace(b, n, first);
}

// Little or big endian, one to eight bytes wide.
void edge_number(std::string& s, Rng& rng) {
  constexpr std::array<std::uint64_t, 10> kEdges{
      0, 1, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, ~std::uint64_t{0}};
  const std::size_t width = std::min(std::size_t{1} << pick(rng, 4), s.size());
  const std::size_t at = pick(rng, s.size() - width + 1);
  const std::uint64_t value = kEdges[pick(rng, kEdges.size())];
  const bool big = rng.chance(0.5);
  for (std::size_t i = 0; i < width; ++i) {
    s[at + (big ? width - 1 - i : i)] = static_cast<char>(value >> (8 * i) & 0xff);
  }
}

// Replaces a run of digits.
void text_number(std::string& s, Rng& rng) {
  constexpr std::array<const char*, 16> kNumbers{"0",
                                                 "1",
                                                 "-1",
                                                 "2",
                                                 "7",
                                                 "64",
                                                 "255",
                                                 "65536",
                                                 "2147483647",
                                                 "4294967296",
                                                 "1e308",
                                                 "0.5",
                                                 "-0",
                                                 "9223372036854775807",
                                                 "18446744073709551615",
                                                 "99999999999999999999999"};
  const auto digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  const auto start = s.begin() + static_cast<std::ptrdiff_t>(pick(rng, s.size()));
  const auto first = std::find_if(start, s.end(), digit);
  if (first == s.end()) return;
  const auto last = std::find_if_not(first, s.end(), digit);
  s.replace(first, last, kNumbers[pick(rng, kNumbers.size())]);
}

void splice(std::string& s, const std::vector<std::string>& pool, Rng& rng) {
  const std::string& other = pool[pick(rng, pool.size())];
  if (other.empty()) return;
  s.resize(pick(rng, s.size() + 1));
  s += other.substr(pick(rng, other.size()));
}

void graft(std::string& s, const std::vector<std::string>& pool, Rng& rng) {
  const std::string& other = pool[pick(rng, pool.size())];
  if (other.empty()) return;
  const std::size_t from = pick(rng, other.size());
  s.insert(pick(rng, s.size() + 1), other.substr(from, 1 + pick(rng, 32)));
}

}  // namespace

std::string mutate(std::string s, const std::vector<std::string>& pool, Rng& rng, std::size_t max_bytes) {
  for (std::size_t n = 1 + pick(rng, 1 + pick(rng, 8)); n > 0; --n) {
    if (s.empty()) s.assign(1, static_cast<char>(rng.below(256)));
    switch (pick(rng, 11)) {
      case 0:
      case 1: flip_bit(s, rng); break;
      case 2: set_byte(s, rng); break;
      case 3:
        if (rng.chance(0.3)) truncate(s, rng);
        break;
      case 4: erase_chunk(s, rng); break;
      case 5: repeat_chunk(s, rng); break;
      case 6: swap_chunks(s, rng); break;
      case 7: edge_number(s, rng); break;
      case 8: text_number(s, rng); break;
      case 9: splice(s, pool, rng); break;
      default: graft(s, pool, rng); break;
    }
  }
  if (s.size() > max_bytes) s.resize(max_bytes);
  return s;
}

}  // namespace thimble::fuzz
