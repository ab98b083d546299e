// The models inside a package, with their bytes. Finds what scan_bytes finds, and keeps nothing else.
#pragma once

#include <functional>
#include <string>

#include "base/cancel.h"
#include "gauge/container/container.h"
#include "gauge/scan/package_scan.h"

namespace thimble::gauge {

// A model inside a package; valid during the call.
struct FoundModel {
  const ModelRecord& record;
  Bytes bytes;               // of the main file
  const Siblings* siblings;  // the files beside it, null when there are none
};

// Calls f for each model. A file that is a model itself is one with its own name. Bad content is passed over; `io` when
// the file cannot be read.
void for_each_model(const std::string& package, const Limits& limits, const CancelToken& cancel,
                    const std::function<void(const FoundModel& model)>& f);

// The packages that a scan's database names, those that are still there.
std::vector<std::string> packages_of(const std::string& database);
bool is_database(const std::string& path);

}  // namespace thimble::gauge
