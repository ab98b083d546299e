#include "cli/device/published.h"

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "api/fingerprint.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "cli/device/note.h"
#include "cli/device/prompts.h"
#include "diffusion/published/published_pipeline.h"
#include "formats/gguf/gguf.h"
#include "formats/thimble/model_file.h"

namespace thimble::cli {
namespace {

OrderedJson report(const PublishedJob& job, const diffusion::PublishedModel& model,
                   const diffusion::PublishedResult& made, const std::string& executor, const std::string& model_hash,
                   double total, const std::vector<std::string>& files) {
  OrderedJson components = OrderedJson::array();
  for (const diffusion::ComponentReport& c : made.components) {
    components.push_back({{"part", c.part},
                          {"load_seconds", c.load},
                          {"load_bytes", c.stored_bytes},
                          {"load_gb_per_second", c.load > 0 ? static_cast<double>(c.stored_bytes) / c.load / 1e9 : 0},
                          {"run_seconds", c.run},
                          {"planned_bytes", c.memory.peak_bytes()}});
  }
  return {{"prompt", job.prompts.front()},
          {"prompts", job.prompts.size()},
          {"seed", job.seed},
          {"files", files},
          {"warnings", made.warnings},
          {"model", {{"pipeline", model.facts().pipeline_class}, {"path", job.run.model}, {"hash", model_hash}}},
          {"executor", executor},
          {"width", made.width},
          {"height", made.height},
          {"sampler", made.sampler},
          {"steps", made.steps},
          {"guidance", made.guidance},
          {"components", components},
          {"bits", job.extras.quantize.bits == 0 ? OrderedJson() : OrderedJson(job.extras.quantize.bits)},
          {"batch", made.batch},
          {"passes_apart", made.passes_apart},
          {"decode_tiles", made.decode_tiles},
          {"denoiser_runs", made.calls},
          {"seconds", {{"total", total}}},
          {"bytes", {{"resident_peak", peak_resident_bytes()}}}};
}

// What the pictures remember of how they were made (note.h).
std::vector<std::string> notes_of(const PublishedJob& job, const diffusion::PublishedResult& made,
                                  const std::vector<diffusion::PublishedRequest>& requests,
                                  const std::string& model_hash) {
  const PublishedExtras& e = job.extras;
  OrderedJson base{{"program", "Thimble"}, {"model_hash", model_hash}, {"model", job.run.model}};
  const auto put = [&](const char* key, const auto& value) {
    if (!value.empty()) base[key] = value;
  };
  const auto put_set = [&](const char* key, const auto& value) {
    if (value) base[key] = *value;
  };
  base["size"] = fmt::format("{}x{}", made.width, made.height);
  base["width"] = made.width;
  base["height"] = made.height;
  base["steps"] = made.steps;
  base["sampler"] = made.sampler;
  base["guidance"] = made.guidance;
  put_set("image-guidance", e.image_guidance);
  put_set("strength", e.strength);
  if (job.eta != 0) base["eta"] = job.eta;
  base["precision"] = graph::to_string(job.run.chosen_precision());
  put_set("negative", e.negative);
  for (const auto& [option, path] : {std::pair<std::string, std::string>{"image", e.image}, {"mask", e.mask}}) {
    if (path.empty()) continue;
    base[option] = path;
    base[option + "_hash"] = file_hash(path);
  }
  put("variant", e.variant);
  put("tiny-autoencoder", e.tiny_autoencoder);
  put("tokenizer", e.tokenizers);
  put("lora", e.loras);
  put("embedding", e.embeddings);
  put("rng", e.rng);
  put("max-memory", e.max_memory);
  if (e.quantize.bits != 0) {
    base["bits"] = e.quantize.bits;
    base["activations"] = e.quantize.activations;
    base["group"] = e.quantize.group;
  }
  put("background", job.output.background);
  if (job.output.transparent) base["transparent"] = true;
  if (job.batch != 1) base["batch"] = job.batch;
  return notes_of_pictures(base, job.output.grid ? job.count : 1, requests);
}

// Writes what is seen on the way; a disk that is full stops nothing.
diffusion::PreviewFn preview_writer(const PublishedExtras& e) {
  if (e.preview.empty()) return {};
  if (media::format_of_extension(e.preview) != media::ImageFormat::png) {
    fail(ErrorKind::bad_input, "a preview's name ends in .png, {} came", e.preview);
  }
  check_writable(e.preview);
  if (e.preview_autoencoder.empty()) {
    fmt::print(stderr,
               "thimble: previews are a linear map of the latents, a pixel for each cell; "
               "--preview-autoencoder shows more\n");
  }
  return [path = e.preview](int, int, const media::Image& picture) { media::write_image(path, picture); };
}

}  // namespace

bool is_published(const std::string& model) {
  if (model.empty()) return false;
  if (std::filesystem::is_directory(model)) return true;
  if (!std::filesystem::exists(model)) return false;
  if (std::filesystem::path(model).filename() == "model_index.json") return true;
  if (formats::is_gguf(MappedFile::open(model)->bytes())) return true;
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
  const PublishedExtras& e = job.extras;
  const OutputPlan output = plan_output(job.output, picture_count(job.prompts.size(), job.count));
  const diffusion::NoiseGenerator generator = generator_of(e.rng);
  const std::size_t max_memory = e.max_memory.empty() ? 0 : parse_bytes(e.max_memory);
  const auto quantize = e.quantize.options();
  const diffusion::PublishedModelOptions model_choice = model_options(e);
  const diffusion::PreviewFn preview = preview_writer(e);
  const auto model = diffusion::PublishedModel::open(job.run.model, model_choice);
  const std::string model_hash = api::fingerprint(model);
  check_same_model(job.note, model_hash, job.model_named);
  check_same_file(job.note, "image", e.image);
  check_same_file(job.note, "mask", e.mask);
  runtime::DeviceOptions device = job.run.device();
  const graph::Precision precision = job.run.chosen_precision();
  const auto plan = [device, precision](const graph::Graph& g) {
    return runtime::plan_report(g, {.precision = precision}, device).memory;
  };
  // The pages of what was packed go back at once: originals and packed copies never stand side by side.
  device.packed = [&model] {
    for (const formats::DiffusersPart& part : model.files().parts) part.release_pages();
  };
  const auto executor = runtime::make_device_executor(device);
  diffusion::PublishedPipeline pipeline(model, *executor, {.precision = precision, .quantize = quantize, .plan = plan});

  diffusion::PublishedRequest request{.prompt = {}, .negative_prompt = e.negative};
  if (!e.image.empty()) request.image = media::read_image(e.image);
  if (!e.mask.empty()) request.mask = media::read_image(e.mask);
  std::vector<diffusion::PublishedRequest> requests;
  for (const std::string& prompt : job.prompts) {
    for (int i = 0; i < job.count; ++i) {
      request.prompt = prompt;
      request.seed = job.seed + requests.size();
      requests.push_back(request);
    }
  }
  const diffusion::PublishedOptions options{.width = e.width,
                                            .height = e.height,
                                            .steps = job.steps,
                                            .sampler = job.sampler,
                                            .guidance = job.guidance,
                                            .image_guidance = e.image_guidance,
                                            .strength = e.strength,
                                            .eta = job.eta,
                                            .generator = generator,
                                            .batch = job.batch,
                                            .max_memory = max_memory,
                                            .preview = preview,
                                            .preview_every = e.preview_every};
  diffusion::PublishedResult made;
  {
    ProgressBar bar("generating");
    made = pipeline.generate(requests, options, bar.fn(), &interrupt_token());
  }
  for (const std::string& warning : made.warnings) fmt::print(stderr, "thimble: warning: {}\n", warning);
  interrupt_token().throw_if_cancelled();
  const auto files = write_output(output, made.images, notes_of(job, made, requests, model_hash));
  if (job.json) {
    const double total = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print("{}\n", report(job, model, made, executor->name(), model_hash, total, files).dump(2));
    return;
  }
  for (const std::string& file : files) fmt::print("{}\n", file);
}

}  // namespace thimble::cli
