// thimble quantize: a model with int8 or int4 weights, and how near it stays to the original.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "api/quantize.h"
#include "base/cancel.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/device/commands.h"
#include "cli/device/run_options.h"

namespace thimble::cli {
namespace {

struct QuantizeArguments {
  RunOptions run;
  api::QuantizeModelOptions options;
  std::vector<std::string> prompts;
  bool json = false;
};

std::string format_text(const graph::QuantLinear& f) {
  return fmt::format("W{}A{}{}{}", f.bits, f.activations, f.group > 0 ? fmt::format(" /{}", f.group) : "",
                     f.asymmetric ? " asym" : "");
}

void print(const api::QuantizeReport& r, const std::string& output) {
  std::size_t width = 6;
  for (const auto& l : r.layers) width = std::max(width, l.part.size() + 1 + l.layer.weight.size());
  fmt::print("{:<{}}  {:<14}  {:>9} {:>9}  {:>9} {:>9}  {:>9} {:>9}\n", "layer", width, "format", "weight", "error",
             "alone", "error", "in place", "error");
  for (const auto& l : r.layers) {
    fmt::print("{:<{}}  {:<14}  {:>9.6f} {:>8.3f}%", l.part + "." + l.layer.weight, width, format_text(l.layer.format),
               l.weight.cosine, 100 * l.weight.error);
    if (l.seen) {
      fmt::print("  {:>9.6f} {:>8.3f}%  {:>9.6f} {:>8.3f}%", l.alone.cosine, 100 * l.alone.error, l.in_sequence.cosine,
                 100 * l.in_sequence.error);
    }
    fmt::print("{}\n", l.reason.empty() ? "" : "  (" + l.reason + ")");
  }
  for (const auto& k : r.kept) fmt::print("kept {}.{}: {}\n", k.part, k.weight, k.reason);
  fmt::print("{} layers quantised, {} kept; {} to {}\n", r.layers.size(), r.kept.size(),
             human_bytes(static_cast<double>(r.bytes_before)), human_bytes(static_cast<double>(r.bytes_after)));
  fmt::print("latent at the end of a run: cosine {:.6f}, error {:.3f}%; pictures {:.2f} dB\n", r.latent.cosine,
             100 * r.latent.error, r.picture_psnr);
  fmt::print("{}\n", output);
}

void quantize(QuantizeArguments a) {
  a.options.engine = a.run.engine();
  if (!a.prompts.empty()) a.options.prompts = a.prompts;
  ProgressBar bar("drawing");
  const auto report = api::quantize_model(a.options, bar.fn(), &interrupt_token());
  if (a.json) {
    Json out = api::to_json(report);
    out["output"] = a.options.output.string();
    fmt::print("{}\n", out.dump(2));
  } else {
    print(report, a.options.output.string());
  }
}

}  // namespace

void add_quantize_command(CLI::App& app) {
  auto* c = app.add_subcommand("quantize", "write a model with weights of 8 or 4 bits, and judge it");
  auto a = std::make_shared<QuantizeArguments>();
  auto& o = a->options;
  c->add_option("model", a->run.model, "Thimble model file (default: as for generate)");
  c->add_option("-o,--output", o.output, "the file to write")->required();
  c->add_option("--bits", o.format.bits, "of weights: 8 or 4")->capture_default_str();
  c->add_option("--activations", o.format.activations, "bits of activations: 8 (rounded row by row) or 16")
      ->capture_default_str();
  c->add_option("--group", o.format.group, "inputs that share a scale: 32, 64, 128, or 0 for all")
      ->capture_default_str();
  c->add_flag("--search", o.search, "look for clipped ranges of least error, weighted by runs of the prompts");
  c->add_option("--prompt", a->prompts, "to calibrate and judge with; again for more");
  c->add_option("--seed", o.seed, "of the first picture")->capture_default_str();
  c->add_option("--steps", o.steps, "of each run (default: the model's)");
  c->add_option("--outliers", o.outlier_share, "multiply this share of channels first, as 0.01: an honest hard case");
  c->add_option("--outlier-factor", o.outlier_factor, "by how much")->capture_default_str();
  c->add_option("--threads", a->run.threads, "threads; 0: one for each usable processor")->capture_default_str();
  c->add_option("--isa", a->run.isa, "highest instruction set");
  c->add_flag("--json", a->json, "print the report as JSON");
  c->footer(
      "Examples:\n"
      "  thimble quantize -o small.safetensors\n"
      "  thimble quantize --bits 4 --group 64 --search weights/thimble-emoji.safetensors -o tiny.safetensors --json\n"
      "  thimble quantize --bits 4 --activations 16 --group 32 -o tiny.safetensors\n"
      "  thimble generate \"a smiling cat\" --model tiny.safetensors");
  c->callback([a] { quantize(*a); });
}

}  // namespace thimble::cli
