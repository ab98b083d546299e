// thimble edit: a picture and an instruction become another picture, by a published model that edits.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "cli/device/commands.h"
#include "cli/device/note.h"
#include "cli/device/prompts.h"
#include "cli/device/published.h"

namespace thimble::cli {

void add_edit_command(CLI::App& app) {
  auto* c = app.add_subcommand("edit", "change a picture by an instruction (InstructPix2Pix)");
  auto job = std::make_shared<PublishedJob>();
  auto instruction = std::make_shared<std::string>();
  auto from = std::make_shared<std::string>();
  c->add_option("image,--image", job->extras.image, "picture to change");
  c->add_option("prompt,--prompt", *instruction, "what to change, as one would say it");
  c->add_option("--from", *from, "repeat this PNG of Thimble: its picture, instruction, seed and settings")
      ->check(CLI::ExistingFile);
  c->add_option("--model", job->run.model, "diffusers directory or checkpoint of a model that edits");
  c->add_option("-o,--output", job->output.path, "picture to write: .png, .webp or .jpg")->required();
  c->add_option("--seed", job->seed, "same seed, same picture")->capture_default_str();
  c->add_option("--steps", job->steps, "steps from noise to picture (default: the model's)");
  c->add_option("--guidance", job->guidance, "how strictly the instruction is followed (default: the model's)");
  c->add_option("--image-guidance", job->extras.image_guidance, "how strictly the picture is kept (default: 1.5)");
  c->add_option("--sampler", job->sampler, "default: the model's");
  add_model_options(*c, job->extras);
  add_run_options(*c, job->run);
  c->add_flag("--json", job->json, "print settings, timings (seconds) and memory (bytes) as JSON");
  c->footer("Example: thimble edit street.png \"make it snow\" --model instruct-pix2pix/ -o snow.png");
  c->callback([job, instruction, from, c] {
    job->model_named = !job->run.model.empty();
    if (!from->empty()) job->note = replay_note(*c, *from);
    if (job->extras.image.empty()) fail(ErrorKind::bad_input, "name the picture to change");
    if (job->run.model.empty()) fail(ErrorKind::bad_input, "name a model that edits with --model DIRECTORY");
    check_prompt(*instruction);
    job->prompts = {*instruction};
    generate_published(*job);
  });
}

}  // namespace thimble::cli
