// TensorFlow Lite through its C library (libtensorflowlite_c.so). The declarations are what its documented interface
// promises: opaque handles and plain numbers. With the XNNPACK delegate when the library has it.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "gauge/bench/backend.h"
#include "gauge/bench/shared_library.h"

namespace thimble::gauge {
namespace {

struct TfModel;
struct TfOptions;
struct TfInterpreter;
struct TfTensor;
struct TfDelegate;
using Reporter = void(void* user, const char* format, va_list args);

struct Api {
  explicit Api(const std::string& path) : library(path) {
    library.get(version, "TfLiteVersion");
    library.get(model_create, "TfLiteModelCreate");
    library.get(model_delete, "TfLiteModelDelete");
    library.get(options_create, "TfLiteInterpreterOptionsCreate");
    library.get(options_delete, "TfLiteInterpreterOptionsDelete");
    library.get(options_threads, "TfLiteInterpreterOptionsSetNumThreads");
    library.get(options_reporter, "TfLiteInterpreterOptionsSetErrorReporter");
    library.get(create, "TfLiteInterpreterCreate");
    library.get(destroy, "TfLiteInterpreterDelete");
    library.get(input_count, "TfLiteInterpreterGetInputTensorCount");
    library.get(input, "TfLiteInterpreterGetInputTensor");
    library.get(output_count, "TfLiteInterpreterGetOutputTensorCount");
    library.get(output, "TfLiteInterpreterGetOutputTensor");
    library.get(resize, "TfLiteInterpreterResizeInputTensor");
    library.get(allocate, "TfLiteInterpreterAllocateTensors");
    library.get(invoke, "TfLiteInterpreterInvoke");
    library.get(rank, "TfLiteTensorNumDims");
    library.get(dim, "TfLiteTensorDim");
    library.get(byte_size, "TfLiteTensorByteSize");
    library.get(tensor_name, "TfLiteTensorName");
    library.get(copy_in, "TfLiteTensorCopyFromBuffer");
    library.get(copy_out, "TfLiteTensorCopyToBuffer");
    if (library.has("TfLiteXNNPackDelegateCreate")) {
      library.get(delegate_create, "TfLiteXNNPackDelegateCreate");
      library.get(delegate_delete, "TfLiteXNNPackDelegateDelete");
      library.get(add_delegate, "TfLiteInterpreterOptionsAddDelegate");
    }
  }
  SharedLibrary library;
  const char* (*version)() = nullptr;
  TfModel* (*model_create)(const void*, std::size_t) = nullptr;
  void (*model_delete)(TfModel*) = nullptr;
  TfOptions* (*options_create)() = nullptr;
  void (*options_delete)(TfOptions*) = nullptr;
  void (*options_threads)(TfOptions*, std::int32_t) = nullptr;
  void (*options_reporter)(TfOptions*, Reporter*, void*) = nullptr;
  void (*add_delegate)(TfOptions*, TfDelegate*) = nullptr;
  TfInterpreter* (*create)(const TfModel*, const TfOptions*) = nullptr;
  void (*destroy)(TfInterpreter*) = nullptr;
  std::int32_t (*input_count)(const TfInterpreter*) = nullptr;
  TfTensor* (*input)(const TfInterpreter*, std::int32_t) = nullptr;
  std::int32_t (*output_count)(const TfInterpreter*) = nullptr;
  const TfTensor* (*output)(const TfInterpreter*, std::int32_t) = nullptr;
  int (*resize)(TfInterpreter*, std::int32_t, const int*, std::int32_t) = nullptr;
  int (*allocate)(TfInterpreter*) = nullptr;
  int (*invoke)(TfInterpreter*) = nullptr;
  std::int32_t (*rank)(const TfTensor*) = nullptr;
  std::int32_t (*dim)(const TfTensor*, std::int32_t) = nullptr;
  std::size_t (*byte_size)(const TfTensor*) = nullptr;
  const char* (*tensor_name)(const TfTensor*) = nullptr;
  int (*copy_in)(TfTensor*, const void*, std::size_t) = nullptr;
  int (*copy_out)(const TfTensor*, void*, std::size_t) = nullptr;
  TfDelegate* (*delegate_create)(const void* options) = nullptr;
  void (*delegate_delete)(TfDelegate*) = nullptr;
};

// The last message is kept: it says which operator stopped a model.
void remember(void* user, const char* format, va_list args) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, args);
  *static_cast<std::string*>(user) = text;
}

class TfliteSession : public Session {
 public:
  TfliteSession(std::shared_ptr<Api> api, const BenchModel& model, int threads) : api_(std::move(api)), from_(model) {
    model_ = api_->model_create(model.model.content.data(), model.model.content.size());
    if (model_ == nullptr) fail(ErrorKind::unsupported, "tflite does not take the file: {}", said_);
    options_ = api_->options_create();
    api_->options_threads(options_, threads);
    api_->options_reporter(options_, remember, &said_);
    if (api_->delegate_create != nullptr) {
      // Its options begin with the number of threads; zeros are the defaults of what follows, in every version.
      alignas(16) std::int32_t delegate_options[64] = {threads};
      delegate_ = api_->delegate_create(delegate_options);
      if (delegate_ != nullptr) api_->add_delegate(options_, delegate_);
    }
    interpreter_ = api_->create(model_, options_);
    if (interpreter_ == nullptr) fail(ErrorKind::unsupported, "tflite refuses the model: {}", said_);
    const std::int32_t inputs = api_->input_count(interpreter_);
    if (inputs != std::ssize(model.inputs)) fail(ErrorKind::unsupported, "tflite sees {} inputs", inputs);
    for (std::int32_t i = 0; i < inputs; ++i) fit(i);
    must(api_->allocate(interpreter_), "allocating tensors");
    for (std::int32_t i = 0; i < inputs; ++i) {
      const BenchPort& p = model.inputs[static_cast<std::size_t>(i)];
      must(api_->copy_in(api_->input(interpreter_, i), p.bytes.data(), p.bytes.size()), "setting " + p.name);
    }
  }
  ~TfliteSession() override {
    if (interpreter_ != nullptr) api_->destroy(interpreter_);
    if (delegate_ != nullptr) api_->delegate_delete(delegate_);
    if (options_ != nullptr) api_->options_delete(options_);
    if (model_ != nullptr) api_->model_delete(model_);
  }
  void run() override { must(api_->invoke(interpreter_), "running"); }
  std::vector<graph::Tensor> outputs() const override {
    std::vector<graph::Tensor> out;
    const ModelGraph& g = from_.model.graphs[0];
    for (std::int32_t i = 0; i < api_->output_count(interpreter_); ++i) {
      const TfTensor* t = api_->output(interpreter_, i);
      graph::Shape shape;
      for (std::int32_t a = 0; a < api_->rank(t); ++a) shape.push_back(api_->dim(t, a));
      std::vector<std::byte> bytes(api_->byte_size(t));
      if (api_->copy_out(t, bytes.data(), bytes.size()) != 0) {
        fail(ErrorKind::unsupported, "tflite gives no output {}", i);
      }
      const auto id = static_cast<std::size_t>(g.outputs.at(static_cast<std::size_t>(i)));
      out.push_back(to_tensor(output_port(g.tensors.at(id), shape, std::move(bytes))));
    }
    return out;
  }

 private:
  void must(int status, const std::string& what) const {
    if (status != 0) fail(ErrorKind::unsupported, "tflite fails while {}: {}", what, said_);
  }
  // Another size than the file's is asked for.
  void fit(std::int32_t i) {
    const BenchPort& p = from_.inputs[static_cast<std::size_t>(i)];
    const TfTensor* t = api_->input(interpreter_, i);
    bool same = api_->rank(t) == std::ssize(p.shape);
    for (std::int32_t a = 0; same && a < api_->rank(t); ++a) {
      same = api_->dim(t, a) == p.shape[static_cast<std::size_t>(a)];
    }
    if (same) return;
    const std::vector<int> dims(p.shape.begin(), p.shape.end());
    must(api_->resize(interpreter_, i, dims.data(), static_cast<std::int32_t>(dims.size())), "resizing " + p.name);
  }

  std::shared_ptr<Api> api_;
  const BenchModel& from_;
  std::string said_;
  TfModel* model_ = nullptr;
  TfOptions* options_ = nullptr;
  TfDelegate* delegate_ = nullptr;
  TfInterpreter* interpreter_ = nullptr;
};

class TfliteBackend : public Backend {
 public:
  explicit TfliteBackend(const std::string& path) : api_(std::make_shared<Api>(path)) {}
  std::string name() const override { return "tflite"; }
  std::string version() const override { return api_->version(); }
  std::string refuses(const BenchModel& model) const override {
    return model.model.format == "tflite" ? "" : "tflite runs TFLite models alone";
  }
  std::unique_ptr<Session> open(const BenchModel& model, int threads) override {
    return std::make_unique<TfliteSession>(api_, model, threads);
  }

 private:
  std::shared_ptr<Api> api_;
};

}  // namespace

std::unique_ptr<Backend> make_tflite_backend(const std::string& path) { return std::make_unique<TfliteBackend>(path); }

}  // namespace thimble::gauge
