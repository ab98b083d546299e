// Options that say which model and how to run it, shared by the commands of the device program.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "api/engine.h"
#include "passes/quantize.h"

namespace thimble::cli {

struct RunOptions {
  std::string model, isa, precision;
  int threads = 0;

  api::EngineOptions engine() const;  // bad_input for names that are none
  runtime::DeviceOptions device() const;
  graph::Precision chosen_precision() const;  // the one asked for, else what suits the ISA
};

// --threads, --isa, --precision.
void add_run_options(CLI::App& command, RunOptions& options);

// --bits, --activations, --group: none given leaves the model as it is.
struct QuantizeChoice {
  int bits = 0, activations = 8;
  std::int64_t group = 0;
  std::optional<passes::QuantizeOptions> options() const;
};
void add_quantize_options(CLI::App& command, QuantizeChoice& choice);

}  // namespace thimble::cli
