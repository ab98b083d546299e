// thimble evaluate: reads options, runs train::evaluate on the chosen executor, prints the figures.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/workbench/commands.h"
#include "graph/reference.h"
#include "runtime/device.h"
#include "train/evaluation.h"
#include "train/torch_executor.h"

namespace thimble::cli {
namespace {

struct Options {
  std::filesystem::path model = "weights/thimble-emoji.safetensors";
  train::EvaluationOptions evaluation;
  std::string executor = "device", precision = "bf16";
  int threads = 0, steps = 0;
  double guidance = -1;
  std::string sampler;
  bool json = false;
};

std::unique_ptr<graph::Executor> make_executor(const Options& o) {
  if (o.executor == "device") return runtime::make_device_executor({.threads = o.threads});
  if (o.executor == "torch") return train::make_torch_executor("cpu", o.threads);
  return graph::make_reference_executor();
}

std::string percent(const Json& retrieval) {
  return fmt::format("{:5.1f} % of {}", 100 * retrieval.at("first_of_100").get<double>(),
                     retrieval.at("pictures").get<int>());
}

void print(const Json& r) {
  const Json& a = r.at("autoencoder");
  fmt::print("autoencoder        {:.2f} dB, SSIM {:.4f}, {} validation pictures\n", a.at("psnr_db").get<double>(),
             a.at("ssim").get<double>(), a.at("pictures").get<int>());
  if (a.contains("extractor")) {
    fmt::print("                   SqueezeNet equal-weight distance {:.4f} ({})\n",
               a.at("squeezenet_equal_weight_distance").get<double>(), a.at("extractor").get<std::string>());
  }
  if (r.contains("distribution")) {
    const Json& d = r.at("distribution");
    fmt::print("kernel distance    {:.4f} +- {:.4f}, floor (validation to training) {:.4f} +- {:.4f}, ratio {:.2f}\n",
               d.at("kid").get<double>(), d.at("kid_deviation").get<double>(),
               d.at("kid_floor_validation_to_training").get<double>(), d.at("kid_floor_deviation").get<double>(),
               d.at("kid_over_floor").get<double>());
    fmt::print("Frechet distance   {:.2f} on 64 axes, floor {:.2f}; {} samples against {}: biased at this size\n",
               d.at("frechet_64_axes").get<double>(), d.at("frechet_floor_two_halves_of_training").get<double>(),
               d.at("samples").get<int>(), d.at("reference_pictures").get<int>());
  }
  if (r.contains("text_faithfulness")) {
    const Json &c = r.at("scorer_on_real_pairs"), &t = r.at("text_faithfulness");
    fmt::print("right caption first among 100 (chance 1 %):\n");
    fmt::print("  real pictures    seen concepts {}, unseen concepts {}\n", percent(c.at("seen_concepts")),
               percent(c.at("unseen_concepts")));
    fmt::print("  generated        seen concepts {}, in new wordings {}, unseen concepts {}\n",
               percent(t.at("seen_concepts")), percent(t.at("seen_concepts_new_wording")),
               percent(t.at("unseen_concepts")));
  }
}

void run(const Options& o) {
  const auto precision = o.precision == "f32" ? graph::Precision::f32 : graph::Precision::bf16;
  const auto model = diffusion::Model::open(o.model);
  const auto executor = make_executor(o);
  diffusion::Pipeline pipeline(model, *executor, {.precision = precision});
  train::EvaluationOptions e = o.evaluation;
  if (o.steps > 0) e.generate.steps = o.steps;
  if (o.guidance >= 0) e.generate.guidance = o.guidance;
  if (!o.sampler.empty()) e.generate.sampler = o.sampler;
  ProgressBar bar("evaluate");
  Json result = train::evaluate(model, pipeline, *executor, e, bar.fn(), interrupt_token());
  result["executor"] = executor->name();
  if (o.json) {
    fmt::print("{}\n", result.dump(2));
  } else {
    print(result);
    fmt::print("sheets and evaluation.json are in {}\n", e.output.string());
  }
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("evaluate",
                                   "measure a model: autoencoder, kernel distance, text faithfulness, contact sheets");
  c->footer(
      "Example:\n  thimble evaluate --data emoji.pack --extractor squeezenet/ --scorer weights/scorer.safetensors "
      "--out evaluation/");
  c->add_option("--model", o->model, "Thimble model file")->capture_default_str();
  c->add_option("--data", o->evaluation.data, "packed data set (thimble data emoji)")->required();
  c->add_option("--extractor", o->evaluation.extractor,
                "folder of squeezenet_v1.1.param and .bin; without it no distances are measured");
  c->add_option("--scorer", o->evaluation.scorer,
                "scorer's model file (thimble train scorer); without it no text faithfulness");
  c->add_option("--out", o->evaluation.output, "folder for the sheets and evaluation.json")->required();
  c->add_option("--samples", o->evaluation.samples, "generated pictures per kind")
      ->capture_default_str()
      ->check(CLI::Range(8, 100000));
  c->add_option("--reference", o->evaluation.reference, "training pictures the distances are taken to")
      ->capture_default_str()
      ->check(CLI::Range(8, 100000));
  c->add_option("--batch", o->evaluation.batch, "pictures generated together")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  c->add_option("--executor", o->executor, "device, torch or reference")
      ->capture_default_str()
      ->check(CLI::IsMember({"device", "torch", "reference"}));
  c->add_option("--precision", o->precision, "bf16 or f32")
      ->capture_default_str()
      ->check(CLI::IsMember({"bf16", "f32"}));
  c->add_option("--threads", o->threads, "0: all processors")->capture_default_str()->check(CLI::Range(0, 1024));
  c->add_option("--steps", o->steps, "sampler steps; default: the model's own");
  c->add_option("--guidance", o->guidance, "guidance; default: the model's own");
  c->add_option("--sampler", o->sampler, "sampler; default: the model's own");
  c->add_option("--seed", o->evaluation.seed, "first seed")->capture_default_str();
  c->add_flag("--json", o->json, "print the figures as JSON");
  c->callback([o] { run(*o); });
}

}  // namespace thimble::cli
