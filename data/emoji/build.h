// Builds the emoji data set: fetches the pinned packages, joins pictures with captions, draws them, packs them.
// Out: emoji.pack, manifest.jsonl, statistics.json and ATTRIBUTION.txt. Deterministic for the pinned packages
// and one version of the drawing library.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "data/emoji/dataset.h"

namespace thimble::data {

struct BuildOptions {
  std::filesystem::path out_dir;
  std::filesystem::path cache_dir;  // packages and drawn pictures; reused, and safe to delete
  int threads = 0;                  // 0: one for every usable processor
  bool include_openmoji = true;     // the unseen style (share-alike licence; for testing only)
  int quality = 27;                 // 0..100, of the packed colours; with alpha_quality 20 six styles stay below 35 MB
  int alpha_quality = 20;           // 0..100, of the packed outlines; above 70 packing is some twenty times slower
};

struct BuildStatistics {
  std::size_t pictures = 0;
  std::size_t pack_bytes = 0;
  double psnr_mean = 0, psnr_worst = 0;  // packed against drawn, premultiplied RGBA, dB
  std::vector<std::string> not_drawn;    // "fluent 2614: reason"
  OrderedJson report;                    // the content of statistics.json
};

// Pictures drawn earlier are taken from the cache, so a killed build goes on where it stopped. Every file in out_dir
// appears whole or not at all. Errors: io (no npm, no network, disk full), bad_file (a package that is not the pinned
// one).
BuildStatistics build_emoji(const BuildOptions& options, const ProgressFn& progress, const CancelToken& cancel);

}  // namespace thimble::data
