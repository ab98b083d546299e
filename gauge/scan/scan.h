// Scans many packages at the same time into a store. Resumable: what the store has is passed over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/progress.h"
#include "gauge/container/container.h"
#include "gauge/store/store.h"

namespace thimble::gauge {

struct ScanOptions {
  Limits limits;
  int jobs = 0;  // 0: all processors; each may hold limits.memory bytes
};

struct ScanResult {
  std::int64_t packages = 0, skipped = 0;  // scanned now, known before
  std::uint64_t bytes = 0;                 // of those scanned now
  double seconds = 0;
};

// The files behind `paths`: those named are taken whatever they are, folders are searched for packages, models, native
// code and blobs (not pictures, texts and the like). Links are not followed. Absolute paths, in order. Fails with
// bad_input when a path does not exist.
std::vector<std::string> find_packages(const std::vector<std::filesystem::path>& paths);

// Progress counts kilobytes. Fails with `cancelled`, or `io` when the store cannot be written; packages already stored
// stay.
ScanResult scan(const std::vector<std::string>& packages, const ScanOptions& options, Store& store,
                const ProgressFn& progress, CancelToken& cancel);

}  // namespace thimble::gauge
