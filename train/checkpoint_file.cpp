#include "train/checkpoint_file.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace thimble::train {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".safetensors";

// The step in a checkpoint's file name, or -1.
std::int64_t step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return -1;
  const std::string digits = name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  if (digits.empty() || digits.size() > 15 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  return std::stoll(digits);
}

}  // namespace

std::string weights_name(const std::string& parameter) { return "weights." + parameter; }
std::string average_name(const std::string& parameter) { return "ema." + parameter; }
std::string first_moment_name(const std::string& parameter) { return "adam.first." + parameter; }
std::string second_moment_name(const std::string& parameter) { return "adam.second." + parameter; }

fs::path checkpoint_path(const fs::path& run_dir, std::int64_t step) {
  return run_dir / fmt::format("{}{:09}{}", kPrefix, step, kSuffix);
}

std::vector<fs::path> list_checkpoints(const fs::path& run_dir) {
  std::vector<fs::path> paths;
  if (!fs::is_directory(run_dir)) return paths;
  for (const auto& entry : fs::directory_iterator(run_dir)) {
    if (step_of(entry.path()) >= 0) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) { return step_of(a) > step_of(b); });
  return paths;
}

fs::path newest_checkpoint(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  const auto all = list_checkpoints(path);
  if (all.empty()) fail(ErrorKind::io, "{}: no checkpoint in this folder", path.string());
  return all[0];
}

Json checkpoint_json(const formats::SafetensorsFile& file) {
  const auto found = file.metadata().find(kCheckpointKey);
  return found == file.metadata().end() ? Json::object() : parse_json(found->second, file.name());
}

RunState state_of(const formats::SafetensorsFile& file) {
  const Json json = checkpoint_json(file);
  RunState state;
  state.facts = Json::object();
  if (json.empty()) return state;
  state.step = get_int(json, "step", file.name());
  state.minutes = get_double(json, "minutes", file.name());
  state.facts = get_object(json, "facts", file.name());
  return state;
}

graph::Tensor tensor_of(const formats::TensorInfo& info) {
  graph::Tensor copy({info.dtype(), info.shape});
  std::memcpy(copy.mutable_data(), info.data().data(), info.data().size());
  return copy;
}

TrainedWeights read_trained(const fs::path& path) {
  const auto file = formats::SafetensorsFile::open(newest_checkpoint(path));
  TrainedWeights trained;
  trained.state = state_of(file);
  const std::string prefix = weights_name("");
  for (const auto& [name, info] : file.tensors()) {
    if (!name.starts_with(prefix)) continue;
    const std::string parameter = name.substr(prefix.size());
    const formats::TensorInfo* average = file.find(average_name(parameter));
    trained.weights.set(parameter, tensor_of(average ? *average : info));
  }
  if (trained.weights.size() == 0) {
    fail(ErrorKind::bad_file, "{}: no tensor starts with '{}': not a training checkpoint", file.name(), prefix);
  }
  return trained;
}

}  // namespace thimble::train
