#include "cli/device/published.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "diffusion/published/published_pipeline.h"
#include "formats/thimble/model_file.h"

namespace thimble::cli {
namespace {

diffusion::PublishedModelOptions model_options(const PublishedExtras& e) {
  diffusion::PublishedModelOptions o;
  o.variant = e.variant;
  o.autoencoder = e.tiny_autoencoder;
  for (const std::string& pair : e.tokenizers) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(ErrorKind::bad_input, "--tokenizer takes NAME=PATH, '{}' came; try tokenizer=vocab/merges.txt", pair);
    }
    o.tokenizers[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return o;
}

diffusion::NoiseGenerator generator_of(const std::string& name) {
  if (name.empty() || name == "thimble") return diffusion::NoiseGenerator::thimble;
  if (name == "torch") return diffusion::NoiseGenerator::torch;
  fail(ErrorKind::bad_input, "--rng is thimble or torch, '{}' came", name);
}

OrderedJson report(const PublishedJob& job, const diffusion::PublishedModel& model,
                   const diffusion::PublishedResult& made, const std::string& executor, double total,
                   const std::vector<std::string>& files) {
  OrderedJson components = OrderedJson::array();
  for (const diffusion::ComponentReport& c : made.components) {
    components.push_back(
        {{"part", c.part}, {"load_seconds", c.load}, {"run_seconds", c.run}, {"planned_bytes", c.memory.peak_bytes()}});
  }
  return {{"prompt", job.prompt},
          {"seed", job.seed},
          {"files", files},
          {"warnings", made.warnings},
          {"model", {{"pipeline", model.facts().pipeline_class}, {"path", job.run.model}}},
          {"executor", executor},
          {"width", made.width},
          {"height", made.height},
          {"sampler", made.sampler},
          {"steps", made.steps},
          {"guidance", made.guidance},
          {"components", components},
          {"denoiser_runs", made.calls},
          {"seconds", {{"total", total}}},
          {"bytes", {{"resident_peak", peak_resident_bytes()}}}};
}

}  // namespace

void add_published_options(CLI::App& c, PublishedExtras& e) {
  const auto* group = "Options of published models";
  c.add_option("--negative", e.negative, "what the picture should not show")->group(group);
  c.add_option("--image", e.image, "picture to start from, to inpaint or to edit")->group(group);
  c.add_option("--mask", e.mask, "bright where --image is painted anew")->group(group);
  c.add_option("--strength", e.strength, "0 to 1: how far --image is taken back into noise")->group(group);
  c.add_option("--image-guidance", e.image_guidance, "how strictly an edit keeps the picture")->group(group);
  c.add_option("--width", e.width, "pixels (default: the model's)")->group(group);
  c.add_option("--height", e.height, "pixels (default: the model's)")->group(group);
  c.add_option("--variant", e.variant, "of the weight files: fp16")->group(group);
  c.add_option("--tiny-autoencoder", e.tiny_autoencoder, "folder of a tiny autoencoder to decode with")->group(group);
  c.add_option("--tokenizer", e.tokenizers, "NAME=PATH: vocabulary for a single file, which has none")->group(group);
  c.add_option("--rng", e.rng, "thimble, or torch: the noise that PyTorch's CPU generator gives")->group(group);
}

void refuse_published_options(const PublishedExtras& e) {
  const std::pair<const char*, bool> given[] = {{"--negative", e.negative.has_value()},
                                                {"--image", !e.image.empty()},
                                                {"--mask", !e.mask.empty()},
                                                {"--strength", e.strength.has_value()},
                                                {"--image-guidance", e.image_guidance.has_value()},
                                                {"--width", e.width.has_value()},
                                                {"--height", e.height.has_value()},
                                                {"--variant", !e.variant.empty()},
                                                {"--tiny-autoencoder", !e.tiny_autoencoder.empty()},
                                                {"--tokenizer", !e.tokenizers.empty()},
                                                {"--rng", !e.rng.empty()}};
  for (const auto& [name, there] : given) {
    if (there) {
      fail(ErrorKind::bad_input, "{} is for published models; say which with --model DIRECTORY (thimble models)", name);
    }
  }
}

bool is_published(const std::string& model) {
  if (model.empty()) return false;
  if (std::filesystem::is_directory(model)) return true;
  if (!std::filesystem::exists(model)) return false;
  if (std::filesystem::path(model).filename() == "model_index.json") return true;
  try {
    return !formats::SafetensorsFile::open(model).metadata().contains(formats::kModelMetadataKey);
  } catch (const Error&) {
    // A pickle is refused, with the reason, by the reader of published files; the rest by our own.
    const std::string end = std::filesystem::path(model).extension().string();
    return end == ".ckpt" || end == ".pt" || end == ".pth" || end == ".bin";
  }
}

void generate_published(const PublishedJob& job) {
  const auto start = std::chrono::steady_clock::now();
  const OutputPlan output = plan_output(job.output, job.count);
  const diffusion::NoiseGenerator generator = generator_of(job.extras.rng);
  const auto model = diffusion::PublishedModel::open(job.run.model, model_options(job.extras));
  const auto executor = runtime::make_device_executor(job.run.device());
  diffusion::PublishedPipeline pipeline(model, *executor, {.precision = job.run.chosen_precision()});

  diffusion::PublishedRequest request{.prompt = job.prompt, .negative_prompt = job.extras.negative};
  if (!job.extras.image.empty()) request.image = media::read_image(job.extras.image);
  if (!job.extras.mask.empty()) request.mask = media::read_image(job.extras.mask);
  std::vector<diffusion::PublishedRequest> requests(static_cast<std::size_t>(job.count), request);
  for (int i = 0; i < job.count; ++i) {
    requests[static_cast<std::size_t>(i)].seed = job.seed + static_cast<std::uint64_t>(i);
  }
  const diffusion::PublishedOptions options{.width = job.extras.width,
                                            .height = job.extras.height,
                                            .steps = job.steps,
                                            .sampler = job.sampler,
                                            .guidance = job.guidance,
                                            .image_guidance = job.extras.image_guidance,
                                            .strength = job.extras.strength,
                                            .eta = job.eta,
                                            .generator = generator,
                                            .batch = job.batch};
  diffusion::PublishedResult made;
  {
    ProgressBar bar("generating");
    made = pipeline.generate(requests, options, bar.fn(), &interrupt_token());
  }
  for (const std::string& warning : made.warnings) fmt::print(stderr, "thimble: warning: {}\n", warning);
  interrupt_token().throw_if_cancelled();
  const std::vector<std::string> files = write_output(output, made.images);
  if (job.json) {
    const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print("{}\n", report(job, model, made, executor->name(), total, files).dump(2));
    return;
  }
  for (const std::string& file : files) fmt::print("{}\n", file);
}

}  // namespace thimble::cli
