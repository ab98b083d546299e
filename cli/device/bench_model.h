// The table or JSON of `thimble bench NAME --random-weights`.
#pragma once

#include <string>

#include "api/bench_model.h"
#include "cli/device/run_options.h"

namespace thimble::cli {

// bad_input when the catalogue has no such model.
void bench_random_model(const std::string& name, api::ModelBenchOptions options, const RunOptions& run, bool json);

}  // namespace thimble::cli
