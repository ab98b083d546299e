// thimble gauge …: what AI packages ship. Reads options, calls the library, prints a summary.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/cancel.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/workbench/commands.h"
#include "cli/workbench/gauge_bench.h"
#include "cli/workbench/gauge_models.h"
#include "cli/workbench/gauge_report.h"
#include "gauge/scan/scan.h"

namespace thimble::cli {
namespace {

struct ScanCommand {
  std::vector<std::filesystem::path> paths;
  std::filesystem::path db = "gauge.db";
  gauge::ScanOptions options;
  double memory_mb = 1024;
  bool json = false;
};

constexpr const char* kLevels[] = {"named", "built in", "linked", "shipped", "called"};

std::string megabytes_per_second(const gauge::ScanResult& r) {
  return r.seconds > 0 ? fmt::format("{:.1f} MB/s", static_cast<double>(r.bytes) / 1e6 / r.seconds) : "";
}

void print_packages(const OrderedJson& rows) {
  fmt::print("\n{:<10}{:>10}{:>12}{:>14}{:>16}\n", "packages", "count", "size", "with models", "with failures");
  for (const auto& row : rows) {
    fmt::print("{:<10}{:>10}{:>12}{:>14}{:>16}\n", row["kind"].get<std::string>(), row["count"].get<std::int64_t>(),
               human_bytes(row["bytes"].get<double>()), row["with_models"].get<std::int64_t>(),
               row["with_failures"].get<std::int64_t>());
  }
}

void print_models(const OrderedJson& rows) {
  if (rows.empty()) {
    fmt::print("\nno models\n");
    return;
  }
  fmt::print("\n{:<16}{:>8}{:>10}{:>12}{:>10}{:>12}\n", "models", "count", "unique", "packages", "carved", "size");
  for (const auto& row : rows) {
    fmt::print("{:<16}{:>8}{:>10}{:>12}{:>10}{:>12}\n", row["format"].get<std::string>(),
               row["count"].get<std::int64_t>(), row["unique"].get<std::int64_t>(), row["packages"].get<std::int64_t>(),
               row["carved"].get<std::int64_t>(), human_bytes(row["bytes"].get<double>()));
  }
}

void print_findings(const OrderedJson& rows) {
  if (rows.empty()) return;
  fmt::print("\n{:<12}{:<38}{:>10}  {}\n", "evidence", "of", "packages", "strongest");
  for (const auto& row : rows) {
    const auto level = std::clamp<std::int64_t>(row["level"].get<std::int64_t>(), 0, std::ssize(kLevels) - 1);
    fmt::print("{:<12}{:<38}{:>10}  {}\n", row["subject"].get<std::string>(), row["name"].get<std::string>(),
               row["packages"].get<std::int64_t>(), kLevels[level]);
  }
}

void print_failures(const OrderedJson& rows) {
  if (rows.empty()) return;
  fmt::print("\n{:<12}{:<22}{:>8}{:>10}\n", "failures", "kind", "count", "packages");
  for (const auto& row : rows) {
    fmt::print("{:<12}{:<22}{:>8}{:>10}\n", row["stage"].get<std::string>(), row["kind"].get<std::string>(),
               row["count"].get<std::int64_t>(), row["packages"].get<std::int64_t>());
  }
}

void run_scan(ScanCommand command) {
  command.options.limits.memory = static_cast<std::uint64_t>(command.memory_mb * (1 << 20));
  check_writable(command.db);
  const std::vector<std::string> packages = gauge::find_packages(command.paths);
  gauge::Store store(command.db);
  gauge::ScanResult result;
  {
    ProgressBar bar("scan");
    result = gauge::scan(packages, command.options, store, bar.fn(), interrupt_token());
  }
  OrderedJson summary = store.summary();
  if (command.json) {
    OrderedJson out;
    out["database"] = command.db.string();
    out["scanned"] = result.packages;
    out["known_before"] = result.skipped;
    out["bytes"] = result.bytes;
    out["seconds"] = result.seconds;
    out.update(summary);
    fmt::print("{}\n", out.dump());
    return;
  }
  fmt::print("{} packages scanned, {} known before, {} in {} {}\n", result.packages, result.skipped,
             human_bytes(static_cast<double>(result.bytes)), human_time(result.seconds), megabytes_per_second(result));
  print_packages(summary["packages"]);
  print_models(summary["models"]);
  print_findings(summary["findings"]);
  print_failures(summary["failures"]);
  fmt::print("\neverything found is in {} (tables: packages, entries, findings, models, failures)\n",
             command.db.string());
}

}  // namespace

void add_gauge_command(CLI::App& app) {
  CLI::App* gauge = app.add_subcommand("gauge", "what AI packages ship, and how it is put there");
  gauge->require_subcommand(1);
  CLI::App* scan = gauge->add_subcommand("scan", "find models, frameworks, accelerators and services in app packages");
  auto command = std::make_shared<ScanCommand>();
  scan->add_option("paths", command->paths,
                   "apk, xapk, apks, aab, aar, ipa, obb, zip, tar, gz files, models, or folders of them")
      ->required();
  scan->add_option("--db", command->db, "results, an SQLite file; what it knows already is not scanned again")
      ->capture_default_str();
  scan->add_option("--jobs", command->options.jobs, "packages at the same time; 0: one a processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  scan->add_option("--memory", command->memory_mb, "MiB that one package may hold unpacked")
      ->check(CLI::Range(16.0, 1048576.0))
      ->capture_default_str();
  scan->add_flag("--json", command->json, "print the summary as JSON");
  scan->callback([command] { run_scan(*command); });
  add_gauge_analyze(*gauge);
  add_gauge_check(*gauge);
  add_gauge_report(*gauge);
  add_gauge_bench(*gauge);
}

}  // namespace thimble::cli
