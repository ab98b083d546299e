// The list of runtimes, the model that they share, and Thimble's own.
#include <algorithm>
#include <cstdlib>

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "gauge/bench/backend.h"
#include "gauge/bench/shared_library.h"
#include "graph/cost.h"
#include "passes/recognise.h"
#include "runtime/device.h"

namespace thimble::gauge {

using namespace graph;

namespace {

class ThimbleSession : public Session {
 public:
  ThimbleSession(const BenchModel& model, int threads)
      : executor_(runtime::make_device_executor({.threads = threads})) {
    const Import& in = *model.import;
    program_ = executor_->compile(in.graph, in.weights, {});
    for (const ValueId v : in.graph.inputs) {
      const auto port = std::ranges::find(model.inputs, in.graph.value(v).name, &BenchPort::name);
      check(port != model.inputs.end(), "an input of the graph is none of the model");
      inputs_.push_back(to_tensor(*port));
    }
    for (const TensorType& t : program_->output_types()) outputs_.emplace_back(t);
    for (const Tensor& t : inputs_) in_.push_back(t.view());
    for (Tensor& t : outputs_) out_.push_back(t.mutable_view());
  }
  void run() override { program_->run(in_, out_, &interrupt_token()); }
  std::vector<Tensor> outputs() const override {
    std::vector<Tensor> out;  // copies: the next run writes to the same buffers
    for (const Tensor& t : outputs_) {
      out.emplace_back(t.type());
      std::copy_n(t.data(), t.type().bytes(), out.back().mutable_data());
    }
    return out;
  }
  std::size_t planned_bytes() const override { return program_->memory().peak_bytes(); }

 private:
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Program> program_;
  std::vector<Tensor> inputs_, outputs_;
  std::vector<TensorView> in_;
  std::vector<MutableTensorView> out_;
};

class ThimbleBackend : public Backend {
 public:
  std::string name() const override { return "thimble"; }
  std::string version() const override { return std::string(to_string(best_isa())); }
  std::string refuses(const BenchModel& model) const override { return model.import ? "" : model.not_imported; }
  std::unique_ptr<Session> open(const BenchModel& model, int threads) override {
    return std::make_unique<ThimbleSession>(model, threads);
  }
};

const char* variable_of(const std::string& name) {
  if (name == "tflite") return "THIMBLE_TFLITE";
  if (name == "onnxruntime") return "THIMBLE_ONNXRUNTIME";
  return "THIMBLE_NCNN";
}

}  // namespace

BenchModel open_bench_model(const std::filesystem::path& path, const ImportOptions& options) {
  BenchModel m;
  m.path = path;
  const auto file = MappedFile::open(path);
  m.sha256 = sha256(file->bytes());
  m.model = read_model(file->bytes(), path.string(), file);
  try {
    Import in = import_model(m.model, options);
    if (in.stopped) {
      m.not_imported = *in.stopped;
    } else {
      m.flops = graph::cost(in.graph).flops;
      in.graph = passes::recognise(in.graph, in.weights);
      m.import = std::move(in);
    }
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::unsupported) throw;
    m.not_imported = e.what();
  }
  m.inputs = draw_inputs(m.model, options, m.import ? &*m.import : nullptr);
  return m;
}

std::unique_ptr<Backend> make_thimble_backend() { return std::make_unique<ThimbleBackend>(); }

std::string library_of(const std::string& name) {
  const char* path = name == "thimble" ? nullptr : std::getenv(variable_of(name));
  return path != nullptr ? path : "";
}

std::unique_ptr<Backend> make_backend(const std::string& name, const std::string& library) {
  if (name == "thimble") return make_thimble_backend();
  if (std::ranges::find(kBackendNames, name) == std::end(kBackendNames)) {
    fail(ErrorKind::bad_input, "backends are thimble, tflite, onnxruntime and ncnn; '{}' came", name);
  }
  const std::string path = library.empty() ? library_of(name) : library;
  if (path.empty()) {
    fail(ErrorKind::bad_input, "{}: no library named; say --library {}=PATH or set {}", name, name, variable_of(name));
  }
  if (name == "onnxruntime") return make_onnxruntime_backend(path);
  if (name == "ncnn") return make_ncnn_backend(path);
  return SharedLibrary(path).has("TfLiteInterpreterCreate") ? make_tflite_backend(path) : make_litert_backend(path);
}

}  // namespace thimble::gauge
