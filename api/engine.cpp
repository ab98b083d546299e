#include "api/engine.h"

#include <chrono>
#include <cstdlib>

#include "base/error.h"

namespace thimble::api {
namespace {

constexpr const char* kDefaultModel = "thimble-emoji.safetensors";

}  // namespace

runtime::DeviceOptions device_options(const EngineOptions& options) {
  if (options.threads < 0 || options.threads > 256) {
    fail(ErrorKind::bad_input,
         "between 1 and 256 threads are possible (0: as many as there are processors), {} were asked", options.threads);
  }
  runtime::DeviceOptions device;
  device.threads = options.threads;
  if (options.isa) {
    if (!supports(cpu(), *options.isa)) {
      std::string usable;
      for (const Isa isa : usable_isas()) {
        usable += usable.empty() ? "" : ", ";
        usable += to_string(isa);
      }
      fail(ErrorKind::bad_input, "this machine has no {}; it has {}", to_string(*options.isa), usable);
    }
    device.isa = *options.isa;
  }
  return device;
}

std::filesystem::path find_model(const std::filesystem::path& asked) {
  if (!asked.empty()) return asked;
  if (const char* env = std::getenv("THIMBLE_MODEL"); env != nullptr && *env != '\0') return env;
  std::error_code ignored;
  std::vector<std::filesystem::path> places;
  if (const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored); !program.empty()) {
    places.push_back(program.parent_path().parent_path() / "share/thimble" / kDefaultModel);
  }
  places.push_back(std::filesystem::path(THIMBLE_SHARE_DIR) / kDefaultModel);
  places.push_back(std::filesystem::path(THIMBLE_SOURCE_DIR) / "weights" / kDefaultModel);
  std::string tried;
  for (const auto& place : places) {
    if (std::filesystem::is_regular_file(place, ignored)) return place;
    tried += tried.empty() ? "" : ", ";
    tried += place.string();
  }
  fail(ErrorKind::io, "no model file found at {}; name one with --model or THIMBLE_MODEL", tried);
}

graph::Precision default_precision(Isa isa) {
  return isa == Isa::avx512_bf16 || isa == Isa::amx ? graph::Precision::bf16 : graph::Precision::f32;
}

Engine::Engine(const EngineOptions& options) : device_(device_options(options)) {
  const auto start = std::chrono::steady_clock::now();
  precision_ = options.precision.value_or(default_precision(device_.isa));
  model_ = std::make_unique<diffusion::Model>(diffusion::Model::open(find_model(options.model)));
  device_.packed = [model = model_.get()] { model->release_pages(); };
  executor_ = runtime::make_device_executor(device_);
  pipeline_ = std::make_unique<diffusion::Pipeline>(*model_, *executor_, diffusion::PipelineOptions{precision_});
  load_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Engine::~Engine() = default;

}  // namespace thimble::api
