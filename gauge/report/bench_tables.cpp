// Results of `gauge bench`: every one with its file, models compared over devices and backends.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/file.h"
#include "gauge/detect/names.h"
#include "gauge/report/tables.h"

namespace thimble::gauge::report {
namespace {

constexpr std::size_t kMostJson = 16 << 20;  // bytes of one result

// A text, or the kind or name within an object.
std::string name_at(const Json& object, const char* key) {
  const std::string plain = string_at(object, {key});
  if (!plain.empty()) return plain;
  const std::string name = string_at(object, {key, "name"});
  return name.empty() ? string_at(object, {key, "kind"}) : name;
}

BenchFacts read_one(const Json& j, const std::string& file) {
  BenchFacts b;
  b.file = file;
  b.model = name_at(j, "model");
  b.sha256 = string_at(j, {"model_sha256"});
  b.device = name_at(j, "device");
  b.backend = name_at(j, "backend");
  b.refused = string_at(j, {"refused"});
  if (b.refused.empty()) b.refused = string_at(j, {"reason"});
  b.threads = number_at(j, {"threads"}, file);
  b.batch = number_at(j, {"batch"}, file);
  const auto latency = [&](const char* key) {
    const std::string reason = string_at(j, {"no_latency"});
    if (!reason.empty()) return missing(reason);
    return b.refused.empty() ? number_at(j, {"latency_ms", key}, file) : missing(b.refused);
  };
  b.median = latency("median");
  b.p90 = latency("p90");
  b.p99 = latency("p99");
  b.iqr = latency("iqr");
  b.least = latency("min");
  b.peak_bytes = number_at(j, {"peak_bytes"}, file);
  const std::string no_energy = string_at(j, {"energy", "reason"});
  b.joules = no_energy.empty() ? number_at(j, {"energy", "joules_per_inference"}, file) : missing(no_energy);
  const std::string source = string_at(j, {"energy", "source"});
  b.energy_source = source.empty() ? missing(no_energy.empty() ? file + " has none" : no_energy) : text(source);
  b.flops = number_at(j, {"flops"}, file);
  b.instructions = number_at(j, {"instructions"}, file);
  if (b.instructions.missing()) b.instructions = missing("counted on emulators only");
  const std::string with =
      name_at(at(j, {"compared_with"}) == nullptr ? Json::object() : j["compared_with"], "backend");
  b.compared = with.empty() ? missing(fmt::format("{} was compared with no other backend", file)) : text(with);
  b.largest_error = with.empty() ? b.compared : number_at(j, {"compared_with", "max_relative_error"}, file);
  return b;
}

// 2 FLOPs and 4 ms are 0.5 MFLOP/s.
Cell rate(const Cell& flops, const Cell& ms) {
  const auto f = as_number(flops), t = as_number(ms);
  if (!f) return missing("its FLOPs are not known: " + flops.why);
  if (!t || *t <= 0) return missing("there is no latency: " + ms.why);
  return number(*f / *t / 1e6);
}

std::string configuration(const BenchFacts& b) {
  std::string out = fmt::format("{}, {}", b.device.empty() ? "?" : b.device, b.backend.empty() ? "?" : b.backend);
  if (!b.threads.missing()) out += fmt::format(", {} thr.", display(b.threads));
  if (!b.batch.missing() && display(b.batch) != "1") out += fmt::format(", batch {}", display(b.batch));
  return clean_text(out, 80);
}

void results(Report& report, const Facts& facts) {
  Table t{.id = "benchmarks", .title = "Benchmarks", .note = "One row a result file."};
  t.columns = {{"model", "model", "", "as in table models, otherwise as the result names it"},
               {"device", "device", "", "as measured"},
               {"backend", "backend", "", "which runtime"},
               {"threads", "threads", "", "asked for"},
               {"batch", "batch", "", "inputs at a time"},
               {"median", "median", "ms", "of the timed runs"},
               {"p90", "p90", "ms", "of the timed runs"},
               {"p99", "p99", "ms", "of the timed runs"},
               {"iqr", "IQR", "ms", "third less first quartile"},
               {"min", "least", "ms", "of the timed runs"},
               {"peak", "peak memory", "bytes", "of the process that ran the model"},
               {"joules", "energy", "J", "an inference, idle baseline subtracted"},
               {"energy_source", "energy from", "", "what measured it"},
               {"flops", "FLOPs", "", "of one inference, as the result says"},
               {"rate", "speed", "GFLOP/s", "FLOPs over median latency"},
               {"instructions", "instructions", "", "on an emulator, in place of a latency"},
               {"compared", "compared with", "", "the backend whose outputs were compared"},
               {"error", "largest error", "", "relative to the output's largest value"},
               {"refused", "refused", "", "why a result was not accepted"},
               {"sha256", "SHA-256", "", "of the model's file"}};
  for (const BenchFacts& b : facts.benchmarks) {
    const auto known = facts.by_hash.find(b.sha256);
    const bool in_scan = known != facts.by_hash.end();
    const auto text_or = [&](const std::string& s, const char* what) {
      return s.empty() ? missing(fmt::format("{} has no {}", b.file, what)) : text(s);
    };
    Cell flops = b.flops;
    if (flops.missing() && in_scan && facts.models[known->second].analysis != nullptr) {
      flops = number_at(*facts.models[known->second].analysis, {"cost", "flops"}, "the analysis");
      flops.from = "the analysis";
    }
    Cell speed = rate(flops, b.median);
    t.add({in_scan ? text(facts.models[known->second].name) : text_or(std::string(base_name(b.model)), "model"),
           text_or(b.device, "device"),
           text_or(b.backend, "backend"),
           b.threads,
           b.batch,
           b.median,
           b.p90,
           b.p99,
           b.iqr,
           b.least,
           b.peak_bytes,
           b.joules,
           b.energy_source,
           std::move(flops),
           std::move(speed),
           b.instructions,
           b.compared,
           b.largest_error,
           b.refused.empty() ? missing("the result was accepted") : text(b.refused),
           text_or(b.sha256, "model_sha256")},
          b.file);
  }
  report.tables.push_back(std::move(t));
}

// Rows: models; columns: device, backend and threads.
void comparison(Report& report, const Facts& facts) {
  Table t{.id = "devices",
          .title = "Devices and backends side by side",
          .note = "Median latency in ms; columns are device, backend, threads. The lowest of several results counts."};
  std::set<std::string> configurations;
  std::map<std::string, std::map<std::string, const BenchFacts*>> by_model;
  std::map<std::string, std::string> names;
  for (const BenchFacts& b : facts.benchmarks) {
    const std::string key = b.sha256.empty() ? b.model : b.sha256, with = configuration(b);
    if (key.empty()) continue;
    configurations.insert(with);
    const auto known = facts.by_hash.find(b.sha256);
    names[key] = known == facts.by_hash.end() ? std::string(base_name(b.model)) : facts.models[known->second].name;
    const BenchFacts*& best = by_model[key][with];
    const auto ms = as_number(b.median);
    if (best == nullptr || (ms && *ms < as_number(best->median).value_or(INFINITY))) best = &b;
  }
  t.columns.push_back({"model", "model", "", "as in table models, otherwise as the result names it"});
  for (const std::string& c : configurations) {
    t.columns.push_back({c, c, "ms", "median of the timed runs, the lowest of several results"});
  }
  for (const auto& [key, row] : by_model) {
    std::vector<Cell> cells{text(names[key])};
    std::string source;
    for (const std::string& c : configurations) {
      const auto found = row.find(c);
      if (found == row.end()) {
        cells.push_back(missing("not benchmarked so"));
        continue;
      }
      Cell cell = found->second->median;
      cell.from = found->second->file;
      cells.push_back(std::move(cell));
      source += (source.empty() ? "" : ", ") + found->second->file;
    }
    t.add(std::move(cells), clean_text(source));
  }
  report.tables.push_back(std::move(t));
}

}  // namespace

void read_benchmarks(Facts& facts, Report& report, const std::vector<std::filesystem::path>& files) {
  for (const auto& path : files) {
    const std::string file = clean_text(path.filename().string());
    Source source{"benchmark", clean_text(path.string()), {}, {}};
    try {
      const std::string bytes = read_file(path, kMostJson);
      source.sha256 = sha256(std::as_bytes(std::span(bytes.data(), bytes.size())));
      const Json j = parse_json(bytes, path.string());
      for (const Json& one : j.is_array() ? j : Json::array({j})) {
        if (!one.is_object()) fail(ErrorKind::bad_file, "{} is no result of a benchmark", path.string());
        facts.benchmarks.push_back(read_one(one, file));
      }
    } catch (const Error& e) {
      source.remark = clean_text(e.what());
    }
    report.sources.push_back(std::move(source));
  }
  for (const BenchFacts& b : facts.benchmarks) {
    const auto known = facts.by_hash.find(b.sha256);
    if (known == facts.by_hash.end() || b.median.missing() || !b.refused.empty()) continue;
    ModelFacts& m = facts.models[known->second];
    const double ms = *as_number(b.median);
    if (m.latency_ms && *m.latency_ms <= ms) continue;
    m.latency_ms = ms;
    m.latency_from = fmt::format("{} ({})", b.file, configuration(b));
  }
}

void add_bench_tables(Report& report, const Facts& facts) {
  results(report, facts);
  comparison(report, facts);
}

}  // namespace thimble::gauge::report
