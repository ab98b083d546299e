// thimble version: what this program is and what it runs on.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "api/thimble.h"
#include "base/cpu.h"
#include "base/threads.h"
#include "cli/device/commands.h"
#include "formats/thimble/model_file.h"

namespace thimble::cli {

void add_version_command(CLI::App& app) {
  auto* command = app.add_subcommand("version", "version, model format, and this machine's instruction sets");
  command->callback([] {
    std::string isas;
    for (const Isa isa : usable_isas()) isas += " " + std::string(to_string(isa));
    std::printf("thimble %s, C interface %d, model format %d\n", thimble_version(), thimble_api_version(),
                formats::kModelFormatVersion);
    std::printf("%s, %d processors, instruction sets:%s\n", cpu().model.c_str(), usable_processors(), isas.c_str());
  });
}

}  // namespace thimble::cli
