// From the results of a scan, of an analysis and of benchmarks to one report, and from that to HTML, JSON and CSV.
// Reads what other verbs wrote and adds nothing to it; what is not there is said to be missing, with the reason.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "gauge/report/table.h"

namespace thimble::gauge {

struct ReportInputs {
  std::filesystem::path database{};               // of `gauge scan`
  std::optional<std::filesystem::path> former{};  // an older one to compare with
  // What `gauge analyze --json` prints, and the file it was read from or what stands for it.
  std::optional<Json> analysis{};
  std::string analysis_source{};
  std::string no_analysis = "no analysis was given";  // why there is none
  std::vector<std::filesystem::path> benchmarks{};    // one JSON file a result
  std::string tool{};                                 // "thimble 0.4.0"
};

// bad_input when a database does not exist or is none; bad_file for one of something else. A benchmark's file that
// cannot be read is a row of its own with the reason, and ends nothing.
Report make_report(const ReportInputs& inputs);

// The JSON files of a folder, in order of their names.
std::vector<std::filesystem::path> benchmark_files(const std::filesystem::path& folder);

// Analyses each different model of the packages that a scan's database names and that are still there, once. The result
// has the form that `gauge analyze --json` prints.
Json analyze_database(const std::filesystem::path& database, const ProgressFn& progress, const CancelToken& cancel);

// One file, whole without any other and without the network. Tables above `most_rows` show their first rows and say so.
std::string to_html(const Report& report, std::size_t most_rows = 2000);
OrderedJson to_json(const Report& report);
// One file for each table, and columns.csv and sources.csv; the folder is made when it does not exist.
void write_csv(const Report& report, const std::filesystem::path& folder);

}  // namespace thimble::gauge
