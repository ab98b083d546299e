#include "cli/device/run_options.h"

#include <CLI/CLI.hpp>

#include "base/error.h"

namespace thimble::cli {

void add_run_options(CLI::App& command, RunOptions& options) {
  command.add_option("--threads", options.threads, "threads; 0: one for each usable processor")->capture_default_str();
  command.add_option("--isa", options.isa, "highest instruction set: scalar, avx2, avx512, avx512_bf16, amx, neon ...");
  command.add_option("--precision", options.precision, "f32 or bf16; default: bf16 where the processor multiplies it");
}

void add_quantize_options(CLI::App& command, QuantizeChoice& choice) {
  auto* bits = command.add_option("--bits", choice.bits, "with weights of 8 or 4 bits, as thimble quantize would");
  command.add_option("--activations", choice.activations, "then of activations: 8 or 16")->needs(bits);
  command.add_option("--group", choice.group, "then inputs that share a scale: 32, 64, 128, or 0 for all")->needs(bits);
}

std::optional<passes::QuantizeOptions> QuantizeChoice::options() const {
  if (bits == 0) return {};
  const passes::QuantizeOptions o{bits, activations, group};
  passes::check_options(o);
  return o;
}

api::EngineOptions RunOptions::engine() const {
  api::EngineOptions e;
  e.model = model;
  e.threads = threads;
  if (!isa.empty()) {
    e.isa = isa_from_string(isa);
    if (!e.isa) fail(ErrorKind::bad_input, "there is no instruction set '{}'", isa);
  }
  if (!precision.empty()) {
    if (precision != "f32" && precision != "bf16")
      fail(ErrorKind::bad_input, "precision is f32 or bf16, '{}' came", precision);
    e.precision = precision == "f32" ? graph::Precision::f32 : graph::Precision::bf16;
  }
  return e;
}

runtime::DeviceOptions RunOptions::device() const { return api::device_options(engine()); }

graph::Precision RunOptions::chosen_precision() const {
  return engine().precision.value_or(api::default_precision(device().isa));
}

}  // namespace thimble::cli
