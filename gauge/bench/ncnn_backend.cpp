// ncnn through its C interface (libraries built with it export ncnn_net_create). A model is a .param file with its .bin
// beside it; pictures are f32, planes one after another, each padded to a step of its own.
#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "gauge/bench/backend.h"
#include "gauge/bench/shared_library.h"

namespace thimble::gauge {
namespace {

using Handle = void*;

struct Api {
  explicit Api(const std::string& path) : library(path) {
    library.get(version, "ncnn_version");
    library.get(option_create, "ncnn_option_create");
    library.get(option_destroy, "ncnn_option_destroy");
    library.get(option_threads, "ncnn_option_set_num_threads");
    library.get(net_create, "ncnn_net_create");
    library.get(net_destroy, "ncnn_net_destroy");
    library.get(net_option, "ncnn_net_set_option");
    library.get(load_param, "ncnn_net_load_param");
    library.get(load_model, "ncnn_net_load_model");
    library.get(extractor_create, "ncnn_extractor_create");
    library.get(extractor_destroy, "ncnn_extractor_destroy");
    library.get(extractor_input, "ncnn_extractor_input");
    library.get(extractor_extract, "ncnn_extractor_extract");
    library.get(mat_create, "ncnn_mat_create_3d");
    library.get(mat_destroy, "ncnn_mat_destroy");
    library.get(mat_dims, "ncnn_mat_get_dims");
    library.get(mat_w, "ncnn_mat_get_w");
    library.get(mat_h, "ncnn_mat_get_h");
    library.get(mat_c, "ncnn_mat_get_c");
    library.get(mat_step, "ncnn_mat_get_cstep");
    library.get(mat_data, "ncnn_mat_get_data");
  }
  SharedLibrary library;
  const char* (*version)() = nullptr;
  Handle (*option_create)() = nullptr;
  void (*option_destroy)(Handle) = nullptr;
  void (*option_threads)(Handle, int) = nullptr;
  Handle (*net_create)() = nullptr;
  void (*net_destroy)(Handle) = nullptr;
  void (*net_option)(Handle, Handle) = nullptr;
  int (*load_param)(Handle, const char*) = nullptr;
  int (*load_model)(Handle, const char*) = nullptr;
  Handle (*extractor_create)(Handle) = nullptr;
  void (*extractor_destroy)(Handle) = nullptr;
  int (*extractor_input)(Handle, const char*, Handle) = nullptr;
  int (*extractor_extract)(Handle, const char*, Handle*) = nullptr;
  Handle (*mat_create)(int w, int h, int c, Handle allocator) = nullptr;
  void (*mat_destroy)(Handle) = nullptr;
  int (*mat_dims)(Handle) = nullptr;
  int (*mat_w)(Handle) = nullptr;
  int (*mat_h)(Handle) = nullptr;
  int (*mat_c)(Handle) = nullptr;
  std::size_t (*mat_step)(Handle) = nullptr;
  void* (*mat_data)(Handle) = nullptr;
};

class NcnnSession : public Session {
 public:
  NcnnSession(std::shared_ptr<Api> api, const BenchModel& model, int threads)
      : api_(std::move(api)), from_(model), names_(output_names(model.model)) {
    try {
      open(threads);
    } catch (...) {
      close();
      throw;
    }
  }
  ~NcnnSession() override { close(); }

  void run() override {
    clear();
    extractor_ = api_->extractor_create(net_);
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      must(api_->extractor_input(extractor_, from_.inputs[i].name.c_str(), inputs_[i]), from_.inputs[i].name);
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      must(api_->extractor_extract(extractor_, names_[i].c_str(), &results_[i]), names_[i]);
    }
  }

  std::vector<graph::Tensor> outputs() const override {
    std::vector<graph::Tensor> out;
    for (const Handle m : results_) {
      const int dims = api_->mat_dims(m);
      const std::int64_t w = api_->mat_w(m), h = dims > 1 ? api_->mat_h(m) : 1, c = dims > 2 ? api_->mat_c(m) : 1;
      graph::Shape shape{1};
      if (dims > 2) shape.push_back(c);
      if (dims > 1) shape.push_back(h);
      shape.push_back(w);
      graph::Tensor t(graph::TensorType{DType::f32, shape});
      const auto* from = static_cast<const float*>(api_->mat_data(m));
      const std::size_t step = dims > 2 ? api_->mat_step(m) : 0;
      for (std::int64_t p = 0; p < c; ++p) {
        std::copy_n(from + static_cast<std::size_t>(p) * step, h * w, t.mutable_as<float>().data() + p * h * w);
      }
      out.push_back(std::move(t));
    }
    return out;
  }

 private:
  void must(int status, const std::string& name) const {
    if (status != 0) fail(ErrorKind::unsupported, "ncnn fails at '{}' (status {})", name, status);
  }
  void open(int threads) {
    Handle option = api_->option_create();
    api_->option_threads(option, threads);
    net_ = api_->net_create();
    api_->net_option(net_, option);
    api_->option_destroy(option);
    std::filesystem::path bin = from_.path;
    bin.replace_extension(".bin");
    must(api_->load_param(net_, from_.path.c_str()), from_.path.string());
    must(api_->load_model(net_, bin.c_str()), bin.string());
    for (const BenchPort& p : from_.inputs) {
      const graph::Shape& s = p.shape;  // (1, C, H, W)
      if (s.size() != 4 || s[0] != 1 || p.type.name != "f32") {
        fail(ErrorKind::unsupported, "ncnn takes one picture of f32; '{}' is {}{}", p.name, p.type.name,
             graph::to_string(s));
      }
      const auto w = static_cast<int>(s[3]), h = static_cast<int>(s[2]), c = static_cast<int>(s[1]);
      Handle m = api_->mat_create(w, h, c, nullptr);
      inputs_.push_back(m);
      const std::size_t plane = static_cast<std::size_t>(w) * static_cast<std::size_t>(h);
      for (std::size_t i = 0; i < static_cast<std::size_t>(c); ++i) {
        std::memcpy(static_cast<float*>(api_->mat_data(m)) + i * api_->mat_step(m),
                    p.bytes.data() + i * plane * sizeof(float), plane * sizeof(float));
      }
    }
    results_.resize(names_.size());
  }
  void clear() {
    for (Handle& r : results_) {
      if (r != nullptr) api_->mat_destroy(r);
      r = nullptr;
    }
    if (extractor_ != nullptr) api_->extractor_destroy(extractor_);
    extractor_ = nullptr;
  }
  void close() {
    clear();
    for (Handle m : inputs_) api_->mat_destroy(m);
    if (net_ != nullptr) api_->net_destroy(net_);
  }

  std::shared_ptr<Api> api_;
  const BenchModel& from_;
  std::vector<std::string> names_;
  Handle net_ = nullptr, extractor_ = nullptr;
  std::vector<Handle> inputs_, results_;
};

class NcnnBackend : public Backend {
 public:
  explicit NcnnBackend(const std::string& path) : api_(std::make_shared<Api>(path)) {}
  std::string name() const override { return "ncnn"; }
  std::string version() const override { return api_->version(); }
  std::string refuses(const BenchModel& model) const override {
    return model.model.format == "ncnn" ? "" : "ncnn runs its own models alone";
  }
  std::unique_ptr<Session> open(const BenchModel& model, int threads) override {
    return std::make_unique<NcnnSession>(api_, model, threads);
  }

 private:
  std::shared_ptr<Api> api_;
};

}  // namespace

std::unique_ptr<Backend> make_ncnn_backend(const std::string& path) { return std::make_unique<NcnnBackend>(path); }

}  // namespace thimble::gauge
