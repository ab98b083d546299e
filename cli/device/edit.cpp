// thimble edit: a picture and an instruction become another picture, by a published model that edits.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/device/commands.h"
#include "cli/device/published.h"

namespace thimble::cli {

void add_edit_command(CLI::App& app) {
  auto* c = app.add_subcommand("edit", "change a picture by an instruction (InstructPix2Pix)");
  auto job = std::make_shared<PublishedJob>();
  c->add_option("picture", job->extras.image, "picture to change")->required()->check(CLI::ExistingFile);
  c->add_option("instruction", job->prompt, "what to change, as one would say it")->required();
  c->add_option("--model", job->run.model, "diffusers directory or checkpoint of a model that edits")->required();
  c->add_option("-o,--output", job->output.path, "picture to write: .png, .webp or .jpg")->required();
  c->add_option("--seed", job->seed, "same seed, same picture")->capture_default_str();
  c->add_option("--steps", job->steps, "steps from noise to picture (default: the model's)");
  c->add_option("--guidance", job->guidance, "how strictly the instruction is followed (default: the model's)");
  c->add_option("--image-guidance", job->extras.image_guidance, "how strictly the picture is kept (default: 1.5)");
  c->add_option("--sampler", job->sampler, "default: the model's");
  c->add_option("--negative", job->extras.negative, "what the picture should not show");
  c->add_option("--width", job->extras.width, "pixels (default: the picture's aspect at the model's size)");
  c->add_option("--height", job->extras.height, "pixels");
  c->add_option("--variant", job->extras.variant, "of the weight files: fp16");
  c->add_option("--rng", job->extras.rng, "thimble, or torch: the noise that PyTorch's CPU generator gives");
  add_run_options(*c, job->run);
  c->add_flag("--json", job->json, "print settings, timings (seconds) and memory (bytes) as JSON");
  c->footer("Example: thimble edit street.png \"make it snow\" --model instruct-pix2pix/ -o snow.png");
  c->callback([job] { generate_published(*job); });
}

}  // namespace thimble::cli
