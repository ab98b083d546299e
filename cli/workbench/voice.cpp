// thimble voice …: which device a voice is turned to. The parent of the commands in voice_*.cpp.
#include <CLI/CLI.hpp>

#include "cli/workbench/commands.h"
#include "cli/workbench/voice.h"

namespace thimble::cli {

void add_voice_command(CLI::App& app) {
  CLI::App* voice = app.add_subcommand("voice", "which device a voice is turned to, from arrays of microphones");
  voice->require_subcommand(1);
  add_voice_locate(*voice);
  add_voice_facing(*voice);
  add_voice_node(*voice);
  add_voice_hub(*voice);
  add_voice_corpus(*voice);
  add_voice_simulate(*voice);
  add_voice_evaluate(*voice);
}

}  // namespace thimble::cli
