// A report as JSON and as CSV; docs/gauge.md describes both.
#include <fmt/format.h>

#include "base/file.h"
#include "gauge/report/report.h"

namespace thimble::gauge {
namespace {

OrderedJson value_of(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell.value)) return *integer;
  if (const auto* real = std::get_if<double>(&cell.value)) return *real;
  if (const auto* words = std::get_if<std::string>(&cell.value)) return *words;
  return nullptr;
}

// Quoted always. What a spreadsheet would take for a formula begins with an apostrophe.
std::string csv_text(std::string_view value) {
  std::string out = "\"";
  if (!value.empty() && std::string_view("=+-@\t\r").find(value.front()) != std::string_view::npos) out += '\'';
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string csv_value(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell.value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&cell.value)) return fmt::format("{}", *real);
  if (const auto* words = std::get_if<std::string>(&cell.value)) return csv_text(*words);
  return {};
}

std::string csv_line(const std::vector<std::string>& values) { return fmt::format("{}\n", fmt::join(values, ",")); }

std::string csv_table(const Table& t) {
  std::vector<std::string> head;
  for (const Column& c : t.columns) head.push_back(csv_text(c.id));
  head.insert(head.end(), {"\"source\"", "\"sources_apart\"", "\"not_available\""});
  std::string out = csv_line(head);
  for (const Row& row : t.rows) {
    std::vector<std::string> values;
    std::string apart, absent;
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const Cell& cell = row.cells[c];
      values.push_back(csv_value(cell));
      if (!cell.from.empty()) apart += fmt::format("{}{}: {}", apart.empty() ? "" : "; ", t.columns[c].id, cell.from);
      if (cell.missing()) absent += fmt::format("{}{}: {}", absent.empty() ? "" : "; ", t.columns[c].id, cell.why);
    }
    values.insert(values.end(), {csv_text(row.source), csv_text(apart), csv_text(absent)});
    out += csv_line(values);
  }
  return out;
}

}  // namespace

OrderedJson to_json(const Report& report) {
  OrderedJson out;
  out["report"] = 1;
  out["tool"] = report.tool;
  out["sources"] = OrderedJson::array();
  for (const Source& s : report.sources) {
    out["sources"].push_back({{"kind", s.kind}, {"path", s.path}, {"sha256", s.sha256}, {"remark", s.remark}});
  }
  out["tables"] = OrderedJson::object();
  for (const Table& t : report.tables) {
    OrderedJson table{
        {"title", t.title}, {"note", t.note}, {"columns", OrderedJson::array()}, {"rows", OrderedJson::array()}};
    for (const Column& c : t.columns) {
      table["columns"].push_back({{"id", c.id}, {"title", c.title}, {"unit", c.unit}, {"method", c.method}});
    }
    for (const Row& row : t.rows) {
      OrderedJson values = OrderedJson::object(), apart = OrderedJson::object(), absent = OrderedJson::object();
      for (std::size_t c = 0; c < row.cells.size(); ++c) {
        const Cell& cell = row.cells[c];
        values[t.columns[c].id] = value_of(cell);
        if (!cell.from.empty()) apart[t.columns[c].id] = cell.from;
        if (cell.missing()) absent[t.columns[c].id] = cell.why;
      }
      OrderedJson line{{"values", std::move(values)}, {"source", row.source}};
      if (!apart.empty()) line["sources_apart"] = std::move(apart);
      if (!absent.empty()) line["not_available"] = std::move(absent);
      table["rows"].push_back(std::move(line));
    }
    out["tables"][t.id] = std::move(table);
  }
  return out;
}

void write_csv(const Report& report, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::io, "{} cannot be made: {}", folder.string(), error.message());
  std::string columns = "\"table\",\"column\",\"title\",\"unit\",\"method\",\"tool\"\n";
  for (const Table& t : report.tables) {
    write_file(folder / (t.id + ".csv"), csv_table(t));
    for (const Column& c : t.columns) {
      columns += csv_line({csv_text(t.id), csv_text(c.id), csv_text(c.title), csv_text(c.unit), csv_text(c.method),
                           csv_text(report.tool)});
    }
  }
  write_file(folder / "columns.csv", columns);
  std::string sources = "\"kind\",\"path\",\"sha256\",\"remark\"\n";
  for (const Source& s : report.sources)
    sources += csv_line({csv_text(s.kind), csv_text(s.path), csv_text(s.sha256), csv_text(s.remark)});
  write_file(folder / "sources.csv", sources);
}

}  // namespace thimble::gauge
