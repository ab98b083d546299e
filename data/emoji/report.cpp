#include "data/emoji/report.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "data/emoji/edits.h"
#include "data/emoji/tasks.h"

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

// Tasks that any picture gives. Masks and grounds come from a seed, so their number has no end: pictures are counted,
// and what share of the square the first masks cover.
OrderedJson made_tasks(const std::vector<Entry>& entries) {
  constexpr std::uint64_t kMasks = 256;
  constexpr int kMaskSide = 64;
  OrderedJson by_split;
  for (int s = 0; s < kSplits; ++s) {
    const auto split = static_cast<Split>(s);
    by_split[std::string(to_string(split))] =
        std::count_if(entries.begin(), entries.end(), [split](const Entry& e) { return e.split == split; });
  }
  double least = 1, most = 0, sum = 0;
  for (std::uint64_t i = 0; i < kMasks; ++i) {
    const media::Image mask = inpainting_mask(0, i, kMaskSide);
    const auto covered = std::count(mask.pixels.begin(), mask.pixels.end(), 255);
    const double share = static_cast<double>(covered) / (kMaskSide * kMaskSide);
    least = std::min(least, share), most = std::max(most, share), sum += share;
  }
  OrderedJson factors = OrderedJson::array();
  for (int factor = 2; factor <= 8; factor *= 2) {
    factors.push_back({{"factor", factor}, {"from", kPictureSide / factor}, {"to", kPictureSide}});
  }
  return {{"inpainting",
           {{"by_split", by_split},
            {"mask_share", {{"least", least}, {"mean", sum / kMasks}, {"most", most}, {"masks", kMasks}}}}},
          {"super_resolution", {{"by_split", by_split}, {"sizes", factors}}},
          {"background", {{"by_split", by_split}, {"wordings", kMadeWordings}}},
          {"composite", {{"by_split", by_split}, {"wordings", kMadeWordings}}}};
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
  report["made_tasks"] = made_tasks(entries);
  report["held_out_combinations"] = held_combinations(entries);
  write_file(out_dir / "manifest.jsonl", manifest);
  write_file(out_dir / "ATTRIBUTION.txt", attribution_text(openmoji));
  write_file(out_dir / "statistics.json", report.dump(1) + "\n");
}

}  // namespace thimble::data
