// thimble train …: reads options, calls one recipe, prints where the results lie.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/workbench/commands.h"
#include "train/autoencoder.h"

namespace thimble::cli {
namespace {

// A bar on a terminal; elsewhere a line now and then, so that a log file tells how far a run is.
class TrainingProgress {
 public:
  explicit TrainingProgress(std::string title) : bar_(title), title_(std::move(title)), terminal_(::isatty(2) == 1) {}
  ProgressFn fn() {
    return [this](std::int64_t done, std::int64_t total, const std::string& note) {
      if (terminal_) return bar_.update(done, total, note);
      const auto now = std::chrono::steady_clock::now();
      if (now - last_ < std::chrono::seconds(20)) return;
      last_ = now;
      fmt::print(stderr, "{} {:.1f} % {}\n", title_, 100.0 * static_cast<double>(done) / static_cast<double>(total), note);
    };
  }

 private:
  ProgressBar bar_;
  std::string title_;
  bool terminal_;
  std::chrono::steady_clock::time_point last_{};
};

// Options that all recipes have.
struct Common {
  std::string precision = "bf16", schedule = "plateau";
  bool json = false;
};

void add_loop_options(CLI::App& c, train::LoopOptions& loop) {
  c.add_option("--out", loop.run_dir, "run folder: checkpoints, log.csv, validation.csv, pictures")->required();
  c.add_option("--minutes", loop.minutes, "stop after so many minutes of training, earlier runs of the folder counted in");
  c.add_option("--steps", loop.steps, "stop after so many steps");
  c.add_option("--checkpoint-minutes", loop.checkpoint_minutes, "minutes between checkpoints")->capture_default_str();
  c.add_option("--sample-minutes", loop.sample_minutes, "minutes between validations; 0: only at the end")->capture_default_str();
  c.add_option("--log-every", loop.log_every, "steps averaged into a row of log.csv")->capture_default_str();
}

void add_common_options(CLI::App& c, Common& common, train::Schedule& schedule, std::string& device, int& threads) {
  c.add_option("--rate", schedule.peak, "peak learning rate")->capture_default_str();
  c.add_option("--warmup", schedule.warmup, "steps until the peak")->capture_default_str();
  c.add_option("--schedule", common.schedule, "constant, cosine, or plateau: constant, falling over the last quarter")
      ->capture_default_str();
  c.add_option("--precision", common.precision, "bf16 or f32, of products and activations")->capture_default_str();
  c.add_option("--device", device, "cpu, or cuda where LibTorch has it")->capture_default_str();
  c.add_option("--threads", threads, "0: all processors")->capture_default_str();
  c.add_flag("--json", common.json, "print the result as JSON");
}

graph::Precision precision_of(const std::string& name) {
  if (name == "bf16") return graph::Precision::bf16;
  if (name == "f32") return graph::Precision::f32;
  fail(ErrorKind::bad_input, "precision '{}' is not known; bf16 or f32 were wanted", name);
}

void report(const train::LoopResult& r, const std::filesystem::path& run_dir, bool json) {
  if (json) {
    const Json out{{"step", r.step}, {"minutes", r.minutes}, {"cancelled", r.cancelled}, {"run", run_dir.string()}};
    fmt::print("{}\n", out.dump());
  } else {
    fmt::print("{} after {} steps, {}; checkpoint in {}{}\n", r.cancelled ? "stopped" : "done", r.step,
               human_time(r.minutes * 60), run_dir.string(), r.cancelled ? ", go on with --resume" : "");
  }
}

void add_autoencoder(CLI::App& train) {
  auto* c = train.add_subcommand("autoencoder", "pictures to a small latent grid and back");
  auto o = std::make_shared<train::AutoencoderTraining>();
  auto common = std::make_shared<Common>();
  c->add_option("--data", o->data, "packed data set (thimble data emoji)")->required()->check(CLI::ExistingFile);
  add_loop_options(*c, o->loop);
  c->add_flag("--resume", o->resume, "go on from the run folder's newest checkpoint");
  c->add_option("--weights", o->weights, "start from this checkpoint's weights with a fresh optimiser")->check(CLI::ExistingFile);
  c->add_option("--crop", o->crop, "train on random crops of this side (a multiple of 32): cheap early steps; 0: whole pictures")
      ->capture_default_str();
  c->add_option("--batch", o->batch, "pictures a step")->capture_default_str();
  c->add_option("--noise", o->noise, "largest noise on the latents, in their standard deviations")->capture_default_str();
  c->add_option("--square", o->loss.square, "weight of the squared error beside the absolute one")->capture_default_str();
  c->add_option("--edge", o->loss.edge, "weight of errors in slopes")->capture_default_str();
  c->add_option("--ema", o->ema, "decay of the averaged weights")->capture_default_str();
  c->add_option("--seed", o->seed, "of weights, batches and noise")->capture_default_str();
  add_common_options(*c, *common, o->schedule, o->device, o->threads);
  c->footer("Example: thimble train autoencoder --data emoji.pack --out runs/ae --crop 128 --batch 64 --minutes 30\n"
            "Then whole pictures: the same with --resume --crop 0 --batch 16 --minutes 90.");
  c->callback([o, common] {
    o->schedule.kind = train::schedule_from_string(common->schedule);
    o->precision = precision_of(common->precision);
    TrainingProgress progress("autoencoder");
    report(train::train_autoencoder(*o, progress.fn(), interrupt_token()), o->loop.run_dir, common->json);
  });
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto* train = app.add_subcommand("train", "train the emoji models: autoencoder, then latents, tokenizer, generator");
  train->require_subcommand(1);
  add_autoencoder(*train);
}

}  // namespace thimble::cli
