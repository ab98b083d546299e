// What stands beside the pack: manifest.jsonl, statistics.json, ATTRIBUTION.txt.
#pragma once

#include <filesystem>
#include <string>

#include "data/emoji/build.h"
#include "data/emoji/dataset.h"

namespace thimble::data {

// Fills statistics.report from the entries and writes the files into `out_dir`.
void write_reports(const std::filesystem::path& out_dir, const std::vector<Entry>& entries,
                   BuildStatistics& statistics);

OrderedJson manifest_line(const Entry& entry);
std::string attribution_text(bool with_openmoji);

}  // namespace thimble::data
