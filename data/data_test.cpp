// Tests of data/emoji on tiny made-up sets: joining, families and splits, drawing, packing, captions, made tasks.
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/emoji/build.h"
#include "data/emoji/captions.h"
#include "data/emoji/family.h"
#include "data/emoji/icons.h"
#include "data/emoji/pack.h"
#include "data/emoji/raster.h"
#include "data/emoji/report.h"
#include "data/emoji/rewordings.h"
#include "data/emoji/sources.h"
#include "data/emoji/tasks.h"
#include "data/emoji/tgz.h"
#include "media/transform.h"

namespace thimble::data {
namespace {

constexpr std::string_view kGroups = R"({"groups": {"0": "smileys-emotion", "1": "people-body"},
                                         "subgroups": {"0": "face-smiling", "25": "person-role"}})";
constexpr std::string_view kCaptions = R"([
  {"label": "grinning face", "hexcode": "1F600", "tags": ["happy", "smile", "teeth"], "group": 0, "subgroup": 0},
  {"label": "pilot", "hexcode": "1F9D1-200D-2708-FE0F", "tags": ["plane", "captain"], "group": 1, "subgroup": 25,
   "skins": [{"label": "pilot: dark skin tone", "hexcode": "1F9D1-1F3FF-200D-2708-FE0F", "group": 1, "subgroup": 25, "tone": 5}]},
  {"label": "woman pilot", "hexcode": "1F469-200D-2708-FE0F", "group": 1, "subgroup": 25},
  {"label": "regional indicator A", "hexcode": "1F1E6"}])";
constexpr std::string_view kIcons = R"({"prefix": "x", "width": 32, "height": 32, "icons": {
  "square": {"body": "<path fill=\"#f00\" d=\"M0 0h32v32H0z\"/>"},
  "wide": {"body": "<path fill=\"#00f\" d=\"M8 0h16v16H8z\"/>", "left": 8, "width": 16, "height": 16},
  "old": {"body": "<path d=\"M0 0h1v1H0z\"/>", "hidden": true},
  "stranger": {"body": ""}}})";
constexpr std::string_view kChars =
    R"({"1f600": "square", "1f9d1-200d-2708-fe0f": "wide", "1f1e6": "old", "1f469-200d-2708-fe0f": "gone",
                                        "1f47d": "stranger"})";

std::filesystem::path scratch(const std::string& name) {
  const auto folder = std::filesystem::temp_directory_path() / "thimble_data_test";
  std::filesystem::create_directories(folder);
  return folder / name;
}

TEST(Icons, JoinByCodePoint) {
  const Concepts concepts = read_concepts(kCaptions, kGroups);
  ASSERT_EQ(concepts.size(), 5u);
  const Concept& toned = concepts.at("1f9d1-1f3ff-200d-2708");
  EXPECT_EQ(toned.tone, 5);
  EXPECT_EQ(toned.subgroup, "person-role");
  EXPECT_EQ(toned.tags, (std::vector<std::string>{"plane", "captain"}));  // taken over from the base
  EXPECT_EQ(concepts.at("1f1e6").group, "component");

  // Without the hidden one, the one whose drawing is missing, and the one without a caption.
  const Drawings drawings = read_icons(kIcons, kChars, concepts, "test");
  ASSERT_EQ(drawings.size(), 2u);
  EXPECT_NE(drawings.at("1f9d1-200d-2708").find(R"(viewBox="8 0 16 16")"), std::string::npos);
  EXPECT_EQ(normal_code_point("1F9D1_200D_2708_FE0F"), "1f9d1-200d-2708");
}

TEST(Icons, DamagedTablesAreRefused) {
  const Concepts concepts = read_concepts(kCaptions, kGroups);
  EXPECT_THROW(read_concepts("{", kGroups), Error);
  EXPECT_THROW(read_concepts("{}", kGroups), Error);
  EXPECT_THROW(read_concepts(R"([{"label": "x"}])", kGroups), Error);
  EXPECT_THROW(read_icons("{}", kChars, concepts, "test"), Error);
  EXPECT_THROW(read_icons(kIcons, "[]", concepts, "test"), Error);
}

TEST(Raster, DrawsInsideTheMarginWithStraightAlpha) {
  const media::Image image =
      draw_svg(read_icons(kIcons, kChars, read_concepts(kCaptions, kGroups), "test").at("1f600"), 64, 4, "test");
  const auto pixel = [&](int x, int y) { return std::vector<int>(image.at(x, y), image.at(x, y) + 4); };
  EXPECT_EQ(pixel(3, 32), (std::vector<int>{0, 0, 0, 0}));
  EXPECT_EQ(pixel(4, 32), (std::vector<int>{255, 0, 0, 255}));
  EXPECT_EQ(pixel(59, 59), (std::vector<int>{255, 0, 0, 255}));
  EXPECT_EQ(pixel(60, 32), (std::vector<int>{0, 0, 0, 0}));
  const media::Image half = draw_svg(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><path fill="#00c800" fill-opacity=".5" d="M0 0h8v8H0z"/></svg>)",
      16, 0, "test");
  EXPECT_EQ(half.at(8, 8)[3], 128);
  EXPECT_NEAR(half.at(8, 8)[1], 200, 1);
  EXPECT_THROW(draw_svg("<svg", 16, 0, "broken"), Error);
}

TEST(Raster, FitsPicturesCentred) {
  media::Image wide(40, 20, 3);
  std::fill(wide.pixels.begin(), wide.pixels.end(), std::uint8_t{9});
  const media::Image out = fit_picture(wide, 64, 2);  // 60 x 30 at (2, 17)
  EXPECT_EQ(out.at(2, 17)[3], 255);
  EXPECT_EQ(out.at(61, 46)[3], 255);
  EXPECT_EQ(out.at(2, 16)[3], 0);
  EXPECT_EQ(out.at(62, 30)[3], 0);
}

TEST(Family, JoinsTonesSexesAndDirections) {
  EXPECT_EQ(family_of("1f9d1-200d-2708"), "1f9d1-2708");
  EXPECT_EQ(family_of("1f469-1f3fe-200d-2708"), "1f9d1-2708");
  EXPECT_EQ(family_of("1f6b6-1f3fb-200d-2642-200d-27a1"), family_of("1f6b6"));
  EXPECT_EQ(family_of("1faf1-1f3fb-200d-1faf2-1f3ff"), family_of("1f91d-1f3fd"));
  EXPECT_EQ(family_of("1f478"), family_of("1f934"));
  EXPECT_NE(family_of("1f9d1-200d-1f9b0"), family_of("1f9d1"));
  EXPECT_EQ(family_of("27a1"), "27a1");  // the arrow itself
  EXPECT_EQ(family_of("1f3fb"), "1f3fb");
  EXPECT_EQ(sex_of("1f469-1f3fe-200d-2708"), Sex::woman);
  EXPECT_EQ(sex_of("1f46e-200d-2642"), Sex::man);
  EXPECT_EQ(sex_of("1f469-200d-2764-200d-1f468"), Sex::none);  // a couple
  EXPECT_EQ(sex_of("1f34e"), Sex::none);
}

// Every role in every tone and sex and style: nothing of a held-out family may be trained on.
TEST(Split, NoFamilyInTwoSplits) {
  std::vector<Entry> entries;
  for (int role = 0; role < 400; ++role) {
    for (const char* person : {"1f9d1", "1f468", "1f469"}) {
      for (int tone = 0; tone <= 5; ++tone) {
        for (int style = 0; style < kStyles; ++style) {
          const std::string skin = tone == 0 ? "" : std::string("-1f3f") + "_bcdef"[tone];
          Concept c{.label = "role",
                    .group = "people-body",
                    .subgroup = "person-role",
                    .tags = {},
                    .tone = tone,
                    .second_tone = 0};
          entries.push_back(
              make_entry(fmt::format("{}{}-200d-{:x}", person, skin, 0x2000 + role), c, static_cast<Style>(style)));
        }
      }
    }
  }
  complete(entries);
  std::map<std::string, std::set<Split>> splits;
  std::map<Split, std::size_t> count;
  std::set<std::string> held_tones, trained_tones;
  for (const Entry& e : entries) {
    if (e.style == Style::openmoji) {
      EXPECT_EQ(e.split, Split::unseen_style);
      continue;
    }
    ++count[e.split];
    splits[e.family].insert(e.split);
    if (e.tone != 0)
      (e.split == Split::combination ? held_tones : trained_tones).insert(e.family + std::to_string(e.tone));
  }
  for (const auto& [family, set] : splits) {
    const bool held = set.count(Split::validation) + set.count(Split::test) != 0;
    EXPECT_TRUE(!held || set.size() == 1) << family;
  }
  // A held-out tone of a role is held out in every style and sex.
  for (const std::string& held : held_tones) EXPECT_EQ(trained_tones.count(held), 0u) << held;
  const double all = static_cast<double>(entries.size()) * kTrainedStyles / kStyles;
  EXPECT_NEAR(static_cast<double>(count[Split::validation]) / all, 0.05, 0.025);
  EXPECT_NEAR(static_cast<double>(count[Split::test]) / all, 0.05, 0.025);
  EXPECT_NEAR(static_cast<double>(count[Split::combination]) / all, 0.03 * 0.9, 0.01);
}

TEST(Split, HashIsFixed) {
  EXPECT_NEAR(hash_fraction("abc"), 0xba7816bf8f01 / 281474976710656.0, 1e-12);  // SHA-256 of "abc", first 48 bits
}

Entry entry(std::string code_point, std::string label, Style style, int tone = 0) {
  const Concept c{.label = std::move(label),
                  .group = "people-body",
                  .subgroup = "person-role",
                  .tags = {"plane", "captain", "sky"},
                  .tone = tone,
                  .second_tone = 0};
  return make_entry(code_point, c, style);
}

TEST(Captions, SpokenForms) {
  EXPECT_EQ(spoken_label(entry("1f9d1-1f3fe-200d-1f692", "firefighter: medium-dark skin tone", Style::flat, 4)),
            "a firefighter with medium-dark skin");
  EXPECT_EQ(spoken_label(entry("1f469-1f3fd-200d-1f9b0", "woman: medium skin tone, red hair", Style::flat, 3)),
            "a woman with medium skin and red hair");
  EXPECT_EQ(spoken_label(entry("1f9d1-200d-1f9b2", "person: bald", Style::flat)), "a bald person");
  EXPECT_EQ(spoken_label(entry("1f1eb-1f1f7", "flag: France", Style::twemoji)), "flag of France");
  EXPECT_EQ(base_label(entry("1f469-1f3fd-200d-1f9b0", "woman: medium skin tone, red hair", Style::flat, 3)),
            "woman: red hair");
}

TEST(Captions, TrainedWordingsNeverMeetHeldOutOnes) {
  const Entry e = entry("1f9d1-200d-2708", "pilot", Style::glossy);
  const NamedColour& blue = background_colours()[5];
  std::set<std::string> trained;
  Rng rng(5);
  for (int i = 0; i < 2000; ++i) trained.insert(caption(e, rng, &blue));
  EXPECT_EQ(trained.count("pilot, glossy style on a blue background"), 1u);
  EXPECT_EQ(trained.count("a glossy emoji of a pilot on a blue background"), 1u);
  EXPECT_EQ(trained.count(styled_caption(e, &blue)), 1u);
  EXPECT_EQ(trained.count("pilot: sky, plane on a blue background"), 1u);
  EXPECT_EQ(trained.count("pilot: sky, sky on a blue background"), 0u);
  EXPECT_EQ(trained.size(), 2u * (3 + 6));  // two labels in three plain wordings and six ordered pairs of tags
  for (int w = 0; w < kHeldOutCaptions; ++w) EXPECT_EQ(trained.count(held_out_caption(e, w, &blue)), 0u);
  EXPECT_THROW(held_out_caption(e, kHeldOutCaptions), Error);
}

TEST(Captions, RewordingsVaryAndKeepTheSubject) {
  const Entry e = entry("1f9d1-200d-2708", "pilot", Style::glossy);
  const NamedColour& blue = background_colours()[5];
  std::set<std::string> seen;
  int subjects = 0, styles = 0, grounds = 0;
  constexpr int kDraws = 2000;
  Rng rng(6);
  for (int i = 0; i < kDraws; ++i) {
    const std::string text = reworded_caption(e, rng, i % 2 == 0 ? &blue : nullptr);
    seen.insert(text);
    subjects += text.find("pilot") != std::string::npos || text.find("Pilot") != std::string::npos ||
                text.find("plane") != std::string::npos || text.find("sky") != std::string::npos ||
                text.find("Plane") != std::string::npos || text.find("Sky") != std::string::npos;
    styles += text.find("glossy") != std::string::npos;
    grounds += text.find("blue") != std::string::npos;
  }
  EXPECT_GT(seen.size(), 1800u);
  EXPECT_GT(subjects, kDraws * 97 / 100);  // a filler may stand inside a name of two words, never inside a word
  EXPECT_NEAR(styles, kDraws * 0.7, kDraws * 0.05);
  EXPECT_NEAR(grounds, kDraws * 0.5, kDraws * 0.01);
  for (int w = 0; w < kHeldOutCaptions; ++w) EXPECT_EQ(seen.count(held_out_caption(e, w, &blue)), 0u);
  Rng a(9), b(9);
  EXPECT_EQ(reworded_caption(e, a), reworded_caption(e, b));
}

TEST(Captions, GroundsAreMostlyWhite) {
  Rng rng(1);
  int white = 0;
  std::set<std::string_view> names;
  for (int i = 0; i < 10000; ++i) {
    const NamedColour* c = sample_background(rng);
    if (c == nullptr) {
      ++white;
    } else {
      names.insert(c->name);
    }
  }
  EXPECT_NEAR(white, 7000, 200);
  EXPECT_EQ(names.size(), 12u);
}

// Three pictures; two share an outline.
std::vector<Entry> three_entries() {
  std::vector<Entry> entries = {entry("1f34e", "red apple", Style::noto), entry("1f34f", "green apple", Style::noto),
                                entry("1f34e", "red apple", Style::twemoji)};
  complete(entries);
  return entries;
}

media::Image disc(media::Rgb colour, double radius) {
  return draw_svg(
      fmt::format(
          R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><circle cx="50" cy="50" r="{}" fill="#{:02x}{:02x}{:02x}"/></svg>)",
          radius, colour.r, colour.g, colour.b),
      kPictureSide, kPictureMargin, "disc");
}

std::filesystem::path small_pack(const std::string& name) {
  const std::vector<PackedPicture> pictures = {pack_picture(disc({220, 40, 40}, 40), 80, 50),
                                               pack_picture(disc({40, 200, 40}, 40), 80, 50),
                                               pack_picture(disc({220, 40, 40}, 20), 80, 50)};
  EXPECT_EQ(pictures[0].alpha, pictures[1].alpha);
  write_pack(scratch(name), three_entries(), pictures);
  return scratch(name);
}

TEST(Pack, RoundTrip) {
  const auto path = small_pack("round.pack");
  const auto set = EmojiSet::open(path);
  ASSERT_EQ(set->entries().size(), 3u);
  const auto expected = three_entries();
  for (std::size_t i = 0; i < 3; ++i) {
    const Entry& e = set->entries()[i];
    EXPECT_EQ(e.id, static_cast<int>(i));
    EXPECT_EQ(e.label, expected[i].label);
    EXPECT_EQ(e.tags, expected[i].tags);
    EXPECT_EQ(e.family, expected[i].family);
    EXPECT_EQ(e.split, expected[i].split);
    EXPECT_EQ(e.style, expected[i].style);
  }
  const media::Image drawn = media::premultiply(disc({40, 200, 40}, 40)), packed = media::premultiply(set->picture(1));
  double sum = 0;
  for (std::size_t i = 0; i < drawn.pixels.size(); ++i) sum += std::pow(drawn.pixels[i] - packed.pixels[i], 2);
  EXPECT_GT(10 * std::log10(65025 * static_cast<double>(drawn.pixels.size()) / sum), 36);
  EXPECT_EQ(set->find("1f34e", Style::twemoji)->id, 2);
  EXPECT_EQ(set->find("1f34f", Style::twemoji), nullptr);
  EXPECT_EQ(set->find("beef", Style::noto), nullptr);
  EXPECT_THROW(set->picture(3), Error);
  small_pack("again.pack");
  EXPECT_EQ(read_file(path), read_file(scratch("again.pack")));
}

TEST(Pack, DamagedFilesAreRefused) {
  const std::string good = read_file(small_pack("good.pack"));
  const auto path = scratch("bad.pack");
  for (std::size_t n = 0; n < good.size(); n += 1 + n / 40) {
    write_file(path, good.substr(0, n));
    EXPECT_THROW(EmojiSet::open(path), Error) << n;
  }
  for (std::size_t i = 0; i < 600 && i < good.size();
       i += 7) {  // prefix and header: an error, or pictures that fail on their own
    std::string damaged = good;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x21);
    write_file(path, damaged);
    try {
      const auto set = EmojiSet::open(path);
      for (const Entry& e : set->entries()) set->picture(e.id);
    } catch (const Error&) {
    }
  }
}

std::string tar_file(const std::string& name, const std::string& content) {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  const std::string size = fmt::format("{:011o}", content.size());
  header.replace(124, size.size(), size);
  header[156] = '0';
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST(Tgz, ReadsWantedFilesAndRefusesDamage) {
  const std::string tar = tar_file("package/a.json", "{\"x\": 1}") +
                          tar_file("package/skip.bin", std::string(1500, 'z')) + tar_file("package/b.json", "") +
                          std::string(1024, '\0');
  const auto path = scratch("test.tgz");
  const auto write = [&](std::size_t n) {
    gzFile f = gzopen(path.c_str(), "wb");
    gzwrite(f, tar.data(), static_cast<unsigned>(n));
    gzclose(f);
  };
  const auto json = [](std::string_view n) { return n.ends_with(".json"); };
  write(tar.size());
  const auto files = read_tgz(path, json);
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files.at("package/a.json"), "{\"x\": 1}");
  for (const std::size_t n : {0u, 100u, 512u, 700u, 1024u, 3000u}) {
    write(n);
    EXPECT_THROW(read_tgz(path, json), Error) << n;
  }
}

TEST(Sources, PackagesArePinned) {
  std::set<std::string_view> names;
  for (const Package& p : emoji_packages()) {
    EXPECT_EQ(p.sha256.size(), 64u);
    names.insert(p.name);
  }
  EXPECT_EQ(names.count("emojibase-data"), 1u);
  for (int s = 0; s < kStyles; ++s) EXPECT_EQ(names.count(style_info(static_cast<Style>(s)).package), 1u);
}

TEST(Report, FilesAndCounts) {
  const auto folder = scratch("report");
  std::filesystem::create_directories(folder);
  std::vector<Entry> entries = three_entries();
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].id = static_cast<int>(i);
  BuildStatistics statistics;
  statistics.pictures = entries.size();
  write_reports(folder, entries, statistics);
  const Json report = parse_json(read_file(folder / "statistics.json"), "statistics");
  EXPECT_EQ(report["families"], 2);
  EXPECT_EQ(report["edit_pairs"]["style"]["all"], 2);
  const std::string manifest = read_file(folder / "manifest.jsonl");
  EXPECT_EQ(std::count(manifest.begin(), manifest.end(), '\n'), 3);
  const Json& tasks = report["made_tasks"];
  for (const char* task : {"inpainting", "super_resolution"}) {
    int pictures = 0;
    for (const auto& [split, count] : tasks[task]["by_split"].items()) pictures += count.get<int>();
    EXPECT_EQ(pictures, 3) << task;
  }
  EXPECT_NEAR(tasks["inpainting"]["mask_share"]["mean"].get<double>(), 0.2, 0.06);
  EXPECT_EQ(tasks["super_resolution"]["sizes"][1]["from"], 64);
  EXPECT_EQ(parse_json(manifest.substr(0, manifest.find('\n')), "manifest")["licence"], "Apache-2.0");
  EXPECT_NE(attribution_text(true).find("CC-BY-SA-4.0"), std::string::npos);
  EXPECT_EQ(attribution_text(false).find("CC-BY-SA-4.0"), std::string::npos);
}

TEST(Tasks, MasksDependOnSeedAlone) {
  double area = 0;
  for (std::uint64_t i = 0; i < 60; ++i) {
    const media::Image mask = inpainting_mask(3, i, 64);
    EXPECT_EQ(mask, inpainting_mask(3, i, 64));
    const auto covered = std::count(mask.pixels.begin(), mask.pixels.end(), 255);
    EXPECT_EQ(covered + std::count(mask.pixels.begin(), mask.pixels.end(), 0), 64 * 64);
    EXPECT_GT(covered, 64 * 64 * 2 / 100);
    EXPECT_LT(covered, 64 * 64 * 6 / 10);
    area += static_cast<double>(covered) / (64 * 64 * 60);
  }
  EXPECT_NEAR(area, 0.2, 0.08);
  EXPECT_NE(inpainting_mask(3, 0, 64), inpainting_mask(4, 0, 64));
}

TEST(Tasks, MadeEditsShowWhatTheySay) {
  const auto set = EmojiSet::open(small_pack("tasks.pack"));
  Rng rng(2);
  const MadeEdit ground = background_edit(*set, 0, rng, 0);
  const auto colours = background_colours();
  const auto named = std::find_if(colours.begin(), colours.end(), [&](const NamedColour& c) {
    return ground.instruction == "make the background " + std::string(c.name);
  });
  ASSERT_NE(named, colours.end());
  EXPECT_EQ(ground.after.at(0, 0)[0], named->rgb.r);
  EXPECT_NE(std::vector<int>(ground.before.at(0, 0), ground.before.at(0, 0) + 3),
            std::vector<int>(ground.after.at(0, 0), ground.after.at(0, 0) + 3));
  EXPECT_EQ(ground.after.at(128, 128)[0], ground.before.at(128, 128)[0]);  // the picture itself stays

  for (int i = 0; i < 8; ++i) {
    const MadeEdit added = composite_edit(*set, 0, 1, rng, 0);
    const bool left = added.instruction == "add green apple on the left";
    if (!left) continue;
    EXPECT_EQ(added.before.at(48, 128)[0], 255);  // empty before
    EXPECT_LT(added.after.at(48, 128)[0], 80);    // green after
    EXPECT_EQ(added.after.at(176, 128)[1], added.before.at(176, 128)[1]);
    return;
  }
  FAIL() << "no edit on the left in eight draws";
}

TEST(Tasks, ShrunkAverages) {
  media::Image image(4, 4, 3);
  for (int x = 0; x < 4; ++x) {
    for (int y = 0; y < 4; ++y) image.at(x, y)[0] = static_cast<std::uint8_t>(40 * x);
  }
  EXPECT_EQ(shrunk(image, 2).at(1, 0)[0], 100);
  EXPECT_THROW(shrunk(image, 3), Error);
}

}  // namespace
}  // namespace thimble::data
