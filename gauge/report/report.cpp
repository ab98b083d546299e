#include "gauge/report/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "gauge/analysis/analysis.h"
#include "gauge/analysis/collect.h"
#include "gauge/analysis/json.h"
#include "gauge/detect/names.h"
#include "gauge/report/tables.h"
#include "gauge/scan/extract.h"
#include "gauge/store/store.h"

namespace thimble::gauge {
namespace {

// Fails unless the file is the result of a scan; a database must not come into being by being asked for.
void require_scan(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail(ErrorKind::bad_input, "{}: there is no such file", path.string());
  if (!is_database(path.string())) {
    fail(ErrorKind::bad_input, "{} is no database of 'thimble gauge scan'", path.string());
  }
  const Store checked(path);
}

std::string count_of_packages(const Database& db) {
  Statement s(db, "SELECT count(*), group_concat(DISTINCT rules) FROM packages");
  return s.step() ? fmt::format("{} packages, scanned by rules {}", s.integer(0), s.text(1)) : "";
}

}  // namespace

std::vector<std::filesystem::path> benchmark_files(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> out;
  if (!std::filesystem::is_directory(folder, error)) {
    fail(ErrorKind::bad_input, "{}: a folder of results of 'thimble gauge bench' was wanted", folder.string());
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_regular_file(error) && entry.path().extension() == ".json") out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

Json analyze_database(const std::filesystem::path& database, const ProgressFn& progress, const CancelToken& cancel) {
  require_scan(database);
  const std::vector<std::string> packages = packages_of(database.string());
  Collection all;
  for (std::size_t i = 0; i < packages.size(); ++i) {
    cancel.throw_if_cancelled();
    if (progress) progress(static_cast<std::int64_t>(i), std::ssize(packages), packages[i]);
    collect_models(all, packages[i], {}, cancel, true);
  }
  const std::vector<Analysis>& models = all.models;
  OrderedJson failures = OrderedJson::array(), others = OrderedJson::array();
  for (const auto& f : all.failures) failures.push_back({{"path", f.path}, {"reason", f.reason}});
  for (const auto& o : all.others) others.push_back({{"path", o.path}, {"format", o.format}});
  OrderedJson out;
  out["models"] = OrderedJson::array();
  for (const Analysis& a : models) out["models"].push_back(to_json(a));
  out["sharing"] = to_json(sharing(models), models);
  out["failures"] = std::move(failures);
  out["others"] = std::move(others);
  return Json::parse(out.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
}

Report make_report(const ReportInputs& inputs) {
  require_scan(inputs.database);
  if (inputs.former) require_scan(*inputs.former);
  Report report;
  Database database(inputs.database);
  report::Facts facts = report::read_scan(database, inputs.database.string());
  report.tool = clean_text(fmt::format("{}, scan by {}", inputs.tool, facts.rules));
  report.sources.push_back({"scan", clean_text(inputs.database.string()), {}, clean_text(count_of_packages(database))});
  if (inputs.analysis) {
    report::join_analysis(facts, *inputs.analysis);
    const auto known = std::ranges::count_if(facts.models, [](const auto& m) { return m.analysis != nullptr; });
    report.sources.push_back({"analysis",
                              clean_text(inputs.analysis_source),
                              {},
                              fmt::format("{} of {} different models are in it", known, facts.models.size())});
  }
  report::read_benchmarks(facts, report, inputs.benchmarks);
  report::add_scan_tables(report, database, facts);
  report::add_model_tables(report, facts, inputs);
  report::add_bench_tables(report, facts);
  if (inputs.former) {
    Database former(*inputs.former);
    report.sources.push_back(
        {"former scan", clean_text(inputs.former->string()), {}, clean_text(count_of_packages(former))});
    report::add_difference(report, former, database, clean_text(inputs.former->filename().string()), facts.database);
  }
  report::add_figures(report, facts);
  return report;
}

}  // namespace thimble::gauge
