// TensorFlow Lite under its later name, through the C interface of libLiteRt.so: a model is compiled for the processor,
// which means the XNNPACK delegate, and runs on buffers that the library manages.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "gauge/bench/backend.h"
#include "gauge/bench/shared_library.h"

namespace thimble::gauge {
namespace {

using Handle = void*;
using Status = int;  // 0 is well

struct Layout {  // of a tensor: its rank in the low seven bits
  std::uint32_t rank_and_flags = 0;
  std::int32_t sizes[8] = {};
  std::uint32_t strides[8] = {};
  std::size_t rank() const { return rank_and_flags & 127u; }
};
struct TensorKind {
  std::int32_t element = 0;
  Layout layout;
};
static_assert(sizeof(TensorKind) == 72);
enum LockMode : int { kRead = 0, kWrite = 1 };
constexpr int kProcessor = 1;  // accelerators are bits; the processor is the first

struct Api {
  explicit Api(const std::string& path) : library(path) {
    library.get(create_environment, "LiteRtCreateEnvironment");
    library.get(destroy_environment, "LiteRtDestroyEnvironment");
    library.get(model_from_buffer, "LiteRtCreateModelFromBuffer");
    library.get(destroy_model, "LiteRtDestroyModel");
    library.get(create_options, "LiteRtCreateOptions");
    library.get(destroy_options, "LiteRtDestroyOptions");
    library.get(set_accelerators, "LiteRtSetOptionsHardwareAccelerators");
    library.get(create_opaque, "LiteRtCreateOpaqueOptions");
    library.get(add_opaque, "LiteRtAddOpaqueOptions");
    library.get(compile, "LiteRtCreateCompiledModel");
    library.get(destroy_compiled, "LiteRtDestroyCompiledModel");
    library.get(resize, "LiteRtCompiledModelResizeInputTensorNonStrict");
    library.get(input_requirements, "LiteRtGetCompiledModelInputBufferRequirements");
    library.get(output_requirements, "LiteRtGetCompiledModelOutputBufferRequirements");
    library.get(input_layout, "LiteRtGetCompiledModelInputTensorLayout");
    library.get(output_layouts, "LiteRtGetCompiledModelOutputTensorLayouts");
    library.get(run, "LiteRtRunCompiledModel");
    library.get(signature, "LiteRtGetModelSignature");
    library.get(input_count, "LiteRtGetNumSignatureInputs");
    library.get(output_count, "LiteRtGetNumSignatureOutputs");
    library.get(input_tensor, "LiteRtGetSignatureInputTensorByIndex");
    library.get(output_tensor, "LiteRtGetSignatureOutputTensorByIndex");
    library.get(tensor_name, "LiteRtGetTensorName");
    library.get(tensor_kind, "LiteRtGetRankedTensorType");
    library.get(create_buffer, "LiteRtCreateManagedTensorBufferFromRequirements");
    library.get(destroy_buffer, "LiteRtDestroyTensorBuffer");
    library.get(packed_size, "LiteRtGetTensorBufferPackedSize");
    library.get(lock, "LiteRtLockTensorBuffer");
    library.get(unlock, "LiteRtUnlockTensorBuffer");
  }
  SharedLibrary library;
  Status (*create_environment)(int, const void*, Handle*) = nullptr;
  void (*destroy_environment)(Handle) = nullptr;
  Status (*model_from_buffer)(Handle environment, const void*, std::size_t, Handle*) = nullptr;
  void (*destroy_model)(Handle) = nullptr;
  Status (*create_options)(Handle*) = nullptr;
  void (*destroy_options)(Handle) = nullptr;
  Status (*set_accelerators)(Handle, int) = nullptr;
  Status (*create_opaque)(const char*, void*, void (*)(void*), Handle*) = nullptr;
  Status (*add_opaque)(Handle, Handle) = nullptr;
  Status (*compile)(Handle environment, Handle model, Handle options, Handle*) = nullptr;
  void (*destroy_compiled)(Handle) = nullptr;
  Status (*resize)(Handle, std::size_t, std::size_t, const int*, std::size_t) = nullptr;
  Status (*input_requirements)(Handle, std::size_t, std::size_t, Handle*) = nullptr;
  Status (*output_requirements)(Handle, std::size_t, std::size_t, Handle*) = nullptr;
  Status (*input_layout)(Handle, std::size_t, std::size_t, Layout*) = nullptr;
  Status (*output_layouts)(Handle, std::size_t, std::size_t, Layout*, bool) = nullptr;
  Status (*run)(Handle, std::size_t, std::size_t, Handle*, std::size_t, Handle*) = nullptr;
  Status (*signature)(Handle model, std::size_t, Handle*) = nullptr;
  Status (*input_count)(Handle, std::size_t*) = nullptr;
  Status (*output_count)(Handle, std::size_t*) = nullptr;
  Status (*input_tensor)(Handle, std::size_t, Handle*) = nullptr;
  Status (*output_tensor)(Handle, std::size_t, Handle*) = nullptr;
  Status (*tensor_name)(Handle, const char**) = nullptr;
  Status (*tensor_kind)(Handle, TensorKind*) = nullptr;
  Status (*create_buffer)(Handle environment, const TensorKind*, Handle requirements, Handle*) = nullptr;
  void (*destroy_buffer)(Handle) = nullptr;
  Status (*packed_size)(Handle, std::size_t*) = nullptr;
  Status (*lock)(Handle, void**, LockMode) = nullptr;
  Status (*unlock)(Handle) = nullptr;
};

void must(Status status, std::string_view what) {
  if (status != 0) fail(ErrorKind::unsupported, "LiteRT fails while {} (status {})", what, status);
}

class LitertSession : public Session {
 public:
  LitertSession(std::shared_ptr<Api> api, Handle environment, const BenchModel& model, int threads)
      : api_(std::move(api)), environment_(environment), from_(model) {
    try {
      open(threads);
    } catch (...) {
      close();
      throw;
    }
  }
  ~LitertSession() override { close(); }

  void run() override {
    must(api_->run(compiled_, 0, inputs_.size(), inputs_.data(), outputs_.size(), outputs_.data()), "running");
  }

  std::vector<graph::Tensor> outputs() const override {
    const ModelGraph& g = from_.model.graphs[0];
    std::vector<graph::Tensor> out(g.outputs.size());
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      std::size_t size = 0;
      void* data = nullptr;
      must(api_->packed_size(outputs_[i], &size), "reading an output");
      must(api_->lock(outputs_[i], &data, kRead), "reading an output");
      std::vector<std::byte> bytes(size);
      std::memcpy(bytes.data(), data, size);
      must(api_->unlock(outputs_[i]), "reading an output");
      const std::size_t at = output_place_[i];
      const auto& tensor = g.tensors.at(static_cast<std::size_t>(g.outputs.at(at)));
      out[at] = to_tensor(output_port(tensor, output_shapes_[i], std::move(bytes)));
    }
    return out;
  }

 private:
  void open(int threads) {
    const Bytes content = from_.model.content;
    must(api_->model_from_buffer(environment_, content.data(), content.size(), &model_), "reading the model");
    Handle options = nullptr, opaque = nullptr;
    must(api_->create_options(&options), "making options");
    options_ = options;
    must(api_->set_accelerators(options_, kProcessor), "choosing the processor");
    const std::string text = fmt::format("num_threads = {}\n", threads);
    char* payload = new char[text.size() + 1];
    std::memcpy(payload, text.c_str(), text.size() + 1);
    must(api_->create_opaque(
             "xnnpack", payload, [](void* p) { delete[] static_cast<char*>(p); }, &opaque),
         "making options");
    must(api_->add_opaque(options_, opaque), "making options");
    must(api_->compile(environment_, model_, options_, &compiled_), "compiling");

    Handle signature = nullptr;
    std::size_t inputs = 0, outputs = 0;
    must(api_->signature(model_, 0, &signature), "finding the signature");
    must(api_->input_count(signature, &inputs), "counting inputs");
    must(api_->output_count(signature, &outputs), "counting outputs");
    for (std::size_t i = 0; i < inputs; ++i) add_input(signature, i);
    std::vector<Layout> layouts(outputs);
    must(api_->output_layouts(compiled_, 0, outputs, layouts.data(), true), "asking for outputs");
    for (std::size_t i = 0; i < outputs; ++i) add_output(signature, i, layouts[i]);
  }

  // Signatures have an order of their own; tensors keep their names.
  void add_input(Handle signature, std::size_t i) {
    Handle tensor = nullptr, requirements = nullptr, buffer = nullptr;
    const char* name = nullptr;
    TensorKind kind;
    must(api_->input_tensor(signature, i, &tensor), "finding an input");
    must(api_->tensor_name(tensor, &name), "finding an input");
    must(api_->tensor_kind(tensor, &kind), "finding an input");
    const auto port = std::ranges::find(from_.inputs, std::string(name), &BenchPort::name);
    if (port == from_.inputs.end()) fail(ErrorKind::unsupported, "LiteRT has an input '{}' more", name);
    Layout layout;
    must(api_->input_layout(compiled_, 0, i, &layout), "asking for an input");
    const graph::Shape has(layout.sizes, layout.sizes + layout.rank());
    if (has != port->shape) {
      const std::vector<int> sizes(port->shape.begin(), port->shape.end());
      must(api_->resize(compiled_, 0, i, sizes.data(), sizes.size()), "resizing an input");
    }
    kind.layout.rank_and_flags = static_cast<std::uint32_t>(port->shape.size());
    std::ranges::copy(port->shape, kind.layout.sizes);
    must(api_->input_requirements(compiled_, 0, i, &requirements), "asking for an input");
    must(api_->create_buffer(environment_, &kind, requirements, &buffer), "making an input");
    inputs_.push_back(buffer);
    void* data = nullptr;
    must(api_->lock(buffer, &data, kWrite), "setting an input");
    std::memcpy(data, port->bytes.data(), port->bytes.size());
    must(api_->unlock(buffer), "setting an input");
  }

  void add_output(Handle signature, std::size_t i, const Layout& layout) {
    Handle tensor = nullptr, requirements = nullptr, buffer = nullptr;
    const char* name = nullptr;
    TensorKind kind;
    must(api_->output_tensor(signature, i, &tensor), "finding an output");
    must(api_->tensor_name(tensor, &name), "finding an output");
    must(api_->tensor_kind(tensor, &kind), "finding an output");
    kind.layout = layout;
    must(api_->output_requirements(compiled_, 0, i, &requirements), "asking for an output");
    must(api_->create_buffer(environment_, &kind, requirements, &buffer), "making an output");
    outputs_.push_back(buffer);
    output_shapes_.emplace_back(layout.sizes, layout.sizes + layout.rank());
    const auto names = output_names(from_.model);
    const auto found = std::ranges::find(names, std::string(name));
    if (found == names.end()) fail(ErrorKind::unsupported, "LiteRT has an output '{}' more", name);
    output_place_.push_back(static_cast<std::size_t>(found - names.begin()));
  }

  void close() {
    for (Handle b : inputs_) api_->destroy_buffer(b);
    for (Handle b : outputs_) api_->destroy_buffer(b);
    if (compiled_ != nullptr) api_->destroy_compiled(compiled_);
    if (options_ != nullptr) api_->destroy_options(options_);
    if (model_ != nullptr) api_->destroy_model(model_);
  }

  std::shared_ptr<Api> api_;
  Handle environment_;
  const BenchModel& from_;
  Handle model_ = nullptr, options_ = nullptr, compiled_ = nullptr;
  std::vector<Handle> inputs_, outputs_;
  std::vector<graph::Shape> output_shapes_;
  std::vector<std::size_t> output_place_;  // in the model's order
};

class LitertBackend : public Backend {
 public:
  explicit LitertBackend(const std::string& path) : api_(std::make_shared<Api>(path)) {
    must(api_->create_environment(0, nullptr, &environment_), "starting");
  }
  ~LitertBackend() override { api_->destroy_environment(environment_); }
  std::string name() const override { return "tflite"; }
  std::string version() const override { return "LiteRT"; }  // the C interface does not say which
  std::string refuses(const BenchModel& model) const override {
    return model.model.format == "tflite" ? "" : "tflite runs TFLite models alone";
  }
  std::unique_ptr<Session> open(const BenchModel& model, int threads) override {
    return std::make_unique<LitertSession>(api_, environment_, model, threads);
  }

 private:
  std::shared_ptr<Api> api_;
  Handle environment_ = nullptr;
};

}  // namespace

std::unique_ptr<Backend> make_litert_backend(const std::string& path) { return std::make_unique<LitertBackend>(path); }

}  // namespace thimble::gauge
