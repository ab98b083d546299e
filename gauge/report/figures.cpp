// The charts of a report, all drawn from its own tables.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "gauge/report/svg.h"
#include "gauge/report/tables.h"

namespace thimble::gauge::report {
namespace {

constexpr std::size_t kMostBars = 24, kMostNames = 48;

std::string name_of(const Row& row, std::size_t column) { return display(row.cells[column]); }

// FLOPs and latency of every benchmark that has both.
void flops_and_latency(Report& report) {
  const Table& t = *report.find("benchmarks");
  const std::size_t model = t.column("model"), device = t.column("device"), backend = t.column("backend"),
                    threads = t.column("threads"), flops = t.column("flops"), median = t.column("median");
  std::vector<std::string> series;
  std::vector<Mark> marks;
  for (const Row& row : t.rows) {
    const auto x = as_number(row.cells[flops]), y = as_number(row.cells[median]);
    if (!x || !y || *x <= 0 || *y <= 0) continue;
    const std::string with =
        fmt::format("{}, {}, {} thr.", name_of(row, device), name_of(row, backend), name_of(row, threads));
    auto at = std::ranges::find(series, with);
    if (at == series.end()) at = series.insert(series.end(), with);
    marks.push_back(
        {*x, *y, static_cast<std::size_t>(at - series.begin()),
         fmt::format("{}: {:.3g} FLOPs, {:.4g} ms ({}; {})", name_of(row, model), *x, *y, with, row.source)});
  }
  report.figures.push_back({"flops_latency", "FLOPs against latency",
                            marks.empty() ? "Not available: no benchmark with both FLOPs and a latency was given."
                                          : "Each dot is a benchmark; both axes logarithmic. From table benchmarks.",
                            scatter("FLOPs of an inference", "median latency, ms", series, marks)});
}

// Columns `names` of a table as one bar a row.
void bars_of(Report& report, const char* table, const char* id, const char* title, const std::string& note,
             const char* key, const std::vector<const char*>& columns) {
  const Table& t = *report.find(table);
  std::vector<std::string> series;
  std::vector<std::size_t> places;
  for (const char* c : columns) {
    places.push_back(t.column(c));
    series.push_back(t.columns[places.back()].title);
  }
  std::vector<Bar> rows;
  for (const Row& row : t.rows) {
    Bar bar{.label = name_of(row, t.column(key))};
    double sum = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
      bar.values.push_back(as_number(row.cells[places[i]]).value_or(0));
      bar.titles.push_back(fmt::format("{}, {}: {}", bar.label, series[i], display(row.cells[places[i]])));
      sum += bar.values.back();
    }
    if (sum > 0) rows.push_back(std::move(bar));
  }
  const bool grouped = columns.size() > 1 && std::string_view(columns[0]).substr(0, 5) != "level";
  std::ranges::stable_sort(rows, [](const Bar& a, const Bar& b) {
    return std::accumulate(a.values.begin(), a.values.end(), 0.0) >
           std::accumulate(b.values.begin(), b.values.end(), 0.0);
  });
  std::string said = note;
  if (rows.size() > kMostBars) {
    said += fmt::format(" The first {} of {}.", kMostBars, rows.size());
    rows.resize(kMostBars);
  }
  if (rows.empty()) said = fmt::format("Not available: table {} has no row with a number. {}", table, t.note);
  report.figures.push_back({id, title, said, bars(series, rows, "", grouped, false)});
}

void devices(Report& report) {
  const Table& t = *report.find("devices");
  std::vector<std::string> series;
  for (std::size_t c = 1; c < t.columns.size(); ++c) series.push_back(t.columns[c].title);
  std::vector<Bar> rows;
  for (const Row& row : t.rows) {
    Bar bar{.label = name_of(row, 0)};
    for (std::size_t c = 1; c < row.cells.size(); ++c) {
      bar.values.push_back(as_number(row.cells[c]).value_or(0));
      bar.titles.push_back(
          fmt::format("{}, {}: {} ms ({})", bar.label, series[c - 1], display(row.cells[c]), row.cells[c].from));
    }
    if (std::ranges::any_of(bar.values, [](double v) { return v > 0; })) rows.push_back(std::move(bar));
  }
  if (rows.size() > kMostNames) rows.resize(kMostNames);
  report.figures.push_back({"devices", "Latency by device and backend",
                            rows.empty() ? "Not available: no benchmark with a latency was given."
                                         : "Median in ms, logarithmic. From table devices.",
                            bars(series, rows, "ms", true, true)});
}

// Models that share weights, ordered so that those of one family stand together.
void sharing_maps(Report& report) {
  const Table& t = *report.find("sharing");
  const std::size_t a = t.column("a"), b = t.column("b"), share = t.column("share"), bytes = t.column("bytes"),
                    tensors = t.column("tensors"), verdict = t.column("verdict"), hash_a = t.column("sha256_a"),
                    hash_b = t.column("sha256_b");
  constexpr double kLeast = 1;  // percent: a few common constants make no family
  std::map<std::string, std::size_t> index;
  std::vector<std::string> names;
  std::vector<std::size_t> family;
  std::vector<const Row*> pairs;
  const auto node = [&](const Row& row, std::size_t hash, std::size_t name) {
    const auto [at, fresh] = index.try_emplace(name_of(row, hash), names.size());
    if (fresh) {
      names.push_back(name_of(row, name));
      family.push_back(at->second);
    }
    return at->second;
  };
  for (const Row& row : t.rows) {
    if (as_number(row.cells[share]).value_or(0) < kLeast) continue;
    if (names.size() + 2 > kMostNames &&
        !(index.contains(name_of(row, hash_a)) && index.contains(name_of(row, hash_b))))
      continue;
    const std::size_t i = node(row, hash_a, a), j = node(row, hash_b, b);
    const std::size_t one = std::min(family[i], family[j]), other = std::max(family[i], family[j]);
    std::ranges::replace(family, other, one);
    pairs.push_back(&row);
  }
  if (pairs.empty()) {
    report.figures.push_back(
        {"sharing",
         "Who shares weights with whom",
         "Not available: no two different models of table sharing have 1 % of their bytes in common. " + t.note,
         {}});
    return;
  }
  std::vector<std::size_t> order(names.size()), place(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t x, std::size_t y) {
    return family[x] != family[y] ? family[x] < family[y] : names[x] < names[y];
  });
  std::vector<std::string> sorted;
  for (std::size_t i = 0; i < order.size(); ++i) {
    place[order[i]] = i;
    sorted.push_back(names[order[i]]);
  }
  std::vector<Square> squares;
  std::vector<Edge> edges;
  std::vector<std::string> verdicts;
  for (std::size_t i = 0; i < sorted.size(); ++i) squares.push_back({i, i, 1, sorted[i]});
  for (const Row* row : pairs) {
    const std::size_t i = place[index[name_of(*row, hash_a)]], j = place[index[name_of(*row, hash_b)]];
    const double part = as_number(row->cells[share]).value_or(0) / 100;
    const std::string what = row->cells[verdict].missing() ? "shares constants" : name_of(*row, verdict);
    const std::string title =
        fmt::format("{} and {}: {}, {} tensors, {} bytes, {:.1f} % of the smaller", name_of(*row, a), name_of(*row, b),
                    what, name_of(*row, tensors), name_of(*row, bytes), 100 * part);
    squares.push_back({i, j, part, title});
    squares.push_back({j, i, part, title});
    auto series = std::ranges::find(verdicts, what);
    if (series == verdicts.end()) series = verdicts.insert(verdicts.end(), what);
    edges.push_back({i, j, static_cast<std::size_t>(series - verdicts.begin()), part, title});
  }
  report.figures.push_back({"sharing", "Who shares weights with whom",
                            "Share of the smaller model's bytes; families stand together. From table sharing.",
                            matrix(sorted, squares)});
  report.figures.push_back({"families", "Families of models",
                            "Who was copied or fine-tuned from whom. From table sharing.",
                            circle(sorted, verdicts, edges)});
}

void duplicates(Report& report) {
  const Table& t = *report.find("duplicates");
  std::vector<Bar> rows;
  for (const Row& row : t.rows) {
    if (rows.size() == kMostBars) break;
    const std::string name = name_of(row, t.column("name"));
    const double n = as_number(row.cells[t.column("packages")]).value_or(0);
    rows.push_back({name, {n}, {fmt::format("{}: {} packages, {} copies", name, n, name_of(row, t.column("copies")))}});
  }
  report.figures.push_back(
      {"duplicates", "The same model in several packages",
       rows.empty() ? "No model lies in two packages." : "Packages a model lies in. From table duplicates.",
       bars({"packages"}, rows, "", false, false)});
}

void difference(Report& report) {
  const Table* t = report.find("snapshots");
  if (t == nullptr) return;
  std::vector<Bar> rows;
  for (const Row& row : t->rows) {
    const auto before = as_number(row.cells[t->column("former")]), after = as_number(row.cells[t->column("now")]);
    if (!before || !after || rows.size() == kMostNames) continue;
    const std::string name = name_of(row, 0);
    rows.push_back({name,
                    {*before, *after},
                    {fmt::format("{}, former: {}", name, *before), fmt::format("{}, now: {}", name, *after)}});
  }
  report.figures.push_back({"snapshots", "Former scan and this one", "From table snapshots.",
                            bars({"former", "now"}, rows, "", true, false)});
}

}  // namespace

void add_figures(Report& report, const Facts&) {
  flops_and_latency(report);
  devices(report);
  bars_of(report, "formats", "formats", "Models by format", "Places and different models. From table formats.",
          "format", {"models", "unique"});
  bars_of(report, "frameworks", "evidence", "Frameworks, accelerators, cloud services",
          "Packages by the strongest evidence. From table frameworks.", "name",
          {"level0", "level1", "level2", "level3", "level4"});
  bars_of(report, "tasks", "tasks", "Tasks", "Different models and places. From table tasks.", "name",
          {"unique", "places"});
  bars_of(report, "modalities", "modalities", "Modalities", "Different models and places. From table modalities.",
          "name", {"unique", "places"});
  bars_of(report, "quantisation", "quantisation", "Quantisation",
          "Different models and places. From table quantisation.", "name", {"unique", "places"});
  duplicates(report);
  sharing_maps(report);
  difference(report);
}

}  // namespace thimble::gauge::report
