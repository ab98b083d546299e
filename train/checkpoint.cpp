#include "train/checkpoint.h"

#include <map>

#include "diffusion/facts.h"

namespace thimble::train {
namespace {

namespace fs = std::filesystem;
using formats::SafetensorsFile;
using formats::TensorInfo;

constexpr std::size_t kKept = 2;

// Copies into `to`, which keeps its identity: optimiser, shards and graph hold the same memory.
void assign(const SafetensorsFile& file, const TensorInfo& info, const at::Tensor& to) {
  if (to.sizes() != at::IntArrayRef(info.shape)) {
    fail(ErrorKind::bad_file, "{}: tensor '{}' has shape {}, {} was wanted", file.name(), info.name(),
         graph::to_string(info.shape), graph::to_string(to.sizes().vec()));
  }
  const graph::Tensor aligned = tensor_of(info);
  to.detach().copy_(borrow(aligned.view()));
}

// A master; or weights alone, as they are or as a Thimble model file has them, its part's name before theirs.
const TensorInfo& weights_of(const SafetensorsFile& file, const std::string& name) {
  if (const TensorInfo* plain = file.find(name)) return *plain;
  for (const char* part : {diffusion::kTextPart, diffusion::kDenoiserPart, diffusion::kAutoencoderPart}) {
    if (const TensorInfo* found = file.find(part + ("." + name))) return *found;
  }
  return file.at(weights_name(name));
}

}  // namespace

fs::path save_checkpoint(const fs::path& run_dir, const Trainee& trainee, const RunState& state) {
  const at::NoGradGuard guard;
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, slot] : trainee.optimiser->slots()) {
    tensors[weights_name(name)] = slot.parameter;
    tensors[first_moment_name(name)] = slot.first;
    tensors[second_moment_name(name)] = slot.second;
    tensors[average_name(name)] = trainee.ema->average().at(name);
  }
  std::vector<formats::TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) specs.push_back({name, DType::f32, tensor.sizes().vec()});
  const Json json{{"step", state.step},
                  {"minutes", state.minutes},
                  {"optimiser_steps", trainee.optimiser->steps()},
                  {"ema_updates", trainee.ema->updates()},
                  {"facts", state.facts.is_null() ? Json::object() : state.facts}};
  fs::create_directories(run_dir);
  const fs::path path = checkpoint_path(run_dir, state.step);
  formats::SafetensorsWriter out(path, specs, {{kCheckpointKey, json.dump()}});
  const auto order = out.order();
  for (const formats::TensorSpec& spec : order) {
    const at::Tensor dense = tensors.at(spec.name).detach().cpu().contiguous();
    out.write(spec.name, {static_cast<const std::byte*>(dense.data_ptr()), spec.bytes()});
  }
  out.commit();
  const auto all = list_checkpoints(run_dir);
  for (std::size_t i = kKept; i < all.size(); ++i) fs::remove(all[i]);
  return path;
}

RunState load_checkpoint(const fs::path& path, const Trainee& trainee) {
  const at::NoGradGuard guard;
  const SafetensorsFile file = SafetensorsFile::open(path);
  RunState state = state_of(file);
  const Json json = checkpoint_json(file);
  bool moments = !json.empty();
  for (const auto& [name, slot] : trainee.optimiser->slots()) {
    moments = moments && file.find(first_moment_name(name)) && file.find(second_moment_name(name));
  }
  for (auto& [name, slot] : trainee.optimiser->slots()) {
    const TensorInfo& weights = weights_of(file, name);
    assign(file, weights, slot.parameter);
    const TensorInfo* average = file.find(average_name(name));
    assign(file, average ? *average : weights, trainee.ema->average().at(name));
    if (moments) {
      assign(file, file.at(first_moment_name(name)), slot.first);
      assign(file, file.at(second_moment_name(name)), slot.second);
    }
  }
  if (moments) {
    trainee.optimiser->set_steps(get_int(json, "optimiser_steps", file.name()));
  } else {
    trainee.optimiser->reset();
  }
  trainee.ema->set_updates(json.empty() ? 0 : get_int(json, "ema_updates", file.name()));
  return state;
}

std::optional<RunState> resume(const fs::path& run_dir, const Trainee& trainee) {
  const auto paths = list_checkpoints(run_dir);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    try {
      return load_checkpoint(paths[i], trainee);
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::bad_file || i + 1 == paths.size()) throw;
    }
  }
  return std::nullopt;
}

}  // namespace thimble::train
