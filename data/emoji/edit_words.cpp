// Instructions in words. In a wording {to} is what the result shows and {from} what the picture shows now.
#include <array>
#include <map>
#include <string>

#include "base/error.h"
#include "data/emoji/captions.h"
#include "data/emoji/edits.h"

namespace thimble::data {
namespace {

using Wordings = std::array<std::string_view, kEditWordings>;  // the last is held out

const Wordings& wordings_of(EditFamily family) {
  using F = EditFamily;
  static const std::map<EditFamily, Wordings> table = {
      {F::style,
       {"draw it in {to} style", "redo this in the {to} style", "make it look like {to} art",
        "convert the picture to {to} style"}},
      {F::skin,
       {"change the skin tone to {to}", "give {from} {to} skin", "make the skin {to}", "use a {to} skin tone instead"}},
      {F::skin_pair,
       {"change the skin tones to {to}", "make the skin tones {to}", "give them {to} skin",
        "recolour both skins {to}"}},
      {F::sex, {"make {from} {to}", "turn {from} into {to}", "show {to} instead", "let this be {to} in the same role"}},
      {F::hair, {"give {from} {to}", "change the hair to {to}", "make it {to}", "restyle {from} with {to}"}},
      {F::role, {"turn {from} into {to}", "make {from} {to}", "show {to} instead of {from}", "let {from} become {to}"}},
      {F::role_swap,
       {"turn {from} into {to}", "make {from} {to}", "show {to} instead of {from}", "let {from} become {to}"}},
      {F::turn,
       {"turn to face {to}", "make {from} face {to}", "rotate the figure to the {to}", "let {from} look {to}"}},
      {F::expression,
       {"make the face {to}", "change the expression to {to}", "the face becomes {to}", "let the face look {to}"}},
      {F::animal, {"turn it into {to}", "change the expression to {to}", "make this {to}", "it should now be {to}"}},
      {F::clock,
       {"set the clock to {to}", "make the clock show {to}", "change the time to {to}", "let the clock read {to}"}},
      {F::moon, {"show the {to}", "change the moon to {to}", "make it a {to}", "replace the {from} with the {to}"}},
      {F::heart, {"make the heart {to}", "change the heart to {to}", "colour the heart {to}", "paint the heart {to}"}},
      {F::shape,
       {"make it a {to}", "change it to a {to}", "turn the {from} into a {to}", "swap the {from} for a {to}"}},
      {F::arrow, {"point it {to}", "make it point {to}", "change the direction to {to}", "let it aim {to}"}},
      {F::keycap,
       {"change the key to {to}", "put {to} on the key", "make the keycap show {to}", "write {to} on the key instead"}},
      {F::object, {"change it to {to}", "turn the {from} into {to}", "make it {to}", "replace the {from} by {to}"}},
      {F::flag, {"replace the flag with {to}", "change the flag to {to}", "show {to} instead", "swap {from} for {to}"}},
  };
  return table.at(family);
}

// From a role back to the plain person.
constexpr Wordings kUndress = {"remove the outfit and the tools", "turn {from} back into {to}", "make {from} just {to}",
                               "strip {from} down to {to}"};

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
}

std::string without(std::string text, std::string_view word) {
  replace(text, word, "");
  return text;
}

// "the firefighter"; details such as "facing right" are left out.
std::string the_person(const Entry& e) {
  const std::string label = base_label(e);
  return "the " + label.substr(0, label.find(": "));
}

std::string person_word(Sex sex) {
  switch (sex) {
    case Sex::man: return "a man";
    case Sex::woman: return "a woman";
    case Sex::person: return "a person";
    case Sex::none: break;
  }
  return "people";
}

// Tones are said by other edits; here only who it is.
std::string a_person(Entry e) {
  e.tone = e.second_tone = 0;
  return spoken_label(e);
}

std::string hair_word(const Entry& e) {
  if (e.family == "1f9d1") return "plain hair";
  const std::string label = base_label(e);
  const std::string detail = label.substr(std::min(label.size(), label.find(": ") + 2));
  return detail == "bald" ? "no hair" : detail;
}

std::string tones(const Entry& e) {
  if (e.tone == 0) return "yellow";
  std::string words(tone_word(e.tone));
  if (e.second_tone != 0) words += " and " + std::string(tone_word(e.second_tone));
  return words;
}

std::string direction(const std::string& label) {
  std::string words = label.starts_with("backhand index pointing ") ? label.substr(24) : without(label, " arrow");
  replace(words, "-", " and ");
  return words;
}

std::string flag_name(const std::string& label) {
  return label.starts_with("flag: ") ? "the flag of " + label.substr(6) : "the " + label;
}

// What of `e` an instruction of this family speaks of.
std::string word_of(EditFamily family, const Entry& e) {
  switch (family) {
    case EditFamily::style: return std::string(style_info(e.style).word);
    case EditFamily::skin:
    case EditFamily::skin_pair: return tones(e);
    case EditFamily::sex: return person_word(e.sex);
    case EditFamily::hair: return hair_word(e);
    case EditFamily::role:
    case EditFamily::role_swap: return a_person(e);
    case EditFamily::turn: return e.code_point.ends_with("-27a1") ? "right" : "left";
    case EditFamily::expression: return without(without(e.label, " face"), "face ");
    case EditFamily::heart: return without(e.label, " heart");
    case EditFamily::arrow: return direction(e.label);
    case EditFamily::keycap: return without(e.label, "keycap: ");
    case EditFamily::flag: return flag_name(e.label);
    case EditFamily::animal:
    case EditFamily::clock:
    case EditFamily::moon:
    case EditFamily::shape:
    case EditFamily::object: return e.label;
  }
  return e.label;
}

bool speaks_of_person(EditFamily family) {
  return family == EditFamily::skin || family == EditFamily::sex || family == EditFamily::hair ||
         family == EditFamily::role || family == EditFamily::role_swap || family == EditFamily::turn;
}

}  // namespace

std::string edit_instruction(EditFamily family, const Entry& before, const Entry& after, int wording) {
  if (wording < 0 || wording >= kEditWordings) {
    fail(ErrorKind::bad_input, "wording {} of an instruction, 0 to {} are known", wording, kEditWordings - 1);
  }
  const bool undress = family == EditFamily::role && after.family == "1f9d1";
  std::string text((undress ? kUndress : wordings_of(family))[static_cast<std::size_t>(wording)]);
  replace(text, "{from}", speaks_of_person(family) ? the_person(before) : word_of(family, before));
  replace(text, "{to}", word_of(family, after));
  return text;
}

}  // namespace thimble::data
