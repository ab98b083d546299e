// thimble generate: a sentence becomes a picture, or several.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "api/fingerprint.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/device/commands.h"
#include "cli/device/note.h"
#include "cli/device/output.h"
#include "cli/device/prompts.h"
#include "cli/device/published.h"
#include "cli/device/run_options.h"

namespace thimble::cli {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct GenerateArguments {
  RunOptions run;
  std::string prompt, prompts_file, from;
  OutputOptions output;
  std::uint64_t seed = 1;
  int count = 1;
  diffusion::GenerateOptions generate;
  PublishedExtras published;
  bool json = false;
  bool model_named = false;
};

// What the pictures remember of how they were made (note.h).
std::vector<std::string> notes_of(const GenerateArguments& a, const api::Engine& engine,
                                  const diffusion::Generated& made, const std::vector<diffusion::Request>& requests,
                                  const std::string& model_hash) {
  OrderedJson base{{"program", "Thimble"}};
  const auto put = [&](const char* key, const auto& value) {
    if (value) base[key] = *value;
  };
  base["model_hash"] = model_hash;
  if (!a.run.model.empty()) base["model"] = a.run.model;
  base["size"] = fmt::format("{}x{}", made.images.front().width, made.images.front().height);
  base["steps"] = made.steps;
  base["sampler"] = made.sampler;
  base["guidance"] = made.guidance;
  put("guidance-low", a.generate.guidance_low);
  put("guidance-high", a.generate.guidance_high);
  put("guidance-rescale", a.generate.guidance_rescale);
  if (a.generate.eta != 0) base["eta"] = a.generate.eta;
  base["precision"] = graph::to_string(engine.precision());
  if (!a.output.background.empty()) base["background"] = a.output.background;
  if (a.output.transparent) base["transparent"] = true;
  if (a.generate.batch != 1) base["batch"] = a.generate.batch;
  return notes_of_pictures(base, a.output.grid ? a.count : 1, requests);
}

OrderedJson report(const GenerateArguments& a, const std::vector<std::string>& prompts, api::Engine& engine,
                   const diffusion::Generated& made, double write_seconds, double total_seconds,
                   const std::vector<std::string>& files) {
  const diffusion::Timings& t = made.timings;
  const graph::MemoryReport m = engine.pipeline().memory();
  return {{"prompt", prompts.front()},
          {"prompts", prompts.size()},
          {"seed", a.seed},
          {"files", files},
          {"tokens_dropped", made.dropped.front()},
          {"model",
           {{"name", engine.model().name()}, {"file", engine.model().source()}, {"sha256", engine.model().hash()}}},
          {"executor", engine.executor_name()},
          {"precision", graph::to_string(engine.precision())},
          {"sampler", made.sampler},
          {"steps", made.steps},
          {"guidance", made.guidance},
          {"seconds",
           {{"load", engine.load_seconds()},
            {"plan", t.compile},
            {"text", t.text},
            {"sample", t.sample},
            {"denoiser_runs", t.calls},
            {"decode", t.decode},
            {"write", write_seconds},
            {"total", total_seconds}}},
          {"bytes",
           {{"weights", m.weight_bytes},
            {"activations", m.activation_bytes},
            {"scratch", m.scratch_bytes},
            {"planned_peak", m.peak_bytes()},
            {"resident_peak", peak_resident_bytes()}}}};
}

// Names the words that did not fit.
void warn_of_dropped(const api::Engine& engine, const std::vector<diffusion::Request>& requests,
                     const diffusion::Generated& made) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (made.dropped[i] == 0 || (i > 0 && requests[i].prompt == requests[i - 1].prompt)) continue;
    const auto ids = engine.model().tokenizer().encode(requests[i].prompt);
    const std::string words = shortened(engine.model().tokenizer().decode(std::span(ids).last(made.dropped[i])));
    fmt::print(stderr,
               "thimble: warning: the prompt is too long: its last {} tokens were dropped, the model reads {}; "
               "left out was: {}\n",
               made.dropped[i], engine.model().facts().text_buckets.back(), words);
  }
}

void generate(CLI::App& command, GenerateArguments& a) {
  const auto start = Clock::now();
  a.model_named = !a.run.model.empty();
  Json note = Json::object();
  if (!a.from.empty()) note = replay_note(command, a.from);
  const std::vector<std::string> prompts = gather_prompts(a.prompt, a.prompts_file);
  const int pictures = picture_count(prompts.size(), a.count);
  if (is_published(a.run.model)) {
    return generate_published({.run = a.run,
                               .output = a.output,
                               .prompts = prompts,
                               .seed = a.seed,
                               .count = a.count,
                               .batch = a.generate.batch,
                               .steps = a.generate.steps,
                               .guidance = a.generate.guidance,
                               .sampler = a.generate.sampler,
                               .eta = a.generate.eta,
                               .json = a.json,
                               .extras = a.published,
                               .note = std::move(note),
                               .model_named = a.model_named});
  }
  refuse_published_options(a.published);
  const OutputPlan output = plan_output(a.output, pictures);  // refuses what cannot be written before work starts

  api::Engine engine(a.run.engine());
  const std::string model_hash = api::fingerprint(engine.model().source());
  check_same_model(note, model_hash, a.model_named);
  std::vector<diffusion::Request> requests;
  for (const std::string& prompt : prompts) {
    for (int i = 0; i < a.count; ++i) requests.push_back({prompt, a.seed + requests.size()});
  }
  diffusion::Generated made;
  {
    ProgressBar bar("generating");
    made = engine.generate(requests, a.generate, bar.fn(), &interrupt_token());
  }
  warn_of_dropped(engine, requests, made);
  interrupt_token().throw_if_cancelled();
  const auto write_start = Clock::now();
  const std::vector<std::string> files =
      write_output(output, made.images, notes_of(a, engine, made, requests, model_hash));
  const double write_seconds = since(write_start);
  if (a.json) {
    fmt::print("{}\n", report(a, prompts, engine, made, write_seconds, since(start), files).dump(2));
    return;
  }
  for (const std::string& file : files) fmt::print("{}\n", file);
}

}  // namespace

void add_generate_command(CLI::App& app) {
  auto* c = app.add_subcommand("generate", "make a picture from a sentence");
  auto a = std::make_shared<GenerateArguments>();
  c->add_option("prompt", a->prompt, "what the picture should show; (word:1.3) counts more with published models");
  c->add_option("--prompts", a->prompts_file, "file of prompts, one a line; the pictures are numbered")
      ->check(CLI::ExistingFile);
  c->add_option("--from", a->from, "repeat this PNG of Thimble: its prompt, seed and settings, unless given anew")
      ->check(CLI::ExistingFile);
  c->add_option("-o,--output", a->output.path, "picture to write: .png, .webp or .jpg")->required();
  c->add_option("--seed", a->seed, "same seed, same picture; picture i of several has seed + i")->capture_default_str();
  c->add_option("--steps", a->generate.steps, "steps from noise to picture (default: the model's)");
  c->add_option("--guidance", a->generate.guidance,
                "how strictly the text is followed; 1: no guidance (default: the model's)");
  c->add_option("--sampler", a->generate.sampler,
                "euler, heun or dpmpp; ddim for models of other kinds (default: the model's)");
  c->add_option("--count", a->count, "number of pictures; their files are numbered")->capture_default_str();
  c->add_flag("--grid", a->output.grid, "all pictures in one file");
  c->add_option("--batch", a->generate.batch, "pictures that run together: faster, and more memory")
      ->capture_default_str();
  c->add_option("--guidance-low", a->generate.guidance_low, "guide only where the noise is above this, 0 to 1");
  c->add_option("--guidance-high", a->generate.guidance_high, "guide only where the noise is below this, 0 to 1");
  c->add_option("--guidance-rescale", a->generate.guidance_rescale,
                "0 to 1: keeps strong guidance from burning colours");
  c->add_option("--eta", a->generate.eta, "ddim: fresh noise at each step, 0 to 1")->capture_default_str();
  auto* background =
      c->add_option("--background", a->output.background, "colour under the picture: white, black, gray, #rrggbb");
  c->add_flag("--transparent", a->output.transparent,
              "keep transparency (the default, except for .jpg, which has none)")
      ->excludes(background);
  c->add_option(
      "--model", a->run.model,
      "model file, diffusers directory or checkpoint (default: $THIMBLE_MODEL, else the one that comes with Thimble)");
  add_published_options(*c, a->published);
  add_run_options(*c, a->run);
  c->add_flag("--json", a->json, "print settings, timings (seconds) and memory (bytes) as JSON");
  c->footer(
      "Examples:\n"
      "  thimble generate \"smiling face with sunglasses\" -o face.png\n"
      "  thimble generate \"a red heart\" -o hearts.png --count 9 --grid --background white\n"
      "  thimble generate \"a blue cat\" -o cat.webp --seed 7 --steps 20 --guidance 4 --json\n"
      "  thimble generate --from cat.png --steps 40 -o better.png\n"
      "  thimble generate \"a lighthouse\" -o l.png --model stable-diffusion-v1-5/ --negative \"blurry\" --width 768");
  c->callback([a, c] { generate(*c, *a); });
}

}  // namespace thimble::cli
