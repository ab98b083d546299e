// Which entries form pairs. Every family is a set of groups; within a group each ordered pair is one edit.
#include "data/emoji/edits.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"
#include "data/emoji/captions.h"
#include "data/emoji/family.h"

namespace thimble::data {
namespace {

using Ids = std::vector<int>;
using CodePoints = std::vector<std::string_view>;

// Groups written by hand: all members lie in one style.
struct Listed {
  EditFamily family;
  CodePoints code_points;
};

const std::vector<Listed>& listed_groups() {
  using F = EditFamily;
  static const std::vector<Listed> groups = {
      {F::animal, {"1f63a", "1f638", "1f639", "1f63b", "1f63c", "1f63d", "1f640", "1f63f", "1f63e"}},  // cat faces
      {F::animal, {"1f648", "1f649", "1f64a"}},                                                        // monkeys
      {F::clock,
       {"1f550", "1f551", "1f552", "1f553", "1f554", "1f555", "1f556", "1f557", "1f558", "1f559", "1f55a", "1f55b",
        "1f55c", "1f55d", "1f55e", "1f55f", "1f560", "1f561", "1f562", "1f563", "1f564", "1f565", "1f566", "1f567"}},
      {F::moon, {"1f311", "1f312", "1f313", "1f314", "1f315", "1f316", "1f317", "1f318"}},
      {F::heart,
       {"2764", "1f9e1", "1f49b", "1f49a", "1f499", "1fa75", "1f49c", "1f90e", "1f5a4", "1fa76", "1f90d", "1fa77"}},
      {F::shape,
       {"1f534", "1f7e0", "1f7e1", "1f7e2", "1f535", "1f7e3", "1f7e4", "26ab", "26aa", "1f7e5", "1f7e7", "1f7e8",
        "1f7e9", "1f7e6", "1f7ea", "1f7eb", "2b1b", "2b1c"}},
      {F::arrow, {"2b06", "2197", "27a1", "2198", "2b07", "2199", "2b05", "2196"}},
      {F::arrow, {"1f446", "1f447", "1f448", "1f449"}},
      {F::keycap,
       {"23-20e3",   "2a-20e3",   "30-20e3",   "31-20e3",   "32-20e3",   "33-20e3",   "34-20e3",   "35-20e3",
        "36-20e3",   "37-20e3",   "38-20e3",   "39-20e3",   "0023-20e3", "002a-20e3", "0030-20e3", "0031-20e3",
        "0032-20e3", "0033-20e3", "0034-20e3", "0035-20e3", "0036-20e3", "0037-20e3", "0038-20e3", "0039-20e3"}},
      {F::object, {"1f512", "1f513", "1f50f", "1f510"}},                     // lock
      {F::object, {"1f426", "1f426-200d-2b1b"}},                             // bird, black bird
      {F::object, {"2764", "2764-200d-1fa79", "2764-200d-1f525", "1f494"}},  // heart: bandaged, on fire, broken
      {F::object, {"1f95a", "1f423", "1f424", "1f425"}},                     // egg to chick
      {F::object, {"1f507", "1f508", "1f509", "1f50a"}},                     // loudspeaker
      {F::object, {"1f4ea", "1f4eb", "1f4ec", "1f4ed"}},                     // mailbox
      {F::object, {"1f4d5", "1f4d7", "1f4d8", "1f4d9"}},                     // book
      {F::object, {"1f514", "1f515"}},                                       // bell
      {F::object, {"1f50b", "1faab"}},                                       // battery
      {F::object, {"231b", "23f3"}},                                         // hourglass
      {F::object, {"1f4f1", "1f4f2"}},                                       // telephone
      {F::object, {"1f50d", "1f50e"}},                                       // magnifying glass
      {F::object, {"2602", "2614"}},                                         // umbrella
      {F::object, {"1f344", "1f344-200d-1f7eb"}},                            // mushroom
      {F::object, {"1f34b", "1f34b-200d-1f7e9"}},                            // lemon, lime
      {F::object, {"1f34e", "1f34f"}},                                       // apple
      {F::object, {"26d3", "26d3-200d-1f4a5"}},                              // chain
      {F::object, {"1f415", "1f415-200d-1f9ba"}},                            // dog
      {F::object, {"1f408", "1f408-200d-2b1b"}},                             // cat
      {F::object, {"1f43b", "1f43b-200d-2744"}},                             // bear
      {F::object, {"1f3e0", "1f3e1"}},                                       // house
      {F::object, {"1f30d", "1f30e", "1f30f"}},                              // globe
      {F::object, {"1f947", "1f948", "1f949"}},                              // medal
  };
  return groups;
}

bool faces_right(const Entry& e) { return e.code_point.ends_with("-27a1"); }
bool round_face(const Entry& e) {
  return e.group == "smileys-emotion" && e.subgroup.starts_with("face-") && e.subgroup != "face-costume";
}

bool is_role(const Entry& e) {
  static const std::set<std::string, std::less<>> aids = {"1f9d1-1f9af", "1f9d1-1f9bc",
                                                          "1f9d1-1f9bd"};  // cane, wheelchairs
  return e.sex != Sex::none && (e.subgroup == "person-role" || aids.count(e.family) != 0);
}

bool is_hair(const Entry& e) {
  static const std::set<std::string, std::less<>> kinds = {"1f9d1",       "1f471",       "1f9d1-1f9b0",
                                                           "1f9d1-1f9b1", "1f9d1-1f9b2", "1f9d1-1f9b3"};
  return e.sex != Sex::none && kinds.count(e.family) != 0;
}

std::string key(std::initializer_list<std::string> words) {
  std::string k;
  for (const std::string& w : words) k += w + '|';
  return k;
}

std::string person_key(const Entry& e) {
  return key({std::to_string(static_cast<int>(e.sex)), std::to_string(e.tone), std::to_string(e.second_tone)});
}

// Class of edit, its weight out of 86 (the remaining 14 are edits that tasks.h makes), and its families.
struct EditClass {
  double weight;
  std::vector<EditFamily> families;
};

const std::vector<EditClass>& classes() {
  using F = EditFamily;
  static const std::vector<EditClass> list = {
      {20, {F::style}},
      {15, {F::skin, F::skin, F::skin_pair}},
      {15, {F::expression, F::expression, F::animal}},
      {8, {F::sex}},
      {6, {F::hair}},
      {8, {F::role, F::role_swap}},
      {8, {F::heart, F::shape}},
      {8, {F::clock, F::moon, F::arrow, F::keycap, F::turn, F::object, F::flag}},
  };
  return list;
}

int strictness(Split split) {
  switch (split) {
    case Split::unseen_style: return 4;
    case Split::test: return 3;
    case Split::validation: return 2;
    case Split::combination: return 1;
    case Split::train: return 0;
  }
  return 0;
}

}  // namespace

std::string_view to_string(EditFamily family) {
  static constexpr std::string_view names[kEditFamilies] = {
      "style",  "skin",  "skin_pair", "sex",   "hair",  "role",  "role_swap", "turn",   "expression",
      "animal", "clock", "moon",      "heart", "shape", "arrow", "keycap",    "object", "flag"};
  return names[static_cast<std::size_t>(family)];
}

EditSet::EditSet(const std::vector<Entry>& entries) : entries_(entries) {
  std::map<std::string, Ids> concepts;
  for (const Entry& e : entries) {
    if (e.group == "flags" && e.style == Style::threed) continue;
    concepts[e.code_point].push_back(e.id);
  }
  for (const auto& [code_point, ids] : concepts) add_all(EditFamily::style, ids);

  for (int s = 0; s < kStyles; ++s) {
    std::map<std::string, int> at;
    std::map<std::string, Ids> skin, skin_pair, sex, hair, person, roles, turn;
    Ids faces, flags;
    for (const Entry& e : entries) {
      if (e.style != static_cast<Style>(s)) continue;
      at.emplace(e.code_point, e.id);
      if (e.group == "people-body") (e.second_tone == 0 ? skin : skin_pair)[base_label(e)].push_back(e.id);
      const std::string right = faces_right(e) ? "right" : "left";
      if (e.sex != Sex::none)
        sex[key({e.family, std::to_string(e.tone), std::to_string(e.second_tone), right})].push_back(e.id);
      if (is_hair(e)) hair[person_key(e)].push_back(e.id);
      if (e.family == "1f9d1") person[person_key(e)].push_back(e.id);
      if (is_role(e)) roles[person_key(e) + right].push_back(e.id);
      if (e.group == "people-body") turn[key({e.family}) + person_key(e)].push_back(e.id);
      if (round_face(e)) faces.push_back(e.id);
      if (e.group == "flags") flags.push_back(e.id);
    }
    for (const auto& [k, ids] : skin) add_all(EditFamily::skin, ids);
    for (const auto& [k, ids] : skin_pair) add_all(EditFamily::skin_pair, ids);
    for (const auto& [k, ids] : sex) add_all(EditFamily::sex, ids);
    for (const auto& [k, ids] : hair) add_all(EditFamily::hair, ids);
    for (const auto& [k, ids] : roles) {
      add_all(EditFamily::role_swap, ids);
      for (const int plain : person[k.substr(0, k.rfind('|') + 1)]) {
        for (const int role : ids) {
          add(EditFamily::role, plain, role);
          add(EditFamily::role, role, plain);
        }
      }
    }
    for (const auto& [k, ids] : turn) {
      for (const int a : ids) {
        for (const int b : ids) {
          const Entry &from = entries[static_cast<std::size_t>(a)], &to = entries[static_cast<std::size_t>(b)];
          if (faces_right(from) != faces_right(to)) add(EditFamily::turn, a, b);
        }
      }
    }
    add_all(EditFamily::expression, faces);
    if (static_cast<Style>(s) != Style::threed) add_all(EditFamily::flag, flags);
    for (const Listed& group : listed_groups()) {
      Ids ids;
      for (const std::string_view code_point : group.code_points) {
        const auto it = at.find(std::string(code_point));
        if (it != at.end()) ids.push_back(it->second);
      }
      add_all(group.family, ids);
    }
  }
}

void EditSet::add(EditFamily family, int before, int after) {
  const EditPair pair{before, after, family};
  pairs_[static_cast<std::size_t>(family)].push_back(pair);
  by_split_[static_cast<std::size_t>(split(pair))][static_cast<std::size_t>(family)].push_back(pair);
}

void EditSet::add_all(EditFamily family, const Ids& ids) {
  for (const int a : ids) {
    for (const int b : ids) {
      if (a != b) add(family, a, b);
    }
  }
}

Split EditSet::split(const EditPair& pair) const {
  const Split a = entries_[static_cast<std::size_t>(pair.before)].split,
              b = entries_[static_cast<std::size_t>(pair.after)].split;
  return strictness(a) >= strictness(b) ? a : b;
}

std::string EditSet::instruction(const EditPair& pair, int wording) const {
  return edit_instruction(pair.family, entries_[static_cast<std::size_t>(pair.before)],
                          entries_[static_cast<std::size_t>(pair.after)], wording);
}

std::string EditSet::instruction(const EditPair& pair, Rng& rng) const {
  return instruction(pair, static_cast<int>(rng.below(kEditWordings - 1)));
}

EditPair EditSet::sample(Rng& rng, Split split) const {
  const auto& families = by_split_[static_cast<std::size_t>(split)];
  const auto filled = [&](EditFamily f) { return !families[static_cast<std::size_t>(f)].empty(); };
  double total = 0;
  for (const EditClass& c : classes()) {
    if (std::any_of(c.families.begin(), c.families.end(), filled)) total += c.weight;
  }
  if (total == 0) fail(ErrorKind::bad_input, "no edit pair in the split '{}'", to_string(split));
  double pick = rng.uniform() * total;
  std::vector<EditFamily> chosen;
  for (const EditClass& c : classes()) {
    if (std::none_of(c.families.begin(), c.families.end(), filled)) continue;
    chosen.clear();
    std::copy_if(c.families.begin(), c.families.end(), std::back_inserter(chosen), filled);
    pick -= c.weight;
    if (pick < 0) break;
  }
  const auto& pairs = families[static_cast<std::size_t>(chosen[rng.below(chosen.size())])];
  return pairs[rng.below(pairs.size())];
}

}  // namespace thimble::data
