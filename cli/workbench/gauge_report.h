// thimble gauge report: what a scan, an analysis and benchmarks found, as one page, JSON and CSV.
#pragma once

#include <CLI/App.hpp>

namespace thimble::cli {

void add_gauge_report(CLI::App& gauge);

}  // namespace thimble::cli
