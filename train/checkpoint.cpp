#include "train/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "formats/safetensors/safetensors.h"
#include "graph/weights.h"

namespace thimble::train {
namespace {

namespace fs = std::filesystem;
using formats::SafetensorsFile;
using formats::TensorInfo;

constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".safetensors";
constexpr const char* kKey = "thimble_checkpoint";
constexpr std::size_t kKept = 2;

std::string weights_name(const std::string& name) { return "weights." + name; }
std::string average_name(const std::string& name) { return "ema." + name; }
std::string first_name(const std::string& name) { return "adam.first." + name; }
std::string second_name(const std::string& name) { return "adam.second." + name; }

// The step in a checkpoint's file name, or -1.
std::int64_t step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const std::string digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (digits.empty() || digits.size() > 15 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

Json state_json(const SafetensorsFile& file) {
  const auto found = file.metadata().find(kKey);
  if (found == file.metadata().end()) return Json::object();  // weights alone, written by another tool
  return parse_json(found->second, file.name());
}

RunState state_of(const SafetensorsFile& file) {
  const Json json = state_json(file);
  RunState state;
  if (json.empty()) return state;
  state.step = get_int(json, "step", file.name());
  state.minutes = get_double(json, "minutes", file.name());
  state.facts = get_object(json, "facts", file.name());
  return state;
}



// Copies into `to`, which keeps its identity: optimiser and graph hold the same tensor.
void assign(const SafetensorsFile& file, const TensorInfo& info, const at::Tensor& to) {
  if (to.sizes() != at::IntArrayRef(info.shape)) {
    fail(ErrorKind::bad_file, "{}: tensor '{}' has shape {}, {} was wanted", file.name(), info.name(),
         graph::to_string(info.shape), graph::to_string(to.sizes().vec()));
  }
  // Through an owned tensor: bytes in files need not be aligned.
  graph::Tensor aligned({info.dtype(), info.shape});
  std::memcpy(aligned.mutable_data(), info.data().data(), info.data().size());
  to.detach().copy_(borrow(aligned.view()));
}

}  // namespace

std::vector<fs::path> list_checkpoints(const fs::path& run_dir) {
  std::vector<fs::path> paths;
  if (!fs::is_directory(run_dir)) return paths;
  for (const auto& entry : fs::directory_iterator(run_dir)) {
    if (step_of(entry.path()) >= 0) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) { return step_of(a) > step_of(b); });
  return paths;
}

fs::path save_checkpoint(const fs::path& run_dir, const Trainee& trainee, const RunState& state) {
  const at::NoGradGuard guard;
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, slot] : trainee.optimiser->slots()) {
    tensors[weights_name(name)] = slot.parameter;
    tensors[first_name(name)] = slot.first;
    tensors[second_name(name)] = slot.second;
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
  const fs::path path = run_dir / fmt::format("{}{:09}{}", kPrefix, state.step, kSuffix);
  formats::SafetensorsWriter out(path, specs, {{kKey, json.dump()}});
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
  const Json json = state_json(file);
  bool moments = true;
  for (const auto& [name, slot] : trainee.optimiser->slots()) {
    moments = moments && file.find(first_name(name)) && file.find(second_name(name));
  }
  for (auto& [name, slot] : trainee.optimiser->slots()) {
    const TensorInfo* plain = file.find(name);
    const TensorInfo& weights = plain ? *plain : file.at(weights_name(name));
    assign(file, weights, slot.parameter);
    const TensorInfo* average = file.find(average_name(name));
    assign(file, average ? *average : weights, trainee.ema->average().at(name));
    if (moments) {
      assign(file, file.at(first_name(name)), slot.first);
      assign(file, file.at(second_name(name)), slot.second);
    }
  }
  if (moments) {
    trainee.optimiser->set_steps(json.empty() ? 0 : get_int(json, "optimiser_steps", file.name()));
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

RunState read_state(const fs::path& checkpoint) { return state_of(SafetensorsFile::open(checkpoint)); }

graph::Weights read_average(const fs::path& checkpoint) {
  const SafetensorsFile file = SafetensorsFile::open(checkpoint);
  graph::Weights weights;
  for (const auto& [name, info] : file.tensors()) {
    if (!name.starts_with("weights.")) continue;
    const std::string bare = name.substr(8);
    const TensorInfo* average = file.find(average_name(bare));
    const TensorInfo& source = average ? *average : info;
    graph::Tensor copy({source.dtype(), source.shape});
    std::memcpy(copy.mutable_data(), source.data().data(), source.data().size());
    weights.set(bare, std::move(copy));
  }
  if (weights.size() == 0) fail(ErrorKind::bad_file, "{}: no tensor 'weights.…': not a training checkpoint", file.name());
  return weights;
}

}  // namespace thimble::train
