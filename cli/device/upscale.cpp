// thimble upscale: a picture becomes a larger one, by a Real-ESRGAN network.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>

#include "api/upscale.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/device/commands.h"
#include "cli/device/output.h"
#include "cli/device/run_options.h"
#include "media/transform.h"

namespace thimble::cli {
namespace {

struct UpscaleArguments {
  RunOptions run;
  api::UpscaleOptions options;
  OutputOptions output;
  std::string picture, weights, reference;
  bool json = false;
};

// Decibels over all colour values; bad_input for another size.
double psnr(const media::Image& a, const media::Image& b) {
  if (a.width != b.width || a.height != b.height) {
    fail(ErrorKind::bad_input, "the reference has {}x{} pixels, the result {}x{}", b.width, b.height, a.width,
         a.height);
  }
  const media::Image x = media::to_channels(a, 3), y = media::to_channels(b, 3);
  double sum = 0;
  for (std::size_t i = 0; i < x.pixels.size(); ++i) sum += std::pow(1.0 * x.pixels[i] - y.pixels[i], 2);
  return 10 * std::log10(255.0 * 255.0 / std::max(sum / static_cast<double>(x.pixels.size()), 1e-10));
}

void upscale_command(const UpscaleArguments& a) {
  const OutputPlan output = plan_output(a.output, 1);
  const media::Image picture = media::read_image(a.picture);
  const auto executor = runtime::make_device_executor(a.run.device());
  api::Upscaler upscaler(a.weights, *executor, a.run.chosen_precision());
  media::Image large;
  {
    ProgressBar bar("upscaling");
    large = upscaler(picture, a.options, bar.fn(), &interrupt_token());
  }
  interrupt_token().throw_if_cancelled();
  OrderedJson report{
      {"file", a.output.path}, {"width", large.width}, {"height", large.height}, {"executor", executor->name()}};
  if (!a.reference.empty()) {
    const media::Image reference = media::read_image(a.reference);
    report["psnr"] = psnr(large, reference);
    report["psnr_bicubic"] = psnr(media::resize(picture, large.width, large.height, media::Filter::bicubic), reference);
  }
  write_output(output, {large});
  if (a.json) {
    fmt::print("{}\n", report.dump(2));
  } else if (a.reference.empty()) {
    fmt::print("{}\n", a.output.path);
  } else {
    fmt::print("{}: {:.2f} dB to {}, bicubic {:.2f} dB\n", a.output.path, report["psnr"].get<double>(), a.reference,
               report["psnr_bicubic"].get<double>());
  }
}

}  // namespace

void add_upscale_command(CLI::App& app) {
  auto* c = app.add_subcommand("upscale", "make a picture larger (Real-ESRGAN, compact networks)");
  auto a = std::make_shared<UpscaleArguments>();
  c->add_option("picture", a->picture, "picture to make larger")->required()->check(CLI::ExistingFile);
  c->add_option("-o,--output", a->output.path, "picture to write: .png, .webp or .jpg")->required();
  c->add_option("--weights", a->weights, "ncnn's .param beside its .bin, or .safetensors with the original names")
      ->required()
      ->check(CLI::ExistingFile);
  c->add_option("--scale", a->options.scale, "1 to the network's own (default: that)");
  c->add_option("--tile", a->options.tile, "pixels per side of the input that run at once")->capture_default_str();
  c->add_option("--reference", a->reference, "true picture of the larger size: print the PSNR to it")
      ->check(CLI::ExistingFile);
  add_run_options(*c, a->run);
  c->add_flag("--json", a->json, "print as JSON");
  c->footer("Example: thimble upscale small.png -o large.png --weights RealESRGAN_General_x4_v3.param");
  c->callback([a] { upscale_command(*a); });
}

}  // namespace thimble::cli
