// thimble gauge bench: what a model costs in time, memory and energy.
#pragma once

#include <CLI/App.hpp>

namespace thimble::cli {

void add_gauge_bench(CLI::App& gauge);

}  // namespace thimble::cli
