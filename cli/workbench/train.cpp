// thimble train …: reads options, calls one recipe, prints where the results lie.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/workbench/commands.h"
#include "train/autoencoder.h"
#include "train/export.h"
#include "train/generator.h"
#include "train/latents.h"
#include "train/pca.h"
#include "train/scorer.h"
#include "train/tokenizer.h"

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
      fmt::print(stderr, "{} {:.1f} % {}\n", title_, 100.0 * static_cast<double>(done) / static_cast<double>(total),
                 note);
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
  std::string precision = "bf16", schedule = "plateau", optimiser = "adamw";
  bool json = false;
};

void add_loop_options(CLI::App& c, train::LoopOptions& loop) {
  c.add_option("--out", loop.run_dir, "run folder: checkpoints, log.csv, validation.csv, pictures")->required();
  c.add_option("--minutes", loop.minutes,
               "stop after so many minutes of training, earlier runs of the folder counted in");
  c.add_option("--steps", loop.steps, "stop after so many steps");
  c.add_option("--checkpoint-minutes", loop.checkpoint_minutes, "minutes between checkpoints")->capture_default_str();
  c.add_option("--sample-minutes", loop.sample_minutes, "minutes between validations; 0: only at the end")
      ->capture_default_str();
  c.add_option("--log-every", loop.log_every, "steps averaged into a row of log.csv")->capture_default_str();
}

void add_common_options(CLI::App& c, Common& common, train::Schedule& schedule, std::string& device, int& threads) {
  c.add_option("--rate", schedule.peak, "peak learning rate")->capture_default_str();
  c.add_option("--warmup", schedule.warmup, "steps until the peak")->capture_default_str();
  c.add_option("--schedule", common.schedule, "constant, cosine, or plateau: constant, falling over the last quarter")
      ->capture_default_str();
  c.add_option("--optimiser", common.optimiser, "adamw, or muon: orthogonal steps for matrices, AdamW for the rest")
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
  c->add_option("--weights", o->weights, "start from this checkpoint's weights with a fresh optimiser")
      ->check(CLI::ExistingFile);
  c->add_flag("--decoder-only", o->decoder_only, "leave the encoder as it is, so that cached latents stay valid");
  c->add_option("--crop", o->crop,
                "train on random crops of this side (a multiple of 32): cheap early steps; 0: whole pictures")
      ->capture_default_str();
  c->add_option("--batch", o->batch, "pictures a step")->capture_default_str();
  c->add_option("--noise", o->noise, "largest noise on the latents, in their standard deviations")
      ->capture_default_str();
  c->add_option("--square", o->loss.square, "weight of the squared error beside the absolute one")
      ->capture_default_str();
  c->add_option("--edge", o->loss.edge, "weight of errors in slopes")->capture_default_str();
  c->add_option("--ema", o->ema, "decay of the averaged weights")->capture_default_str();
  c->add_option("--seed", o->seed, "of weights, batches and noise")->capture_default_str();
  add_common_options(*c, *common, o->schedule, o->device, o->threads);
  c->footer(
      "Example: thimble train autoencoder --data emoji.pack --out runs/ae --crop 128 --batch 64 --minutes 30\n"
      "Then whole pictures: the same with --resume --crop 0 --batch 16 --minutes 90.");
  c->callback([o, common] {
    o->schedule.kind = train::schedule_from_string(common->schedule);
    o->optimiser = train::optimiser_from_string(common->optimiser);
    o->precision = precision_of(common->precision);
    TrainingProgress progress("autoencoder");
    report(train::train_autoencoder(*o, progress.fn(), interrupt_token()), o->loop.run_dir, common->json);
  });
}

void add_latents(CLI::App& train) {
  auto* c = train.add_subcommand("latents", "encode every picture once, so that the generator trains from memory");
  auto o = std::make_shared<train::LatentsOptions>();
  auto json = std::make_shared<bool>(false);
  c->add_option("--data", o->data, "packed data set")->required()->check(CLI::ExistingFile);
  c->add_option("--autoencoder", o->autoencoder, "checkpoint, or run folder (its newest)")
      ->required()
      ->check(CLI::ExistingPath);
  c->add_option("--out", o->out, "the cache, a safetensors file")->required();
  c->add_option("--grounds", o->grounds, "versions of each picture on a solid colour, beside the transparent one")
      ->capture_default_str();
  c->add_option("--batch", o->batch, "pictures a run")->capture_default_str();
  c->add_option("--device", o->device, "cpu or cuda")->capture_default_str();
  c->add_option("--threads", o->threads, "0: all processors")->capture_default_str();
  c->add_flag("--json", *json, "print the result as JSON");
  c->footer("Example: thimble train latents --data emoji.pack --autoencoder runs/ae --out latents.safetensors");
  c->callback([o, json] {
    std::size_t count = 0;
    {
      TrainingProgress progress("latents");
      count = train::build_latents(*o, progress.fn(), interrupt_token());
    }
    if (*json) {
      fmt::print("{}\n", Json{{"pictures", count}, {"out", o->out.string()}}.dump());
    } else {
      fmt::print("{} pictures in {}\n", count, o->out.string());
    }
  });
}

void add_scorer(CLI::App& train) {
  auto* c =
      train.add_subcommand("scorer", "the contrastive picture-caption scorer that thimble evaluate measures with");
  auto o = std::make_shared<train::ScorerTraining>();
  auto common = std::make_shared<Common>();
  common->schedule = "cosine";
  c->add_option("--data", o->data, "packed data set")->required()->check(CLI::ExistingFile);
  c->add_option("--tokenizer", o->tokenizer, "JSON (thimble train tokenizer)")->required()->check(CLI::ExistingFile);
  c->add_option("--model", o->output, "the scorer's model file, written at every checkpoint")->required();
  add_loop_options(*c, o->loop);
  c->add_flag("--resume", o->resume, "go on from the run folder's newest checkpoint");
  c->add_option("--batch", o->batch, "pictures a step, all of different families")->capture_default_str();
  c->add_option("--ema", o->ema, "decay of the averaged weights")->capture_default_str();
  c->add_option("--seed", o->seed, "of weights and batches")->capture_default_str();
  add_common_options(*c, *common, o->schedule, o->device, o->threads);
  c->footer(
      "Example: thimble train scorer --data emoji.pack --tokenizer tokenizer.json --out runs/scorer --model "
      "scorer.safetensors"
      " --minutes 20");
  c->callback([o, common] {
    o->schedule.kind = train::schedule_from_string(common->schedule);
    o->optimiser = train::optimiser_from_string(common->optimiser);
    o->precision = precision_of(common->precision);
    TrainingProgress progress("scorer");
    report(train::train_scorer(*o, progress.fn(), interrupt_token()), o->loop.run_dir, common->json);
  });
}

void add_pca(CLI::App& train) {
  auto* c =
      train.add_subcommand("pca", "the autoencoder's baseline: principal components with as many values a picture");
  auto o = std::make_shared<train::PcaOptions>();
  auto json = std::make_shared<bool>(false);
  c->add_option("--data", o->data, "packed data set")->required()->check(CLI::ExistingFile);
  c->add_option("--values", o->values, "kept of a picture")->capture_default_str();
  c->add_option("--block", o->block, "side of a block in pixels")->capture_default_str();
  c->add_option("--pictures", o->pictures, "training pictures to fit; each takes a megabyte")->capture_default_str();
  c->add_option("--threads", o->threads, "0: all processors")->capture_default_str();
  c->add_flag("--json", *json, "print the result as JSON");
  c->callback([o, json] {
    train::PcaQuality q;
    {
      TrainingProgress progress("pca");
      q = train::pca_baseline(*o, progress.fn(), interrupt_token());
    }
    const auto figures = [](const train::PictureQuality& p) {
      return Json{{"psnr_rgba", p.rgba}, {"psnr_on_white", p.on_white}};
    };
    if (*json) {
      fmt::print("{}\n", Json{{"values", o->values},
                              {"pictures", q.pictures},
                              {"whole", figures(q.whole)},
                              {"blocks", figures(q.blocks)}}
                             .dump());
    } else {
      fmt::print("PSNR on validation pictures, {} values each, fitted to {} pictures\n", o->values, q.pictures);
      fmt::print("  whole pictures  {:.2f} dB RGBA, {:.2f} dB on white\n", q.whole.rgba, q.whole.on_white);
      fmt::print("  blocks of {:<5} {:.2f} dB RGBA, {:.2f} dB on white\n", o->block, q.blocks.rgba, q.blocks.on_white);
    }
  });
}

void add_tokenizer(CLI::App& train) {
  auto* c = train.add_subcommand("tokenizer", "learn the byte-pair tokenizer of captions");
  auto o = std::make_shared<train::TokenizerOptions>();
  auto out = std::make_shared<std::filesystem::path>();
  auto json = std::make_shared<bool>(false);
  c->add_option("--data", o->data, "packed data set")->required()->check(CLI::ExistingFile);
  c->add_option("--out", *out, "JSON file")->required();
  c->add_option("--vocabulary", o->vocabulary, "most tokens, special ones and bytes included")->capture_default_str();
  c->add_flag("--json", *json, "print the result as JSON");
  c->callback([o, out, json] {
    check_writable(*out);
    const text::ByteBpe tokenizer = train::train_caption_tokenizer(*o);
    write_file(*out, tokenizer.to_json().dump() + "\n");
    if (*json) {
      fmt::print("{}\n", Json{{"vocabulary", tokenizer.vocab_size()}, {"out", out->string()}}.dump());
    } else {
      fmt::print("{} tokens in {}\n", tokenizer.vocab_size(), out->string());
    }
  });
}

void add_generator(CLI::App& train) {
  auto* c = train.add_subcommand("generator", "text to latents: text encoder and diffusion transformer together");
  auto o = std::make_shared<train::GeneratorTraining>();
  auto common = std::make_shared<Common>();
  c->add_option("--data", o->data, "packed data set")->required()->check(CLI::ExistingFile);
  c->add_option("--latents", o->latents, "cache (thimble train latents)")->required()->check(CLI::ExistingFile);
  c->add_option("--tokenizer", o->tokenizer, "JSON (thimble train tokenizer)")->required()->check(CLI::ExistingFile);
  c->add_option("--autoencoder", o->autoencoder,
                "checkpoint or run folder, to draw samples.png; without it none are drawn")
      ->check(CLI::ExistingPath);
  add_loop_options(*c, o->loop);
  c->add_flag("--resume", o->resume, "go on from the run folder's newest checkpoint");
  c->add_option("--weights", o->weights, "start from this checkpoint's weights with a fresh optimiser")
      ->check(CLI::ExistingFile);
  c->add_option("--width", o->denoiser.width, "channels of the denoiser")->capture_default_str();
  c->add_option("--depth", o->denoiser.depth, "blocks of the denoiser")->capture_default_str();
  c->add_option("--heads", o->denoiser.heads, "attention heads of the denoiser")->capture_default_str();
  c->add_option("--ffn-ratio", o->denoiser.ffn_ratio, "width of the feed-forward part over the denoiser's")
      ->capture_default_str();
  c->add_option("--text-width", o->text.width, "channels of the text encoder")->capture_default_str();
  c->add_option("--text-depth", o->text.depth, "blocks of the text encoder")->capture_default_str();
  c->add_option("--text-out", o->text.out_width, "channels of what the denoiser reads")->capture_default_str();
  c->add_option("--batch", o->batch, "pictures a step")->capture_default_str();
  c->add_option("--empty", o->empty_captions, "part of the captions left empty, for guidance")->capture_default_str();
  c->add_option("--reworded", o->reworded, "part of the captions said in other words")->capture_default_str();
  c->add_option("--shift", o->shift, "shift of the training times; above 1: noisier")->capture_default_str();
  c->add_option("--decay", o->weight_decay, "weight decay")->capture_default_str();
  c->add_option("--ema", o->ema, "decay of the averaged weights")->capture_default_str();
  c->add_option("--guidance", o->guidance, "of the samples, and the exported model's default")->capture_default_str();
  c->add_option("--seed", o->seed, "of weights, batches and noise")->capture_default_str();
  add_common_options(*c, *common, o->schedule, o->device, o->threads);
  c->footer(
      "Example: thimble train generator --data emoji.pack --latents latents.safetensors --tokenizer tokenizer.json\n"
      "         --autoencoder runs/ae --out runs/generator --minutes 120\n"
      "The run folder then holds model.safetensors, ready for thimble generate, and samples.png.");
  c->callback([o, common] {
    o->schedule.kind = train::schedule_from_string(common->schedule);
    o->optimiser = train::optimiser_from_string(common->optimiser);
    o->precision = precision_of(common->precision);
    TrainingProgress progress("generator");
    report(train::train_generator(*o, progress.fn(), interrupt_token()), o->loop.run_dir, common->json);
  });
}

void add_export(CLI::App& train) {
  auto* c = train.add_subcommand("export", "join the trained parts into one model file for thimble generate");
  auto o = std::make_shared<train::ExportOptions>();
  auto stored = std::make_shared<std::string>("f16");
  auto json = std::make_shared<bool>(false);
  c->add_option("--generator", o->generator, "checkpoint or run folder")->required()->check(CLI::ExistingPath);
  c->add_option("--autoencoder", o->autoencoder, "checkpoint or run folder")->required()->check(CLI::ExistingPath);
  c->add_option("--latents", o->latents, "the cache the generator learned from")->required()->check(CLI::ExistingFile);
  c->add_option("--tokenizer", o->tokenizer, "JSON")->required()->check(CLI::ExistingFile);
  c->add_option("--out", o->out, "model file")->required();
  c->add_option("--stored", *stored, "type of stored matrices: f16, bf16 or f32")->capture_default_str();
  c->add_option("--name", o->name, "the model's name")->capture_default_str();
  c->add_option("--licence", o->licence, "SPDX name")->capture_default_str();
  c->add_option("--sampler", o->facts.sampler, "default of thimble generate")->capture_default_str();
  c->add_option("--steps", o->facts.steps, "default of thimble generate")->capture_default_str();
  c->add_option("--guidance", o->facts.guidance, "default of thimble generate")->capture_default_str();
  c->add_option("--shift", o->facts.schedule.shift, "of sampling times")->capture_default_str();
  c->add_flag("--json", *json, "print the result as JSON");
  c->callback([o, stored, json] {
    const auto dtype = dtype_from_string(*stored);
    if (!dtype || !is_float(*dtype) || *dtype == DType::f64) {
      fail(ErrorKind::bad_input, "stored type '{}' is not known; f16, bf16 or f32 were wanted", *stored);
    }
    o->stored = *dtype;
    train::export_model(*o);
    const auto bytes = std::filesystem::file_size(o->out);
    if (*json) {
      fmt::print("{}\n", Json{{"out", o->out.string()}, {"bytes", bytes}}.dump());
    } else {
      fmt::print("{} ({})\n", o->out.string(), human_bytes(static_cast<double>(bytes)));
    }
  });
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto* train = app.add_subcommand(
      "train", "train the emoji models: autoencoder, then latents, tokenizer, generator; and the scorer");
  train->require_subcommand(1);
  add_autoencoder(*train);
  add_latents(*train);
  add_tokenizer(*train);
  add_generator(*train);
  add_scorer(*train);
  add_pca(*train);
  add_export(*train);
}

}  // namespace thimble::cli
