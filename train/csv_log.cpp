#include "train/csv_log.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace thimble::train {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

std::string header_line(const std::vector<std::string>& columns) {
  return fmt::format("{}\n", fmt::join(columns, ","));
}

std::string row_line(const std::vector<double>& row) {
  std::string line;
  for (const double v : row) {
    if (!line.empty()) line += ',';
    if (std::isfinite(v)) line += fmt::format("{:.7g}", v);
  }
  return line + '\n';
}

}  // namespace

CsvLog::CsvLog(std::filesystem::path path, std::int64_t from_step) : path_(std::move(path)) {
  std::ifstream in(path_);
  std::string line;
  if (std::getline(in, line)) columns_ = split(line);
  while (std::getline(in, line)) {
    const auto cells = split(line);
    if (cells.empty() || std::atoll(cells[0].c_str()) > from_step) continue;
    std::vector<double> row(columns_.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < std::min(cells.size(), row.size()); ++i) {
      if (!cells[i].empty()) row[i] = std::atof(cells[i].c_str());
    }
    rows_.push_back(std::move(row));
  }
  if (rows_.empty()) columns_.clear();
  std::string text = columns_.empty() ? "" : header_line(columns_);
  for (const auto& row : rows_) text += row_line(row);
  write_file(path_, text);
}

void CsvLog::add(std::int64_t step, double minutes, const Values& values) {
  std::string text;
  if (columns_.empty()) {
    columns_ = {"step", "minutes"};
    for (const auto& [name, value] : values) columns_.push_back(name);
    text = header_line(columns_);
  }
  std::vector<double> row(columns_.size(), std::numeric_limits<double>::quiet_NaN());
  row[0] = static_cast<double>(step);
  row[1] = minutes;
  for (const auto& [name, value] : values) {
    for (std::size_t i = 2; i < columns_.size(); ++i) {
      if (columns_[i] == name) row[i] = value;
    }
  }
  text += row_line(row);
  rows_.push_back(std::move(row));
  std::ofstream out(path_, std::ios::app);
  out << text << std::flush;
  if (!out) fail(ErrorKind::io, "{}: cannot append a row (disk full?)", path_.string());
}

}  // namespace thimble::train
