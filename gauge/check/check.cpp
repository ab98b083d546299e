#include "gauge/check/check.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors/safetensors.h"

namespace thimble::gauge {

using namespace graph;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Tensor read(const formats::TensorInfo& info) {
  Tensor t(TensorType{info.dtype(), info.shape});
  std::ranges::copy(info.data(), t.mutable_data());
  return t;
}

// As programs take it: f32, i32 or bool.
Tensor as_input(const Tensor& t, const TensorType& wanted) {
  if (t.shape() != wanted.shape) {
    fail(ErrorKind::bad_input, "the reference's input is {}, the import takes {}", to_string(t.type()),
         to_string(wanted));
  }
  if (is_float(wanted.dtype) && is_float(t.type().dtype)) return t.to(DType::f32);
  if (t.type().dtype == wanted.dtype) return t;
  if (t.type().dtype == DType::i64 && wanted.dtype == DType::i32) {
    Tensor out(wanted);
    std::ranges::transform(t.as<std::int64_t>(), out.mutable_as<std::int32_t>().begin(),
                           [](std::int64_t v) { return static_cast<std::int32_t>(v); });
    return out;
  }
  fail(ErrorKind::bad_input, "the reference's input is {}, the import takes {}", to_string(t.type()),
       to_string(wanted));
}

std::vector<double> numbers(const Tensor& t) {
  std::vector<double> out;
  const DType type = t.type().dtype;
  if (is_float(type)) {
    const Tensor f32 = t.to(DType::f32);
    for (const float v : f32.as<float>()) out.push_back(double{v});
  } else if (type == DType::i32) {
    for (const std::int32_t v : t.as<std::int32_t>()) out.push_back(v);
  } else if (type == DType::i64) {
    for (const std::int64_t v : t.as<std::int64_t>()) out.push_back(static_cast<double>(v));
  } else {
    for (const std::uint8_t v : t.as<std::uint8_t>()) out.push_back(v);
  }
  return out;
}

OutputError compare(const std::string& name, const Tensor& ours, const Tensor& theirs) {
  OutputError e{name, 0, 0, 0, 0};
  if (ours.shape() != theirs.shape()) {
    fail(ErrorKind::bad_input, "output '{}' is {}, the reference's is {}", name, to_string(ours.type()),
         to_string(theirs.type()));
  }
  const std::vector<double> a = numbers(ours), b = numbers(theirs);
  double scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i]) && std::isnan(a[i])) continue;
    const double d = std::fabs(a[i] - b[i]);
    e.largest = std::isnan(d) ? std::numeric_limits<double>::infinity() : std::max(e.largest, d);
    scale = std::max(scale, std::fabs(b[i]));
  }
  e.relative = scale > 0 ? e.largest / scale : e.largest;
  e.elements = a.size();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(b[i]) && std::isnan(a[i])) continue;
    e.apart += std::fabs(a[i] - b[i]) <= 1e-3 * scale ? 0 : 1;
  }
  return e;
}

struct Reference {
  std::optional<formats::SafetensorsFile> file;
  std::map<std::string, double> values;
  std::map<std::string, Tensor> inputs;
  std::vector<Tensor> outputs;
};

Reference open_reference(const std::filesystem::path& path) {
  Reference r;
  r.file = formats::SafetensorsFile::open(path);
  const auto& metadata = r.file->metadata();
  if (const auto it = metadata.find("values"); it != metadata.end()) {
    const Json values = parse_json(it->second, path.string());
    for (const auto& [name, value] : values.items()) {
      if (value.is_number()) r.values[name] = value.get<double>();
    }
  }
  for (const auto& [name, info] : r.file->tensors()) {
    if (name.starts_with("input:")) r.inputs[name.substr(6)] = read(info);
  }
  while (const auto* info = r.file->find(fmt::format("output:{}", r.outputs.size()))) r.outputs.push_back(read(*info));
  return r;
}

// Both sides beside exact arithmetic, by the reference's own sizes.
void weigh(CheckResult& result, const Import& in, const std::vector<Tensor>& inputs, const std::vector<Tensor>& ours,
           const Reference& theirs, Executor& exact) {
  const std::vector<Tensor> truth = (*exact.compile(in.graph, in.weights, {}))(inputs);
  double mine = 0, other = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    mine = std::max(mine, compare("", ours[i], truth[i]).relative);
    other = std::max(other, compare("", theirs.outputs[i], truth[i]).relative);
  }
  result.ours_from_exact = mine;
  result.theirs_from_exact = other;
}

void run(CheckResult& result, const Model& model, const std::optional<Reference>& reference, Executor& executor,
         ImportOptions options, Executor* exact, double tolerance) {
  if (reference) {
    for (const auto& [name, value] : reference->values) options.values.emplace(name, value);
    for (const auto& [name, tensor] : reference->inputs) options.shapes.emplace(name, tensor.shape());
  }
  Import in = import_model(model, options);
  result.notes = in.notes;
  if (in.stopped) {
    result.reason = *in.stopped;
    return;
  }
  result.imported = true;
  result.nodes = in.graph.nodes.size();
  auto start = Clock::now();
  const auto program = executor.compile(in.graph, in.weights, {});
  result.compile_seconds = seconds_since(start);
  std::vector<Tensor> inputs;
  for (const ValueId v : in.graph.inputs) {
    const graph::Value& value = in.graph.value(v);
    const auto found = reference ? reference->inputs.find(value.name) : std::map<std::string, Tensor>::const_iterator{};
    if (reference && found == reference->inputs.end()) {
      fail(ErrorKind::bad_input, "the reference has no input '{}'", value.name);
    }
    inputs.push_back(reference ? as_input(found->second, value.type) : Tensor(value.type));
  }
  start = Clock::now();
  const std::vector<Tensor> outputs = (*program)(inputs);
  result.run_seconds = seconds_since(start);
  result.ran = true;
  if (!reference) return;
  if (outputs.size() != reference->outputs.size()) {
    fail(ErrorKind::bad_input, "{} outputs, the reference has {}", outputs.size(), reference->outputs.size());
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    result.outputs.push_back(compare(in.graph.outputs[i].name, outputs[i], reference->outputs[i]));
  }
  if (exact != nullptr && !(result.worst() <= tolerance)) weigh(result, in, inputs, outputs, *reference, *exact);
}

}  // namespace

double CheckResult::worst() const {
  double out = 0;
  for (const OutputError& o : outputs) out = std::max(out, o.relative);
  return out;
}

CheckResult check_model(const std::filesystem::path& path, const std::filesystem::path& references, Executor& executor,
                        const ImportOptions& options, Executor* exact, double tolerance) {
  CheckResult result;
  result.path = path.string();
  try {
    const Model model = open_model(path);
    result.parsed = true;
    result.format = model.format;
    std::optional<Reference> reference;
    if (!references.empty()) {
      const std::string digest = sha256(MappedFile::open(path)->bytes());
      const std::filesystem::path file = references / (digest.substr(0, 16) + ".safetensors");
      if (std::filesystem::exists(file)) {
        reference = open_reference(file);
        const auto& metadata = reference->file->metadata();
        if (const auto it = metadata.find("runtime"); it != metadata.end()) result.runtime = it->second;
      } else {
        result.reason = "no reference";
      }
    }
    if (reference && reference->outputs.empty()) {
      const auto& metadata = reference->file->metadata();
      const auto it = metadata.find("refused");
      result.reason = it == metadata.end() ? "the reference has no outputs" : "refused by its runtime: " + it->second;
      reference.reset();
    }
    run(result, model, reference, executor, options, exact, tolerance);
  } catch (const Error& e) {
    result.reason = e.what();
  }
  return result;
}

}  // namespace thimble::gauge
