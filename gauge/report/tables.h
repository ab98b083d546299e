// The parts of make_report: each fills tables of a report from one kind of source. Inside this folder only.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "gauge/report/report.h"
#include "gauge/store/sqlite.h"

namespace thimble::gauge::report {

// One model by its bytes, wherever it lies.
struct ModelFacts {
  std::string sha256{}, format{}, found_by{}, remark{};
  std::string name{};   // of its file, of several copies the one that says most
  std::string place{};  // package and path of that copy
  std::int64_t size = 0, copies = 0, packages = 0, version = 0, operators = 0, tensors = 0, parameters = 0;
  const Json* analysis = nullptr;  // its entry among the analysed models
  std::optional<double> latency_ms{};
  std::string latency_from{};  // the benchmark of the lowest median
};

// One result of a benchmark, read with what it has.
struct BenchFacts {
  std::string file, model, sha256, device, backend, refused;
  Cell threads, batch, median, p90, p99, iqr, least, peak_bytes, joules, energy_source, flops, instructions, compared,
      largest_error;
};

struct Facts {
  std::vector<ModelFacts> models;  // most copies first
  std::vector<BenchFacts> benchmarks;
  std::map<std::string, std::size_t> by_hash;   // index among models
  std::map<std::string, std::size_t> by_place;  // "package!/path inside", of every copy
  std::string database, rules;                  // as sources are written; "rules 1"
};

// `object.a.b` or null.
const Json* at(const Json& object, std::initializer_list<const char*> keys);
// The number there; missing with "<source> has no <a.b>".
Cell number_at(const Json& object, std::initializer_list<const char*> keys, std::string_view source);
std::string string_at(const Json& object, std::initializer_list<const char*> keys);

std::string short_hash(std::string_view sha256);
Cell share(double part, double whole);  // in percent

// scan_tables.cpp
Facts read_scan(Database& database, const std::string& path);
void add_scan_tables(Report& report, Database& database, const Facts& facts);
// model_tables.cpp
void join_analysis(Facts& facts, const Json& analysis);
void add_model_tables(Report& report, const Facts& facts, const ReportInputs& inputs);
// bench_tables.cpp
void read_benchmarks(Facts& facts, Report& report, const std::vector<std::filesystem::path>& files);
void add_bench_tables(Report& report, const Facts& facts);
// difference.cpp
void add_difference(Report& report, Database& former, Database& now, const std::string& former_path,
                    const std::string& now_path);
// figures.cpp
void add_figures(Report& report, const Facts& facts);

}  // namespace thimble::gauge::report
