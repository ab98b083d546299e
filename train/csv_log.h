// A CSV file of named numbers per step that survives interruption: rows are flushed one by one, and going on from a
// checkpoint drops the rows after it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace thimble::train {

// In the order of the columns.
using Values = std::vector<std::pair<std::string, double>>;

class CsvLog {
 public:
  // Keeps rows up to `from_step` of a former file.
  CsvLog(std::filesystem::path path, std::int64_t from_step);

  // The first row fixes the columns ("step", "minutes", then the names); later, names that are not columns are
  // dropped and missing ones stay empty.
  void add(std::int64_t step, double minutes, const Values& values);

  const std::vector<std::string>& columns() const { return columns_; }
  // rows()[r][c]; NaN where the file says nothing.
  const std::vector<std::vector<double>>& rows() const { return rows_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::vector<std::string> columns_;
  std::vector<std::vector<double>> rows_;
};

}  // namespace thimble::train
