// What a report consists of before it is HTML, CSV or JSON: tables whose every value says where it came from, or why
// there is none. A column names the method, a row the source; a value may name its own.
// Texts from packages are hostile: they enter through text() alone, which bounds and cleans them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace thimble::gauge {

// Valid UTF-8 of at most `most` characters (the rest becomes "…"), with control characters, and those that hide or turn
// the direction of writing, spelt out as \u{202e}.
std::string clean_text(std::string_view text, std::size_t most = 300);

struct Cell {
  std::variant<std::monostate, std::int64_t, double, std::string> value{};
  std::string why{};   // there is no value: the reason
  std::string from{};  // where the value came from, when it is not the row's source

  bool missing() const { return value.index() == 0; }
};

Cell number(std::int64_t value, std::string from = {});
Cell number(std::uint64_t value, std::string from = {});
Cell number(double value, std::string from = {});  // one that is not finite is missing
Cell text(std::string_view value, std::string from = {});
Cell missing(std::string_view why);
std::optional<double> as_number(const Cell& cell);

struct Column {
  std::string id{};     // stable: the key in JSON and CSV
  std::string title{};  // for people
  std::string unit{};   // "bytes", "ms", "%"; empty for texts and counts
  std::string method{};
};

struct Row {
  std::vector<Cell> cells{};  // as many as columns
  std::string source{};
};

struct Table {
  std::string id{}, title{}, note{};
  std::vector<Column> columns{};
  std::vector<Row> rows{};

  void add(std::vector<Cell> cells, std::string source);
  std::size_t column(std::string_view id) const;  // fails with `internal` when there is none
};

// One chart as SVG text; the note names the table its numbers stand in.
struct Figure {
  std::string id{}, title{}, note{}, svg{};
};

struct Source {
  std::string kind{};  // "scan", "former scan", "analysis", "benchmark"
  std::string path{}, sha256{}, remark{};
};

struct Report {
  std::string tool{};  // "thimble 0.4.0, rules 2"
  std::vector<Source> sources{};
  std::vector<Table> tables{};
  std::vector<Figure> figures{};

  const Table* find(std::string_view id) const;
};

// A value as people read it: 12,345; 0.0123; 1.23e+09. Missing: empty.
std::string display(const Cell& cell);

}  // namespace thimble::gauge
