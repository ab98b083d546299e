#include "data/emoji/family.h"

#include <algorithm>
#include <map>

#include "base/file.h"

namespace thimble::data {
namespace {

constexpr double kValidation = 0.05, kTest = 0.05;
// Chosen among many so that small families of edits (moon phases, arrows, hair, turns ...) have pairs in every split.
constexpr std::string_view kFamilySalt = "family 31522:";
constexpr double kHeldTones = 0.03, kHeldStyles = 0.02;

bool is_tone(std::string_view p) { return p.size() == 5 && p.substr(0, 4) == "1f3f" && p[4] >= 'b' && p[4] <= 'f'; }
bool is_filler(std::string_view p) { return p == "200d" || p == "2640" || p == "2642" || p == "27a1" || is_tone(p); }

// One sign that means what a joined form spells out, or the same role in another sex.
const std::map<std::string, std::string, std::less<>>& same_family() {
  static const std::map<std::string, std::string, std::less<>> table = {
      {"1f46b", "1f9d1-1f91d-1f9d1"},
      {"1f46c", "1f9d1-1f91d-1f9d1"},
      {"1f46d", "1f9d1-1f91d-1f9d1"},
      {"1f48f", "1f9d1-2764-1f48b-1f9d1"},
      {"1f491", "1f9d1-2764-1f9d1"},
      {"1f93c", "1f9d1-1faef-1f9d1"},
      {"1f46f", "1f9d1-1f430-1f9d1"},
      {"1f91d", "1faf1-1faf2"},
      {"1f474", "1f9d3"},
      {"1f475", "1f9d3"},
      {"1f934", "1fac5"},
      {"1f478", "1fac5"},
      {"1f385", "1f9d1-1f384"},
      {"1f936", "1f9d1-1f384"},
      {"1f57a", "1f483"},
      {"1f930", "1fac4"},
      {"1fac3", "1fac4"},
  };
  return table;
}

std::string_view neutral(std::string_view p) {
  if (p == "1f468" || p == "1f469") return "1f9d1";  // man, woman -> person
  if (p == "1f466" || p == "1f467") return "1f9d2";  // boy, girl -> child
  return p;
}

}  // namespace

std::vector<std::string> parts_of(std::string_view code_point) {
  std::vector<std::string> parts;
  while (!code_point.empty()) {
    const auto end = std::min(code_point.find('-'), code_point.size());
    parts.emplace_back(code_point.substr(0, end));
    code_point.remove_prefix(std::min(end + 1, code_point.size()));
  }
  return parts;
}

std::string family_of(std::string_view code_point) {
  std::string family;
  for (const std::string& p : parts_of(code_point)) {
    if (is_filler(p) && p != code_point) continue;
    if (!family.empty()) family += '-';
    family += neutral(p);
  }
  const auto it = same_family().find(family);
  return it == same_family().end() ? family : it->second;
}

Sex sex_of(std::string_view code_point) {
  static const std::map<std::string_view, Sex> alone = {
      {"1f468", Sex::man},    {"1f469", Sex::woman},  {"1f9d1", Sex::person}, {"1f474", Sex::man},
      {"1f475", Sex::woman},  {"1f9d3", Sex::person}, {"1f466", Sex::man},    {"1f467", Sex::woman},
      {"1f9d2", Sex::person}, {"1f934", Sex::man},    {"1f478", Sex::woman},  {"1fac5", Sex::person},
      {"1f385", Sex::man},    {"1f936", Sex::woman},  {"1f57a", Sex::man},    {"1f483", Sex::woman},
      {"1f930", Sex::woman},  {"1fac3", Sex::man},    {"1fac4", Sex::person},
  };
  const auto parts = parts_of(code_point);
  if (parts.size() > 1) {
    if (std::count(parts.begin(), parts.end(), "2640") != 0) return Sex::woman;
    if (std::count(parts.begin(), parts.end(), "2642") != 0) return Sex::man;
  }
  const auto people = std::count_if(
      parts.begin(), parts.end(), [](const std::string& p) { return neutral(p) == "1f9d1" || neutral(p) == "1f9d2"; });
  if (parts.empty() || people > 1) return Sex::none;
  const auto it = alone.find(parts.front());
  return it == alone.end() ? Sex::none : it->second;
}

double hash_fraction(std::string_view text) {
  const std::string hex = sha256(std::as_bytes(std::span(text.data(), text.size())));
  return static_cast<double>(std::stoull(hex.substr(0, 12), nullptr, 16)) / static_cast<double>(1ull << 48);
}

Split split_of(const Entry& entry) {
  if (entry.style == Style::openmoji) return Split::unseen_style;
  const double family = hash_fraction(std::string(kFamilySalt) + entry.family);
  if (family < kValidation) return Split::validation;
  if (family < kValidation + kTest) return Split::test;
  if (entry.tone != 0 && entry.second_tone == 0 &&
      hash_fraction("tone:" + entry.family + ":" + std::to_string(entry.tone)) < kHeldTones) {
    return Split::combination;
  }
  if (entry.tone == 0 &&
      hash_fraction("style:" + std::string(style_info(entry.style).word) + ":" + entry.code_point) < kHeldStyles) {
    return Split::combination;
  }
  return Split::train;
}

void complete(std::vector<Entry>& entries) {
  struct Seen {
    bool man = false, woman = false;
  };
  std::map<std::string, Seen> seen;
  for (const Entry& e : entries) {
    seen[e.family].man |= e.sex == Sex::man;
    seen[e.family].woman |= e.sex == Sex::woman;
  }
  for (Entry& e : entries) {
    const Seen& s = seen[e.family];
    const auto parts = parts_of(e.code_point);
    const bool one =
        std::count_if(parts.begin(), parts.end(), [](const std::string& p) { return neutral(p) == "1f9d1"; }) < 2;
    if (e.sex == Sex::none && s.man && s.woman && one && e.group == "people-body") e.sex = Sex::person;
    e.split = split_of(e);
  }
}

}  // namespace thimble::data
