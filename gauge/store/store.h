// The results of scans in one SQLite file; the schema is docs/gauge.md's. A package is written in one transaction, so a
// scan that is killed leaves whole packages only, and what is there is not done again.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "gauge/scan/package_scan.h"
#include "gauge/store/sqlite.h"

namespace thimble::gauge {

class Store {
 public:
  // Refuses (bad_file) a database of something else or of a later schema.
  explicit Store(const std::filesystem::path& path);

  // Whether this file was scanned by these rules, from this path and with this content.
  bool has(const std::string& path, const std::string& sha256);
  // Replaces what was known of the same path.
  void put(const PackageRecord& record);

  // Counts over all packages in the file; the keys are docs/gauge.md's.
  OrderedJson summary();

 private:
  void put_rows(std::int64_t package, const PackageRecord& record);

  Database database_;
};

}  // namespace thimble::gauge
