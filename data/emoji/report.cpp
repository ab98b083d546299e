#include "data/emoji/report.h"

#include <map>
#include <set>

#include "base/file.h"
#include "data/emoji/edits.h"

namespace thimble::data {
namespace {

constexpr std::string_view kSexes[] = {"none", "person", "man", "woman"};

OrderedJson by_style_and_split(const std::vector<Entry>& entries) {
  OrderedJson table;
  for (const Entry& e : entries) {
    auto& row = table[std::string(style_info(e.style).set)];
    if (row.is_null()) {
      for (int s = 0; s < kSplits; ++s) row[std::string(to_string(static_cast<Split>(s)))] = 0;
    }
    auto& cell = row[std::string(to_string(e.split))];
    cell = cell.get<int>() + 1;
  }
  return table;
}

OrderedJson edit_counts(const std::vector<Entry>& entries, const EditSet& edits) {
  OrderedJson table;
  for (int f = 0; f < kEditFamilies; ++f) {
    const auto family = static_cast<EditFamily>(f);
    OrderedJson row;
    row["all"] = edits.pairs(family).size();
    std::map<Style, std::size_t> styles;
    for (const EditPair& p : edits.pairs(family)) ++styles[entries[static_cast<std::size_t>(p.before)].style];
    for (const auto& [style, count] : styles) row["by_style"][std::string(style_info(style).set)] = count;
    for (int s = 0; s < kSplits; ++s) {
      row["by_split"][std::string(to_string(static_cast<Split>(s)))] =
          edits.pairs(family, static_cast<Split>(s)).size();
    }
    table[std::string(to_string(family))] = std::move(row);
  }
  return table;
}

OrderedJson held_combinations(const std::vector<Entry>& entries) {
  std::set<std::string> tones, styles;
  for (const Entry& e : entries) {
    if (e.split != Split::combination) continue;
    if (e.tone != 0) {
      tones.insert(e.label);
    } else {
      styles.insert(e.label + ", " + std::string(style_info(e.style).word) + " style");
    }
  }
  OrderedJson held;
  held["tone_and_role"] = tones;
  held["style_and_concept"] = styles;
  return held;
}

}  // namespace

OrderedJson manifest_line(const Entry& e) {
  const StyleInfo& style = style_info(e.style);
  return {{"id", e.id},
          {"code_point", e.code_point},
          {"set", style.set},
          {"style", style.word},
          {"label", e.label},
          {"tags", e.tags},
          {"group", e.group},
          {"subgroup", e.subgroup},
          {"tone", e.tone},
          {"second_tone", e.second_tone},
          {"sex", kSexes[static_cast<std::size_t>(e.sex)]},
          {"family", e.family},
          {"split", to_string(e.split)},
          {"licence", style.licence}};
}

std::string attribution_text(bool with_openmoji) {
  std::string text =
      "The pictures of this data set come from these works. Each was drawn anew at 256x256 pixels with a small margin\n"
      "and stored with loss. The captions are those of emojibase-data, Miles Johnson, MIT License.\n\n";
  for (int s = 0; s < (with_openmoji ? kStyles : kTrainedStyles); ++s) {
    const StyleInfo& info = style_info(static_cast<Style>(s));
    text +=
        fmt::format("{} (style word \"{}\"): {}. Licence: {}.\n", info.set, info.word, info.attribution, info.licence);
  }
  return text;
}

void write_reports(const std::filesystem::path& out_dir, const std::vector<Entry>& entries,
                   BuildStatistics& statistics) {
  std::string manifest;
  std::map<std::string, int> groups;
  std::set<std::string> families, concepts;
  bool openmoji = false;
  for (const Entry& e : entries) {
    manifest += manifest_line(e).dump() + "\n";
    ++groups[e.group];
    families.insert(e.family);
    concepts.insert(e.code_point);
    openmoji |= e.style == Style::openmoji;
  }
  const EditSet edits(entries);
  OrderedJson& report = statistics.report;
  report["pictures"] = statistics.pictures;
  report["concepts"] = concepts.size();
  report["families"] = families.size();
  report["pack_bytes"] = statistics.pack_bytes;
  report["packed_psnr_db"] = {{"mean", statistics.psnr_mean}, {"worst", statistics.psnr_worst}};
  report["not_drawn"] = statistics.not_drawn;
  report["by_style_and_split"] = by_style_and_split(entries);
  report["by_group"] = groups;
  report["edit_pairs"] = edit_counts(entries, edits);
  report["held_out_combinations"] = held_combinations(entries);
  write_file(out_dir / "manifest.jsonl", manifest);
  write_file(out_dir / "ATTRIBUTION.txt", attribution_text(openmoji));
  write_file(out_dir / "statistics.json", report.dump(1) + "\n");
}

}  // namespace thimble::data
