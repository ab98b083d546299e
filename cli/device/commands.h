// The device program's commands: each adds its options and what runs when it is chosen (CLI::App::callback). A command
// throws thimble::Error; main() turns it into one line on standard error and an exit status.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace thimble::cli {

void add_generate_command(CLI::App& app);
void add_edit_command(CLI::App& app);
void add_show_command(CLI::App& app);
void add_models_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_quantize_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_upscale_command(CLI::App& app);
void add_version_command(CLI::App& app);
std::string version_text();  // two lines: versions, machine

}  // namespace thimble::cli
