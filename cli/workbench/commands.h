// The workbench's commands: each adds its options and what runs when it is chosen. Only the program
// thimble-workbench links them; the device program has those of cli/device/commands.h alone.
#pragma once

#include <CLI/App.hpp>

namespace thimble::cli {

void add_data_command(CLI::App& app);
void add_train_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_gauge_command(CLI::App& app);
void add_voice_command(CLI::App& app);

}  // namespace thimble::cli
