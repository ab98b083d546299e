// Tests of data/emoji/edits.h: counts of pairs worked out by hand, instructions, splits, sampling.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/error.h"
#include "data/emoji/edits.h"
#include "data/emoji/family.h"
#include "data/emoji/icons.h"

namespace thimble::data {
namespace {

constexpr const char* kTones[] = {"", "-1f3fb", "-1f3fc", "-1f3fd", "-1f3fe", "-1f3ff"};
constexpr const char* kToneNames[] = {"", "light", "medium-light", "medium", "medium-dark", "dark"};

struct Maker {
  std::vector<Entry> entries;

  void add(const std::string& code_point, const std::string& label, const std::string& group,
           const std::string& subgroup, Style style = Style::noto, int tone = 0, int second = 0) {
    const Concept c{
        .label = label, .group = group, .subgroup = subgroup, .tags = {}, .tone = tone, .second_tone = second};
    entries.push_back(make_entry(code_point, c, style));
    entries.back().id = static_cast<int>(entries.size()) - 1;
  }
  void person(const std::string& before_tone, const std::string& after_tone, const std::string& head,
              const std::string& detail, const std::string& subgroup) {
    for (int t = 0; t <= 5; ++t) {
      std::string label = head, rest = t == 0 ? "" : std::string(kToneNames[t]) + " skin tone";
      if (!detail.empty()) rest += (rest.empty() ? "" : ", ") + detail;
      if (!rest.empty()) label += ": " + rest;
      add(before_tone + kTones[t] + after_tone, label, "people-body", subgroup, Style::noto, t);
    }
  }
};

// Man, woman and person; plain, with red hair, as pilot, as pilot's colleague; a person who walks both ways; faces.
std::vector<Entry> village() {
  Maker m;
  for (const auto& [sign, word] :
       {std::pair{"1f9d1", "person"}, std::pair{"1f468", "man"}, std::pair{"1f469", "woman"}}) {
    const std::string role = std::string(word) == "person" ? "" : std::string(word) + " ";
    m.person(sign, "", word, "", "person");
    m.person(sign, "-200d-1f9b0", word, "red hair", "person");
    m.person(sign, "-200d-2708", role + "pilot", "", "person-role");
    m.person(sign, "-200d-1f33e", role + "farmer", "", "person-role");
  }
  m.person("1f6b6", "", "person walking", "", "person-activity");
  m.person("1f6b6", "-200d-27a1", "person walking", "facing right", "person-activity");
  m.person("1f6b6", "-200d-2642", "man walking", "", "person-activity");
  m.person("1f6b6", "-200d-2640", "woman walking", "", "person-activity");
  m.add("1f600", "grinning face", "smileys-emotion", "face-smiling");
  m.add("1f602", "face with tears of joy", "smileys-emotion", "face-smiling");
  m.add("1f916", "robot", "smileys-emotion", "face-costume");
  m.add("2764", "red heart", "smileys-emotion", "heart");
  m.add("1f499", "blue heart", "smileys-emotion", "heart");
  m.add("1f499", "blue heart", "smileys-emotion", "heart", Style::flat);
  m.add("1f499", "blue heart", "smileys-emotion", "heart", Style::openmoji);
  m.add("27a1", "right arrow", "symbols", "arrow");
  m.add("2b06", "up arrow", "symbols", "arrow");
  m.add("1f1eb-1f1f7", "flag: France", "flags", "country-flag", Style::twemoji);
  m.add("1f3c1", "chequered flag", "flags", "flag", Style::twemoji);
  complete(m.entries);
  return m.entries;
}

TEST(Edits, CountsOfPairs) {
  const auto entries = village();
  const EditSet edits(entries);
  const std::map<EditFamily, std::size_t> expected = {
      {EditFamily::skin, 16 * 30},                                   // sixteen people, six tones
      {EditFamily::sex, 5 * 6 * 6},                                  // five roles, six tones, three sexes
      {EditFamily::hair, 18 * 2},                                    // three sexes, six tones: plain and red
      {EditFamily::role, 18 * 2 * 2},                                // two roles, there and back
      {EditFamily::role_swap, 18 * 2},                               // pilot and farmer
      {EditFamily::turn, 6 * 2},       {EditFamily::expression, 2},  // the robot is no round face
      {EditFamily::heart, 2},          {EditFamily::arrow, 2},
      {EditFamily::style, 3 * 2},  // the blue heart in three styles
      {EditFamily::flag, 2},           {EditFamily::skin_pair, 0},
      {EditFamily::clock, 0},
  };
  for (const auto& [family, count] : expected) EXPECT_EQ(edits.pairs(family).size(), count) << to_string(family);
}

TEST(Edits, TwoTonesMakePairsOfTheirOwn) {
  Maker m;
  m.add("1f91d", "handshake", "people-body", "hands");
  m.add("1f91d-1f3fb", "handshake: light skin tone", "people-body", "hands", Style::noto, 1);
  for (int a = 1; a <= 3; ++a) {
    for (int b = 1; b <= 3; ++b) {
      if (a == b) continue;
      m.add(std::string("1faf1") + kTones[a] + "-200d-1faf2" + kTones[b],
            std::string("handshake: ") + kToneNames[a] + " skin tone, " + kToneNames[b] + " skin tone", "people-body",
            "hands", Style::noto, a, b);
    }
  }
  const EditSet edits(m.entries);
  EXPECT_EQ(edits.pairs(EditFamily::skin).size(), 2u);
  ASSERT_EQ(edits.pairs(EditFamily::skin_pair).size(), 30u);
  EXPECT_EQ(edits.instruction({0, 2, EditFamily::skin_pair}, 0), "change the skin tones to light and medium-light");
}

TEST(Edits, PairsKeepWhatTheyShouldKeep) {
  const auto entries = village();
  const EditSet edits(entries);
  const auto at = [&](int id) -> const Entry& { return entries[static_cast<std::size_t>(id)]; };
  for (const EditPair& p : edits.pairs(EditFamily::sex)) {
    EXPECT_EQ(at(p.before).tone, at(p.after).tone);
    EXPECT_NE(at(p.before).sex, at(p.after).sex);
    EXPECT_EQ(at(p.before).family, at(p.after).family);
  }
  for (const EditPair& p : edits.pairs(EditFamily::skin)) {
    EXPECT_NE(at(p.before).tone, at(p.after).tone);
    EXPECT_EQ(at(p.before).sex, at(p.after).sex);
  }
  for (int f = 1; f < kEditFamilies; ++f) {
    for (const EditPair& p : edits.pairs(static_cast<EditFamily>(f))) ASSERT_EQ(at(p.before).style, at(p.after).style);
  }
}

TEST(Edits, InstructionsSayTheChange) {
  const auto entries = village();
  const auto find = [&](const std::string& code_point, Style style = Style::noto) -> const Entry& {
    for (const Entry& e : entries) {
      if (e.code_point == code_point && e.style == style) return e;
    }
    throw std::logic_error(code_point);
  };
  const auto say = [&](EditFamily f, const Entry& a, const Entry& b) { return edit_instruction(f, a, b, 0); };
  const Entry &pilot = find("1f468-200d-2708"), &man = find("1f468");
  EXPECT_EQ(say(EditFamily::skin, man, find("1f468-1f3fe")), "change the skin tone to medium-dark");
  EXPECT_EQ(say(EditFamily::skin, find("1f468-1f3fe"), man), "change the skin tone to yellow");
  EXPECT_EQ(say(EditFamily::sex, pilot, find("1f469-200d-2708")), "make the man pilot a woman");
  EXPECT_EQ(say(EditFamily::hair, man, find("1f468-200d-1f9b0")), "give the man red hair");
  EXPECT_EQ(say(EditFamily::hair, find("1f468-200d-1f9b0"), man), "give the man plain hair");
  EXPECT_EQ(say(EditFamily::role, man, pilot), "turn the man into a man pilot");
  EXPECT_EQ(say(EditFamily::role, pilot, man), "remove the outfit and the tools");
  EXPECT_EQ(say(EditFamily::turn, find("1f6b6"), find("1f6b6-200d-27a1")), "turn to face right");
  EXPECT_EQ(say(EditFamily::expression, find("1f600"), find("1f602")), "make the face with tears of joy");
  EXPECT_EQ(say(EditFamily::heart, find("2764"), find("1f499")), "make the heart blue");
  EXPECT_EQ(say(EditFamily::arrow, find("2b06"), find("27a1")), "point it right");
  EXPECT_EQ(say(EditFamily::style, find("1f499"), find("1f499", Style::flat)), "draw it in flat style");
  EXPECT_EQ(say(EditFamily::flag, find("1f3c1", Style::twemoji), find("1f1eb-1f1f7", Style::twemoji)),
            "replace the flag with the flag of France");
  EXPECT_THROW(edit_instruction(EditFamily::skin, man, man, kEditWordings), Error);
}

TEST(Edits, TrainingNeverHearsTheHeldOutWording) {
  const auto entries = village();
  const EditSet edits(entries);
  Rng rng(9);
  for (int f = 0; f < kEditFamilies; ++f) {
    for (const EditPair& p : edits.pairs(static_cast<EditFamily>(f))) {
      ASSERT_NE(edits.instruction(p, rng), edits.instruction(p, kEditWordings - 1)) << to_string(p.family);
    }
  }
}

TEST(Edits, SplitOfAPairIsTheStricterOne) {
  auto entries = village();
  for (Entry& e : entries) e.split = Split::train;
  entries[0].split = Split::validation;
  entries[1].split = Split::combination;
  entries[2].split = Split::test;
  entries[3].split = Split::unseen_style;
  const EditSet edits(entries);
  EXPECT_EQ(edits.split({5, 0, EditFamily::skin}), Split::validation);
  EXPECT_EQ(edits.split({0, 1, EditFamily::skin}), Split::validation);
  EXPECT_EQ(edits.split({2, 0, EditFamily::skin}), Split::test);
  EXPECT_EQ(edits.split({3, 2, EditFamily::skin}), Split::unseen_style);
  EXPECT_EQ(edits.split({5, 4, EditFamily::skin}), Split::train);
  std::size_t total = 0;
  for (int s = 0; s < kSplits; ++s) total += edits.pairs(EditFamily::skin, static_cast<Split>(s)).size();
  EXPECT_EQ(total, edits.pairs(EditFamily::skin).size());
}

TEST(Edits, SamplingIsBalancedByClass) {
  auto entries = village();
  for (Entry& e : entries) e.split = Split::train;
  const EditSet edits(entries);
  std::map<EditFamily, int> count;
  Rng rng(4);
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) ++count[edits.sample(rng, Split::train).family];
  // All eight classes are filled; their weights sum to 88.
  EXPECT_NEAR(count[EditFamily::style], kDraws * 20 / 88.0, 300);
  EXPECT_NEAR(count[EditFamily::expression], kDraws * 15 / 88.0, 300);
  EXPECT_NEAR(count[EditFamily::role] + count[EditFamily::role_swap], kDraws * 8 / 88.0, 250);
  EXPECT_THROW(edits.sample(rng, Split::test), Error);
}

}  // namespace
}  // namespace thimble::data
