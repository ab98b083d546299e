// A runtime that models are benchmarked on. Thimble's own is always there; TensorFlow Lite, ONNX Runtime and ncnn are
// shared libraries that are loaded when asked for, through their C interfaces.
//
//   tflite       libtensorflowlite_c.so (TfLiteInterpreter...), or libLiteRt.so (LiteRtCompiledModel...)
//   onnxruntime  libonnxruntime.so (OrtGetApiBase)
//   ncnn         libncnn.so built with its C interface (ncnn_net_...)
// Where they lie is an argument, or the environment: THIMBLE_TFLITE, THIMBLE_ONNXRUNTIME, THIMBLE_NCNN.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gauge/bench/ports.h"

namespace thimble::gauge {

// What is benchmarked, read once for all runtimes.
struct BenchModel {
  std::filesystem::path path;
  Model model;  // without graphs for formats that only their own runtime reads
  std::string sha256;
  std::optional<Import> import;   // absent when it is no format that is imported
  std::string not_imported;       // why
  double flops = 0;               // of the import, before it is made faster
  std::vector<BenchPort> inputs;  // drawn
};
BenchModel open_bench_model(const std::filesystem::path& path, const ImportOptions& options);

// A model in a runtime's hands.
class Session {
 public:
  virtual ~Session() = default;
  virtual void run() = 0;                                  // on the model's inputs
  virtual std::vector<graph::Tensor> outputs() const = 0;  // of the last run, in the model's order
  virtual std::size_t planned_bytes() const { return 0; }  // what the runtime itself says it needs; 0: nothing
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;     // "tflite"
  virtual std::string version() const = 0;  // "2.9.0", or "unknown" where the library does not say
  // Why it does not take such a model; empty when it does.
  virtual std::string refuses(const BenchModel& model) const = 0;
  // Fails with the runtime's own words where it has any.
  virtual std::unique_ptr<Session> open(const BenchModel& model, int threads) = 0;
};

std::unique_ptr<Backend> make_thimble_backend();
// Each loads the library of `path`; `unsupported` when it has not what is called.
std::unique_ptr<Backend> make_tflite_backend(const std::string& path);
std::unique_ptr<Backend> make_litert_backend(const std::string& path);
std::unique_ptr<Backend> make_onnxruntime_backend(const std::string& path);
std::unique_ptr<Backend> make_ncnn_backend(const std::string& path);

// By name; `library` empty: the environment's. bad_input for other names and where no library is named.
std::unique_ptr<Backend> make_backend(const std::string& name, const std::string& library);
// Empty when nothing is named; then make_backend would fail.
std::string library_of(const std::string& name);
inline constexpr const char* kBackendNames[] = {"thimble", "tflite", "onnxruntime", "ncnn"};

}  // namespace thimble::gauge
