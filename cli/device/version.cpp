// thimble version: what this program is and what it runs on.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "api/thimble.h"
#include "base/cpu.h"
#include "base/threads.h"
#include "cli/device/commands.h"
#include "formats/thimble/model_file.h"

namespace thimble::cli {

std::string version_text() {
  std::string isas;
  for (const Isa isa : usable_isas()) isas += " " + std::string(to_string(isa));
  return fmt::format("thimble {}, C interface {}, model format {}\n{}, {} processors, instruction sets:{}",
                     thimble_version(), thimble_api_version(), formats::kModelFormatVersion, cpu().model,
                     usable_processors(), isas);
}

void add_version_command(CLI::App& app) {
  auto* command = app.add_subcommand("version", "version, model format, and this machine's instruction sets");
  command->callback([] { std::printf("%s\n", version_text().c_str()); });
}

}  // namespace thimble::cli
