// Joins pictures and captions by code point: the caption table of emojibase, icon sets in iconify's JSON form, and a
// folder of pictures named by code point. Input is untrusted JSON; output is entries with a source each.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "data/emoji/dataset.h"

namespace thimble::data {

struct Concept {
  std::string label, group, subgroup;
  std::vector<std::string> tags;
  int tone = 0, second_tone = 0;
};
using Concepts = std::map<std::string, Concept>;  // by code point

// `data` and `groups` are emojibase's en/data.json and meta/groups.json.
Concepts read_concepts(std::string_view data, std::string_view groups);

// An icon as a whole SVG document.
using Drawings = std::map<std::string, std::string>;  // by code point

// iconify's icons.json and chars.json (code point to name; possibly of a sister set with the same names). Hidden icons
// and code points without a concept are left out.
Drawings read_icons(std::string_view icons, std::string_view chars, const Concepts& concepts, std::string_view what);

// Code point in the form of Entry::code_point from any of "1F9D1-FE0F", "1f9d1_200d" in either case.
std::string normal_code_point(std::string_view text);

// Entry without id and split; family, sex and tones are filled.
Entry make_entry(const std::string& code_point, const Concept& concept_, Style style);

}  // namespace thimble::data
