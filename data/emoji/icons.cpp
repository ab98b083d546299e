#include "data/emoji/icons.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "data/emoji/family.h"

namespace thimble::data {
namespace {

double number_or(const Json& object, const char* key, double otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : otherwise;
}

std::string name_of(const Json& table, const Json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end() || !it->is_number_integer()) return {};
  return get_string(table, std::to_string(it->get<int>()), "emoji groups");
}

Concept concept_of(const Json& row, const Json& groups, const Concept* base) {
  const std::string what = "emoji captions";
  Concept c;
  c.label = get_string(row, "label", what);
  if (base != nullptr) c.tags = base->tags;
  if (const auto tags = row.find("tags"); tags != row.end() && tags->is_array()) {
    for (const Json& tag : *tags) {
      if (tag.is_string()) c.tags.push_back(tag.get<std::string>());
    }
  }
  c.group = name_of(get_object(groups, "groups", what), row, "group");
  c.subgroup = name_of(get_object(groups, "subgroups", what), row, "subgroup");
  if (c.group.empty()) c.group = "component";  // regional letters carry none
  if (const auto tone = row.find("tone"); tone != row.end()) {
    const Json& first = tone->is_array() && !tone->empty() ? (*tone)[0] : *tone;
    if (first.is_number_integer()) c.tone = first.get<int>();
    if (tone->is_array() && tone->size() > 1 && (*tone)[1].is_number_integer()) c.second_tone = (*tone)[1].get<int>();
    if (c.tone < 0 || c.tone > 5 || c.second_tone < 0 || c.second_tone > 5) {
      fail(ErrorKind::bad_file, "{}: tone of '{}' outside 1..5", what, c.label);
    }
  }
  return c;
}

}  // namespace

std::string normal_code_point(std::string_view text) {
  std::string out;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const std::string& p : parts_of(lower)) {
    if (p == "fe0f") continue;
    if (!out.empty()) out += '-';
    out += p;
  }
  return out;
}

Concepts read_concepts(std::string_view data, std::string_view groups) {
  const Json table = parse_json(data, "emoji captions"), names = parse_json(groups, "emoji groups");
  if (!table.is_array()) fail(ErrorKind::bad_file, "emoji captions: a list was wanted, found {}", table.type_name());
  Concepts concepts;
  for (const Json& row : table) {
    const Concept base = concept_of(row, names, nullptr);
    concepts.emplace(normal_code_point(get_string(row, "hexcode", "emoji captions")), base);
    const auto skins = row.find("skins");
    if (skins == row.end() || !skins->is_array()) continue;
    for (const Json& skin : *skins) {
      concepts.emplace(normal_code_point(get_string(skin, "hexcode", "emoji captions")),
                       concept_of(skin, names, &base));
    }
  }
  return concepts;
}

Drawings read_icons(std::string_view icons, std::string_view chars, const Concepts& concepts, std::string_view what) {
  const Json set = parse_json(icons, what), names = parse_json(chars, what);
  if (!names.is_object())
    fail(ErrorKind::bad_file, "{}: a table of code points was wanted, found {}", what, names.type_name());
  const Json& table = get_object(set, "icons", what);
  Drawings drawings;
  for (const auto& [raw, name] : names.items()) {
    const std::string code_point = normal_code_point(raw);
    if (!name.is_string() || concepts.count(code_point) == 0) continue;
    const auto icon = table.find(name.get<std::string>());
    if (icon == table.end() || icon->value("hidden", false)) continue;
    const auto size = [&](const char* key, double otherwise) {
      return number_or(*icon, key, number_or(set, key, otherwise));
    };
    const double width = size("width", 16), height = size("height", 16);
    drawings.emplace(
        code_point,
        fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" )"
                    R"(width="{}" height="{}" viewBox="{} {} {} {}">{}</svg>)",
                    width, height, size("left", 0), size("top", 0), width, height, get_string(*icon, "body", what)));
  }
  return drawings;
}

Entry make_entry(const std::string& code_point, const Concept& concept_, Style style) {
  Entry e;
  e.code_point = code_point;
  e.style = style;
  e.label = concept_.label;
  e.tags = concept_.tags;
  e.group = concept_.group;
  e.subgroup = concept_.subgroup;
  e.tone = concept_.tone;
  e.second_tone = concept_.second_tone;
  e.sex = sex_of(code_point);
  e.family = family_of(code_point);
  return e;
}

}  // namespace thimble::data
