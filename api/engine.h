// Opens a model file, chooses how to run it on this machine, and makes pictures: joins files, plans and pipelines.
// The command uses it; programs outside the project use the C header api/thimble.h or api/thimble.hpp.
//
//   api::Engine engine({.model = "thimble-emoji.safetensors"});
//   const auto made = engine.generate({{"a smiling cat", 7}});
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "diffusion/pipeline.h"
#include "runtime/device.h"

namespace thimble::api {

// The file to use: `asked` when it is not empty, else $THIMBLE_MODEL, else thimble-emoji.safetensors in the share
// folder beside the running program, in the installed share folder, or in weights/ of the sources this was built from.
// `io` error, naming the places, when there is none.
std::filesystem::path find_model(const std::filesystem::path& asked = {});

struct EngineOptions {
  std::filesystem::path model;                     // as find_model() takes it
  int threads = 0;                                 // 0: all usable processors; at most 256
  std::optional<Isa> isa = {};                     // none: the best of this machine
  std::optional<graph::Precision> precision = {};  // none: bf16 where the ISA multiplies it, else f32
};

// bf16 on a level that has instructions for it, else f32.
graph::Precision default_precision(Isa isa);

// bad_input when this machine cannot meet the options.
runtime::DeviceOptions device_options(const EngineOptions& options);

class Engine {
 public:
  // Errors: io, bad_file or unsupported for the file; bad_input for options this machine cannot meet.
  explicit Engine(const EngineOptions& options);
  ~Engine();

  const diffusion::Model& model() const { return *model_; }
  diffusion::Pipeline& pipeline() { return *pipeline_; }
  const runtime::DeviceOptions& device() const { return device_; }
  graph::Precision precision() const { return precision_; }
  std::string executor_name() const { return executor_->name(); }
  double load_seconds() const { return load_seconds_; }

  // As diffusion::Pipeline::generate.
  diffusion::Generated generate(const std::vector<diffusion::Request>& requests,
                                const diffusion::GenerateOptions& options = {}, const ProgressFn& progress = {},
                                const CancelToken* cancel = nullptr) {
    return pipeline_->generate(requests, options, progress, cancel);
  }

 private:
  std::unique_ptr<diffusion::Model> model_;
  runtime::DeviceOptions device_;
  graph::Precision precision_;
  std::unique_ptr<graph::Executor> executor_;
  std::unique_ptr<diffusion::Pipeline> pipeline_;
  double load_seconds_ = 0;
};

}  // namespace thimble::api
