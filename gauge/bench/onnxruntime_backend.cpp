// ONNX Runtime through its C interface: one table of functions in an order that later versions only append to. The
// places below are those of the documented table; functions that are not needed are left unnamed.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "gauge/bench/backend.h"
#include "gauge/bench/shared_library.h"

namespace thimble::gauge {
namespace {

using Handle = void*;

enum Place : std::size_t {
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSessionFromArray = 8,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetGraphOptimization = 23,
  kSetIntraThreads = 24,
  kSetInterThreads = 25,
  kCreateTensorWithData = 49,
  kGetTensorData = 51,
  kGetElementType = 60,
  kGetRank = 61,
  kGetSizes = 62,
  kGetTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kReleaseEnv = 92,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseTypeAndShape = 99,
  kReleaseSessionOptions = 100,
};
constexpr std::uint32_t kOldestVersion = 11;  // of the table; every library since 1.11 has it
constexpr int kAllOptimizations = 99, kDeviceAllocator = 0, kDefaultMemory = 0, kErrorsOnly = 3;

struct Base {
  const void* const* (*table)(std::uint32_t version);
  const char* (*version)();
};

struct OrtElement {
  std::string_view name;
  int code;
};
constexpr OrtElement kElements[] = {{"f32", 1}, {"u8", 2},   {"i8", 3},   {"i32", 6},
                                    {"i64", 7}, {"bool", 9}, {"f16", 10}, {"f64", 11}};

struct Api {
  explicit Api(const std::string& path) : library(path) {
    const Base* (*base)() = nullptr;
    library.get(base, "OrtGetApiBase");
    version = base()->version();
    table = base()->table(kOldestVersion);
    if (table == nullptr) fail(ErrorKind::unsupported, "{}: ONNX Runtime {} is too old", path, version);
  }
  template <class... Args>
  void call(Place place, std::string_view what, Args... args) const {
    using Function = Handle (*)(Args...);
    Handle status = reinterpret_cast<Function>(const_cast<void*>(table[place]))(args...);
    if (status == nullptr) return;
    std::string message = reinterpret_cast<const char* (*)(Handle)>(const_cast<void*>(table[kGetErrorMessage]))(status);
    release(kReleaseStatus, status);
    std::ranges::replace(message, '\n', ' ');
    fail(ErrorKind::unsupported, "onnxruntime fails while {}: {}", what, message);
  }
  void release(Place place, Handle object) const {
    if (object != nullptr) reinterpret_cast<void (*)(Handle)>(const_cast<void*>(table[place]))(object);
  }
  SharedLibrary library;
  std::string version;
  const void* const* table = nullptr;
};

class OrtSession : public Session {
 public:
  OrtSession(std::shared_ptr<Api> api, Handle environment, const BenchModel& model, int threads)
      : api_(std::move(api)), from_(model), output_names_(output_names(model.model)) {
    try {
      open(environment, threads);
    } catch (...) {
      close();
      throw;
    }
  }
  ~OrtSession() override { close(); }

  // Outputs are allocated by the run, as programs that use the library have it.
  void run() override {
    release_results();
    api_->call(kRun, "running", session_, Handle{nullptr}, input_pointers_.data(), inputs_.data(), inputs_.size(),
               output_pointers_.data(), output_pointers_.size(), results_.data());
  }

  std::vector<graph::Tensor> outputs() const override {
    std::vector<graph::Tensor> out;
    const ModelGraph& g = from_.model.graphs[0];
    for (std::size_t i = 0; i < results_.size(); ++i) {
      Handle info = nullptr;
      void* data = nullptr;
      std::size_t rank = 0;
      int code = 0;
      api_->call(kGetTypeAndShape, "reading an output", results_[i], &info);
      api_->call(kGetElementType, "reading an output", info, &code);
      api_->call(kGetRank, "reading an output", info, &rank);
      graph::Shape shape(rank);
      api_->call(kGetSizes, "reading an output", info, shape.data(), rank);
      api_->release(kReleaseTypeAndShape, info);
      api_->call(kGetTensorData, "reading an output", results_[i], &data);
      ModelTensor tensor = g.tensors.at(static_cast<std::size_t>(g.outputs[i]));
      const auto element = std::ranges::find(kElements, code, &OrtElement::code);
      if (element == std::end(kElements)) fail(ErrorKind::unsupported, "onnxruntime gives elements of type {}", code);
      tensor.type = {element->name, 0, dtype_from_string(element->name)};
      tensor.type.bits = static_cast<int>(8 * size_of(*tensor.type.dtype));
      const std::size_t size = static_cast<std::size_t>(graph::element_count(shape)) * size_of(*tensor.type.dtype);
      std::vector<std::byte> bytes(size);
      std::memcpy(bytes.data(), data, size);
      out.push_back(to_tensor(output_port(tensor, shape, std::move(bytes))));
    }
    return out;
  }

 private:
  void open(Handle environment, int threads) {
    api_->call(kCreateSessionOptions, "making options", &options_);
    api_->call(kSetIntraThreads, "making options", options_, threads);
    api_->call(kSetInterThreads, "making options", options_, 1);
    api_->call(kSetGraphOptimization, "making options", options_, kAllOptimizations);
    const Bytes content = from_.model.content;
    api_->call(kCreateSessionFromArray, "reading the model", environment, static_cast<const void*>(content.data()),
               content.size(), options_, &session_);
    api_->call(kCreateCpuMemoryInfo, "making inputs", kDeviceAllocator, kDefaultMemory, &memory_);
    for (const BenchPort& p : from_.inputs) {
      const auto element = std::ranges::find(kElements, p.type.name, &OrtElement::name);
      if (element == std::end(kElements)) fail(ErrorKind::unsupported, "'{}' is {}", p.name, p.type.name);
      Handle value = nullptr;
      api_->call(kCreateTensorWithData, "making inputs", memory_,
                 static_cast<void*>(const_cast<std::byte*>(p.bytes.data())), p.bytes.size(), p.shape.data(),
                 p.shape.size(), element->code, &value);
      inputs_.push_back(value);
      input_pointers_.push_back(p.name.c_str());
    }
    for (const std::string& name : output_names_) output_pointers_.push_back(name.c_str());
    results_.resize(output_names_.size());
  }

  void release_results() {
    for (Handle& r : results_) {
      api_->release(kReleaseValue, r);
      r = nullptr;
    }
  }

  void close() {
    release_results();
    for (Handle v : inputs_) api_->release(kReleaseValue, v);
    api_->release(kReleaseMemoryInfo, memory_);
    api_->release(kReleaseSession, session_);
    api_->release(kReleaseSessionOptions, options_);
  }

  std::shared_ptr<Api> api_;
  const BenchModel& from_;
  std::vector<std::string> output_names_;
  Handle options_ = nullptr, session_ = nullptr, memory_ = nullptr;
  std::vector<Handle> inputs_, results_;
  std::vector<const char*> input_pointers_, output_pointers_;
};

class OrtBackend : public Backend {
 public:
  explicit OrtBackend(const std::string& path) : api_(std::make_shared<Api>(path)) {
    api_->call(kCreateEnv, "starting", kErrorsOnly, "thimble", &environment_);
  }
  ~OrtBackend() override { api_->release(kReleaseEnv, environment_); }
  std::string name() const override { return "onnxruntime"; }
  std::string version() const override { return api_->version; }
  std::string refuses(const BenchModel& model) const override {
    return model.model.format == "onnx" ? "" : "onnxruntime runs ONNX models alone";
  }
  std::unique_ptr<Session> open(const BenchModel& model, int threads) override {
    return std::make_unique<OrtSession>(api_, environment_, model, threads);
  }

 private:
  std::shared_ptr<Api> api_;
  Handle environment_ = nullptr;
};

}  // namespace

std::unique_ptr<Backend> make_onnxruntime_backend(const std::string& path) {
  return std::make_unique<OrtBackend>(path);
}

}  // namespace thimble::gauge
