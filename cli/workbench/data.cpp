// thimble data …: reads options, calls one builder, prints what was made.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/cancel.h"
#include "base/progress.h"
#include "cli/workbench/commands.h"
#include "data/emoji/build.h"
#include "data/emoji/captions.h"
#include "media/codec.h"
#include "plot/sheet.h"

namespace thimble::cli {
namespace {

struct EmojiOptions {
  data::BuildOptions build;
  bool without_openmoji = false, json = false;
};

// A look at the set: one concept a row, one style a column, each with one of its captions.
void write_sheet(const std::filesystem::path& out_dir) {
  constexpr int kRows = 12;
  const auto set = data::EmojiSet::open(out_dir / "emoji.pack");
  std::vector<plot::Tile> tiles;
  Rng rng(1);
  for (int tries = 0; tries < 2000 && tiles.size() < std::size_t{kRows} * data::kStyles; ++tries) {
    const std::string& concept_ = set->entries()[rng.below(set->entries().size())].code_point;
    std::vector<plot::Tile> row;
    for (int s = 0; s < data::kStyles; ++s) {
      const data::Entry* e = set->find(concept_, static_cast<data::Style>(s));
      if (e != nullptr) row.push_back({set->picture(e->id), data::caption(*e, rng)});
    }
    if (row.size() >= data::kTrainedStyles) {
      row.resize(data::kStyles);
      tiles.insert(tiles.end(), row.begin(), row.end());
    }
  }
  if (tiles.empty()) return;
  media::write_image(out_dir / "sheet.png",
                     plot::contact_sheet(tiles, {.columns = data::kStyles, .caption_lines = 3, .title = "emoji"}));
}

void print_summary(const data::BuildStatistics& s, const std::filesystem::path& out_dir) {
  fmt::print("{} pictures in {} ({}), packed at {:.1f} dB\n", s.pictures, (out_dir / "emoji.pack").string(),
             human_bytes(static_cast<double>(s.pack_bytes)), s.psnr_mean);
  for (const auto& [set, splits] : s.report["by_style_and_split"].items()) {
    fmt::print("  {:<12}", set);
    for (const auto& [split, count] : splits.items()) {
      if (count != 0) fmt::print("  {} {}", split, count.get<int>());
    }
    fmt::print("\n");
  }
  for (const std::string& reason : s.not_drawn) fmt::print("  left out: {}\n", reason);
}

void run_emoji(EmojiOptions options) {
  if (options.build.cache_dir.empty()) options.build.cache_dir = options.build.out_dir / "cache";
  options.build.include_openmoji = !options.without_openmoji;
  data::BuildStatistics statistics;
  {
    ProgressBar bar("emoji");
    statistics = data::build_emoji(options.build, bar.fn(), interrupt_token());
  }
  write_sheet(options.build.out_dir);
  if (options.json) {
    fmt::print("{}\n", statistics.report.dump());
  } else {
    print_summary(statistics, options.build.out_dir);
  }
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* data = app.add_subcommand("data", "build data sets");
  data->require_subcommand(1);
  CLI::App* emoji = data->add_subcommand("emoji", "captioned emoji in six styles, 256x256, in one packed file");
  auto options = std::make_shared<EmojiOptions>();
  options->build.out_dir = "data-cache/emoji";
  emoji->add_option("--out", options->build.out_dir, "folder for emoji.pack and what stands beside it")
      ->capture_default_str();
  emoji->add_option("--cache", options->build.cache_dir,
                    "folder for packages and drawn pictures (default: cache in the out folder)");
  emoji->add_option("--threads", options->build.threads, "0: all processors")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  emoji->add_option("--quality", options->build.quality, "of the packed pictures")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  emoji->add_option("--alpha-quality", options->build.alpha_quality, "of their outlines; slow above 70")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  emoji->add_flag("--without-openmoji", options->without_openmoji,
                  "leave out the share-alike style that only tests use");
  emoji->add_flag("--json", options->json, "print the statistics as JSON");
  emoji->callback([options] { run_emoji(*options); });
}

}  // namespace thimble::cli
