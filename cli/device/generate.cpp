// thimble generate: a sentence becomes a picture, or several.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/device/commands.h"
#include "cli/device/output.h"
#include "cli/device/published.h"
#include "cli/device/run_options.h"
#include "diffusion/prompt.h"
#include "text/utf8.h"

namespace thimble::cli {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Arguments {
  RunOptions run;
  std::string prompt, background;
  OutputOptions output;
  std::uint64_t seed = 1;
  int count = 1;
  diffusion::GenerateOptions generate;
  PublishedExtras published;
  bool json = false;
};

void check_prompt(const std::string& prompt) {
  if (prompt.find_first_not_of(" \t\r\n") == std::string::npos) {
    fail(ErrorKind::bad_input, "the prompt is empty; say what the picture should show");
  }
  if (prompt.size() > diffusion::kMaxPromptBytes) {
    fail(ErrorKind::bad_input, "the prompt has {} bytes; at most {} are read", prompt.size(),
         diffusion::kMaxPromptBytes);
  }
  with_context("in the prompt", [&] { text::check_utf8(prompt); });
}

OrderedJson report(const Arguments& a, api::Engine& engine, const diffusion::Generated& made, double write_seconds,
                   double total_seconds, const std::vector<std::string>& files) {
  const diffusion::Timings& t = made.timings;
  const graph::MemoryReport m = engine.pipeline().memory();
  return {{"prompt", a.prompt},
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

void generate(Arguments& a) {
  const auto start = Clock::now();
  check_prompt(a.prompt);
  if (a.count < 1 || a.count > 256)
    fail(ErrorKind::bad_input, "between 1 and 256 pictures are possible, {} were asked", a.count);
  if (is_published(a.run.model)) {
    return generate_published({.run = a.run,
                               .output = a.output,
                               .prompt = a.prompt,
                               .seed = a.seed,
                               .count = a.count,
                               .batch = a.generate.batch,
                               .steps = a.generate.steps,
                               .guidance = a.generate.guidance,
                               .sampler = a.generate.sampler,
                               .eta = a.generate.eta,
                               .json = a.json,
                               .extras = a.published});
  }
  refuse_published_options(a.published);
  const OutputPlan output = plan_output(a.output, a.count);  // refuses what cannot be written before work starts

  api::Engine engine(a.run.engine());
  std::vector<diffusion::Request> requests;
  for (int i = 0; i < a.count; ++i) requests.push_back({a.prompt, a.seed + static_cast<std::uint64_t>(i)});
  diffusion::Generated made;
  {
    ProgressBar bar("generating");
    made = engine.generate(requests, a.generate, bar.fn(), &interrupt_token());
  }
  if (made.dropped.front() > 0) {
    fmt::print(stderr,
               "thimble: warning: the prompt is too long: its last {} tokens were dropped, the model reads {}\n",
               made.dropped.front(), engine.model().facts().text_buckets.back());
  }
  interrupt_token().throw_if_cancelled();
  const auto write_start = Clock::now();
  const std::vector<std::string> files = write_output(output, made.images);
  const double write_seconds = since(write_start);
  if (a.json) {
    fmt::print("{}\n", report(a, engine, made, write_seconds, since(start), files).dump(2));
    return;
  }
  for (const std::string& file : files) fmt::print("{}\n", file);
}

}  // namespace

void add_generate_command(CLI::App& app) {
  auto* c = app.add_subcommand("generate", "make a picture from a sentence");
  auto a = std::make_shared<Arguments>();
  c->add_option("prompt", a->prompt, "what the picture should show")->required();
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
      "  thimble generate \"a lighthouse\" -o l.png --model stable-diffusion-v1-5/ --negative \"blurry\" --width 768");
  c->callback([a] { generate(*a); });
}

}  // namespace thimble::cli
