#include "cli/workbench/gauge_report.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "api/thimble.h"
#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "gauge/report/report.h"

namespace thimble::cli {
namespace {

constexpr std::size_t kMostAnalysis = std::size_t{1} << 30;  // bytes of an analysis' JSON

struct ReportCommand {
  std::filesystem::path database, bench, analysis, against, html, json, csv;
  bool analyze = false;
};

gauge::ReportInputs read_inputs(const ReportCommand& command) {
  gauge::ReportInputs inputs;
  inputs.database = command.database;
  inputs.tool = fmt::format("thimble {}", thimble_version());
  inputs.no_analysis = "no analysis was given (--analysis FILE, or --analyze)";
  if (!command.against.empty()) inputs.former = command.against;
  if (!command.bench.empty()) inputs.benchmarks = gauge::benchmark_files(command.bench);
  if (command.analyze) {
    ProgressBar bar("analyze");
    inputs.analysis = gauge::analyze_database(command.database, bar.fn(), interrupt_token());
    inputs.analysis_source = fmt::format("analysis by {}", inputs.tool);
  } else if (!command.analysis.empty()) {
    inputs.analysis = parse_json(read_file(command.analysis, kMostAnalysis), command.analysis.string());
    if (!inputs.analysis->contains("models")) {
      fail(ErrorKind::bad_input, "{}: what 'thimble gauge analyze --json' prints was wanted",
           command.analysis.string());
    }
    inputs.analysis_source = command.analysis.filename().string();
  }
  return inputs;
}

void run_report(const ReportCommand& command) {
  if (command.html.empty() && command.json.empty() && command.csv.empty()) {
    fail(ErrorKind::bad_input, "nothing to write: name a page with -o, or --json or --csv");
  }
  for (const auto& path : {command.html, command.json}) {
    if (!path.empty()) check_writable(path);
  }
  const gauge::Report report = gauge::make_report(read_inputs(command));
  for (const gauge::Source& s : report.sources) {
    if (s.kind == "benchmark" && s.sha256.empty()) fmt::print(stderr, "{}\n", s.remark);
  }
  const auto wrote = [](const std::filesystem::path& path, const char* what) {
    fmt::print("{}: {}\n", path.string(), what);
  };
  if (!command.html.empty()) {
    write_file(command.html, gauge::to_html(report));
    wrote(command.html, "the page");
  }
  if (!command.json.empty()) {
    write_file(command.json, gauge::to_json(report).dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
    wrote(command.json, "all tables as JSON");
  }
  if (!command.csv.empty()) {
    gauge::write_csv(report, command.csv);
    wrote(command.csv, "one CSV file a table");
  }
}

}  // namespace

void add_gauge_report(CLI::App& gauge) {
  CLI::App* app = gauge.add_subcommand("report", "a page, JSON and CSV of what was found, analysed and measured");
  auto command = std::make_shared<ReportCommand>();
  app->add_option("database", command->database, "results of 'gauge scan'")->required();
  app->add_option("--bench", command->bench, "folder of results of 'gauge bench', one JSON file each");
  CLI::Option* analysis =
      app->add_option("--analysis", command->analysis, "what 'gauge analyze --json' printed")->check(CLI::ExistingFile);
  app->add_flag("--analyze", command->analyze, "analyse the models of the scanned packages now")->excludes(analysis);
  app->add_option("--against", command->against, "an older scan's database, to tell what came, went and changed");
  app->add_option("-o,--output", command->html, "the page, one HTML file that needs no other and no network");
  app->add_option("--json", command->json, "all tables as one JSON file");
  app->add_option("--csv", command->csv, "all tables as CSV files in this folder");
  app->footer(
      "Example: thimble gauge report gauge.db --analyze --bench results/ --against last_year.db -o report.html");
  app->callback([command] { run_report(*command); });
}

}  // namespace thimble::cli
