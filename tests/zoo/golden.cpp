#include "tests/zoo/golden.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "formats/safetensors/safetensors.h"

namespace thimble::zoo {
namespace {

graph::Tensor copy_of(const formats::TensorInfo& info) {
  graph::Tensor t(graph::TensorType{info.dtype(), info.shape});
  std::memcpy(t.mutable_data(), info.data().data(), t.type().bytes());
  return t.to(is_float(info.dtype()) ? DType::f32 : DType::i32);
}

models::Role role_of(const std::string& name) {
  for (const models::Role r :
       {models::Role::denoiser, models::Role::text, models::Role::encoder, models::Role::decoder}) {
    if (models::to_string(r) == name) return r;
  }
  fail(ErrorKind::bad_file, "golden: no role '{}'", name);
}

}  // namespace

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  const std::filesystem::path folder = "tests/zoo/goldens";
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Golden read_golden(const std::filesystem::path& path) {
  const auto file = formats::SafetensorsFile::open(path);
  const Json header = Json::parse(file.metadata().at("golden"));
  Golden g;
  g.file = path.stem().string();
  g.class_name = header.at("class").get<std::string>();
  g.role = role_of(header.at("role").get<std::string>());
  g.config = header.at("config");
  const Json& size = header.at("size");
  g.size = {size.value("batch", 1), size.value("height", 0), size.value("width", 0), size.value("tokens", 0)};
  for (const auto& [name, info] : file.tensors()) {
    const auto slash = name.find('/');
    const std::string group = name.substr(0, slash), rest = name.substr(slash + 1);
    if (group == "weights") g.weights.set(rest, copy_of(info));
    if (group == "inputs") g.inputs[rest] = copy_of(info);
    if (group == "outputs") g.outputs[rest] = copy_of(info);
    if (group == "taps") g.taps[rest] = copy_of(info);
  }
  return g;
}

double relative_error(const graph::Tensor& got, const graph::Tensor& wanted) {
  if (got.shape() != wanted.shape()) return std::numeric_limits<double>::infinity();
  const auto a = got.as<float>(), b = wanted.as<float>();
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!std::isfinite(d)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, d);
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return largest > 0 ? worst / largest : worst;
}

}  // namespace thimble::zoo
