// The parts of `thimble voice`: each adds its command to the parent.
#pragma once

#include <CLI/App.hpp>

namespace thimble::cli {

void add_voice_locate(CLI::App& voice);
void add_voice_facing(CLI::App& voice);
void add_voice_node(CLI::App& voice);
void add_voice_hub(CLI::App& voice);
void add_voice_corpus(CLI::App& voice);
void add_voice_simulate(CLI::App& voice);
void add_voice_evaluate(CLI::App& voice);

}  // namespace thimble::cli
