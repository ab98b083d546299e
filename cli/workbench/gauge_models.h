// thimble gauge analyze and thimble gauge check: what models are, and whether they run here as they should.
#pragma once

#include <CLI/App.hpp>

namespace thimble::cli {

void add_gauge_analyze(CLI::App& gauge);
void add_gauge_check(CLI::App& gauge);

}  // namespace thimble::cli
