// thimble voice evaluate: the sweep over simulated rooms, and the tuning that comes before it.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <span>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/workbench/voice.h"
#include "voice/study/sweep.h"
#include "voice/study/tune.h"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;
using namespace voice;

constexpr std::uint64_t kTuningSeed = 1;

struct EvaluateCommand {
  SweepOptions sweep;
  fs::path settings, frozen = "voice/frozen.json";
  std::string split = "test";
  std::optional<std::uint64_t> seed;
  std::vector<double> snr = {5, 30};
  int rounds = 2;
  bool tune = false, report = false, json = false;
};

void load_settings(EvaluateCommand& command) {
  SweepOptions& o = command.sweep;
  if (command.settings.empty()) {
    o.settings = frozen();
    o.settings_hash = frozen_hash();
    return;
  }
  const std::string text = read_file(command.settings, 1 << 20);
  o.settings = settings_from_json(parse_json(text, command.settings.string(), 8), command.settings.string());
  o.settings_hash = sha256(std::as_bytes(std::span(text)));
}

SweepState make_trials(const EvaluateCommand& command) {
  ProgressBar bar("sweep");
  return run_sweep(command.sweep, bar.fn(), interrupt_token());
}

void say_incomplete(const EvaluateCommand& command, const SweepState& state) {
  fmt::print("rank {} of {} is done; {} of {} configurations are recorded in {}\n", command.sweep.record.rank.index,
             command.sweep.record.rank.count, state.recorded, state.wanted, command.sweep.folder.string());
}

void run_tune(const EvaluateCommand& command) {
  const SweepOptions& o = command.sweep;
  check_writable(command.frozen);
  const SweepState state = make_trials(command);
  if (!state.complete()) return say_incomplete(command, state);
  Tuned tuned;
  {
    ProgressBar bar("tune");
    tuned = tune(read_trials(o), o.sampler.devices, o.settings, decision_knobs(), command.rounds, o.record.threads,
                 bar.fn(), interrupt_token());
  }
  tuned.settings.origin =
      fmt::format("thimble voice evaluate --tune, {} configurations of seed {}, loss {:.4f} from {:.4f}", state.wanted,
                  o.sampler.seed, tuned.after, tuned.before);
  write_settings(command.frozen.string(), tuned.settings);
  if (command.json) {
    const OrderedJson out = {
        {"frozen", command.frozen.string()}, {"before", tuned.before}, {"after", tuned.after}, {"tried", tuned.tried},
        {"configurations", state.wanted},    {"seed", o.sampler.seed}};
    fmt::print("{}\n", out.dump());
    return;
  }
  fmt::print("loss {:.4f} before, {:.4f} after {} trials of settings on {} configurations; wrote {}\n", tuned.before,
             tuned.after, tuned.tried, state.wanted, command.frozen.string());
}

void run_evaluate(EvaluateCommand& command) {
  SweepOptions& o = command.sweep;
  load_settings(command);
  o.record.rank = rank_from_environment();
  o.split = command.tune ? Split::tune : split_by_name(command.split);
  o.sampler.tuning = command.tune;
  o.sampler.snr_low = command.snr[0], o.sampler.snr_high = command.snr[1];
  o.sampler.seed = command.seed.value_or(command.tune ? kTuningSeed : seed_of(o.settings_hash));
  if (command.tune && !command.report) return run_tune(command);
  if (!command.report) {
    const SweepState state = make_trials(command);
    if (!state.complete()) return say_incomplete(command, state);
  }
  OrderedJson summary;
  {
    ProgressBar bar("sweep");
    summary = report_sweep(o, bar.fn(), interrupt_token());
  }
  fmt::print("{}", command.json ? summary.dump() + "\n" : read_file(o.folder / "tables.txt"));
}

}  // namespace

void add_voice_evaluate(CLI::App& voice) {
  CLI::App* evaluate = voice.add_subcommand("evaluate", "the sweep: every method on simulated scenes, with intervals");
  auto c = std::make_shared<EvaluateCommand>();
  SweepOptions& o = c->sweep;
  SamplerOptions& s = o.sampler;
  o.record.threads = usable_processors();
  evaluate->add_option("--corpus", o.corpus, "made by thimble voice corpus")->required();
  evaluate
      ->add_option("-o,--out", o.folder, "folder for records, tables and plots; a sweep that was stopped goes on there")
      ->required();
  evaluate->add_flag("--tune", c->tune, "tune the decision's settings on the tuning talkers and rooms instead");
  evaluate->add_option("--frozen", c->frozen, "the file that --tune writes")->capture_default_str();
  evaluate->add_option("--rounds", c->rounds, "of --tune over all settings")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  evaluate->add_flag("--report", c->report,
                     "tables of what is recorded so far (with --tune: of the tuning), nothing else");
  evaluate->add_option("--settings", c->settings, "other settings than the program's own");
  evaluate->add_option("--split", c->split, "talkers: test, narrow (band-limited) or tune")->capture_default_str();
  evaluate->add_option("--seed", c->seed, "of the scenes; without it the settings' hash gives one");
  evaluate->add_option("--devices", s.devices, "counts of devices")->delimiter(',')->capture_default_str();
  evaluate->add_option("--rt60", s.rt60, "seconds, taken in turn")->delimiter(',')->capture_default_str();
  evaluate->add_option("--snr", c->snr, "lowest and highest, dB")->delimiter(',')->expected(2)->capture_default_str();
  evaluate->add_option("--positions", s.positions, "of each room and talker")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  evaluate->add_option("--gain-errors", s.gain_db, "dB, uniform to both sides")->capture_default_str();
  evaluate->add_option("--mismatch", s.mismatch, "of the talkers' patterns; 0: the mean pattern")
      ->capture_default_str();
  evaluate->add_option("--nobody", s.nobody, "share of scenes in which no device is faced")->capture_default_str();
  evaluate->add_option("--array", s.array, "of the devices")->capture_default_str();
  evaluate->add_option("--threads", o.record.threads, "configurations at the same time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  evaluate->add_flag("--json", c->json, "print the summary as JSON");
  evaluate->footer(
      "Example:  thimble voice evaluate --corpus speech -o sweep\n"
      "          mpirun -n 16 thimble voice evaluate --corpus speech -o sweep --threads 1");
  evaluate->callback([c] { run_evaluate(*c); });
}

}  // namespace thimble::cli
