// thimble convert: a model in another form or precision.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "api/convert.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/progress.h"
#include "cli/device/commands.h"

namespace thimble::cli {
namespace {

struct ConvertArguments {
  std::string from, to, precision;
  bool json = false;
};

void convert_command(const ConvertArguments& a) {
  api::ConvertOptions options;
  if (a.precision == "q8_0") {
    options.q8_0 = true;
  } else if (!a.precision.empty()) {
    options.precision = dtype_from_string(a.precision);
    if (options.precision != DType::f32 && options.precision != DType::f16 && options.precision != DType::bf16) {
      fail(ErrorKind::bad_input, "--precision is f32, f16 or bf16, for GGUF also q8_0; '{}' came", a.precision);
    }
  }
  ProgressBar bar("converting");
  const api::Converted made = api::convert_model(a.from, a.to, options, bar.fn(), &interrupt_token());
  if (a.json) {
    fmt::print(
        "{}\n",
        OrderedJson{{"file", a.to}, {"form", made.form}, {"tensors", made.tensors}, {"bytes", made.bytes}}.dump(2));
  } else {
    fmt::print("{}: {}, {} tensors, {}\n", a.to, made.form, made.tensors, human_bytes(static_cast<double>(made.bytes)));
  }
}

}  // namespace

void add_convert_command(CLI::App& app) {
  auto* c = app.add_subcommand("convert", "write a model in another form or precision");
  auto a = std::make_shared<ConvertArguments>();
  c->add_option("from", a->from, "diffusers directory, single file (.safetensors, .gguf) or Thimble model")->required();
  c->add_option("to", a->to, "new folder, .safetensors or .gguf")->required();
  c->add_option("--precision", a->precision, "f32, f16 or bf16; for .gguf also q8_0 (default: as stored)");
  c->add_flag("--json", a->json, "print as JSON");
  c->footer(
      "Examples:\n"
      "  thimble convert v1-5-pruned.safetensors stable-diffusion-v1-5/ --precision f16\n"
      "  thimble convert stable-diffusion-v1-5/ sd15.gguf --precision q8_0");
  c->callback([a] { convert_command(*a); });
}

}  // namespace thimble::cli
