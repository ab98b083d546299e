// The program: reads arguments, calls a command, and turns failures into one line on standard error and an exit status:
// 0 done, 2 refused or failed, 130 stopped by Ctrl-C. The same file makes `thimble` (device side only) and
// `thimble-workbench`, which has the workbench's commands too.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>

#include "base/cancel.h"
#include "base/error.h"
#include "cli/device/commands.h"
#ifdef THIMBLE_WORKBENCH_PROGRAM
#include "cli/workbench/commands.h"
#endif

namespace {

constexpr int kFailed = 2, kInterrupted = 130;

int fail_with(std::string message, int status = kFailed) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "thimble: %s\n", message.c_str());
  return status;
}

// The command that the arguments got to, for the hint: "thimble generate".
std::string called(const CLI::App& app) {
  std::string name = "thimble";
  for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    name += " " + at->get_name();
  }
  return name;
}

// Refuses a command that is none, naming those there are; the parser itself would only miss one.
void check_command(const CLI::App& app, const std::string& command) {
  std::string names;
  for (const CLI::App* c : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (c->get_name() == command) return;
    names += (names.empty() ? "" : ", ") + c->get_name();
  }
  thimble::fail(thimble::ErrorKind::bad_input, "there is no command '{}'; there are {} (see thimble --help)", command,
                names);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace thimble;
  install_interrupt_handler();
  CLI::App app{"Thimble: pictures from text on this device, and the workbench behind it.", "thimble"};
  app.set_help_all_flag("--help-all", "help of every command");
  app.set_version_flag("--version", [] { return cli::version_text(); });
  cli::add_generate_command(app);
  cli::add_edit_command(app);
  cli::add_show_command(app);
  cli::add_models_command(app);
  cli::add_bench_command(app);
  cli::add_quantize_command(app);
  cli::add_convert_command(app);
  cli::add_export_command(app);
  cli::add_upscale_command(app);
  cli::add_version_command(app);
#ifdef THIMBLE_WORKBENCH_PROGRAM
  cli::add_data_command(app);
  cli::add_train_command(app);
  cli::add_evaluate_command(app);
  cli::add_gauge_command(app);
  cli::add_voice_command(app);
#endif
  app.footer(
      "Example:  thimble generate \"a smiling cat with sunglasses\" -o cat.png\n"
      "`thimble COMMAND --help` explains a command. The launcher ./thimble also knows the workbench's commands\n"
      "(data, train, evaluate, gauge, voice): it builds that side at first use.");
  if (argc < 2) return std::fputs(app.help().c_str(), stdout), 0;

  try {
    if (argv[1][0] != '-') check_command(app, argv[1]);
    app.parse(argc, argv);
    return interrupt_token().cancelled() ? kInterrupted : 0;
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help
    return fail_with(std::string(e.what()) + " (see " + called(app) + " --help)");
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::cancelled) return fail_with("stopped; nothing was left half done", kInterrupted);
    return fail_with(e.what());
  } catch (const std::bad_alloc&) {
    return fail_with("not enough memory");
  } catch (const std::exception& e) {
    return fail_with(e.what());
  }
}
