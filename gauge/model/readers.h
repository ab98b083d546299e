// The readers of single formats, and the table that finds one by name. Each checks every place and length it follows
// and fails with bad_file or Truncated; a version that is not known is `unsupported`. Operators are taken by name,
// known or not: what they mean is gauge/import's business.
//
//   format       main file                              files beside it
//   tflite       .tflite
//   onnx         .onnx
//   tensorflow   a frozen GraphDef, .pb
//   savedmodel   saved_model.pb                         variables/variables.index, variables/variables.data-…
//   tfjs         model.json (graph or Keras layers),    the shards that its manifest names
//                or a manifest of weights alone
//   caffe        .caffemodel                            the .prototxt of the same name
//   ncnn-param   .param, text                           the .bin of the same name
//   mnn          .mnn
//   pytorch      data.pkl of an unpacked archive,       data/…, constants/…, bytecode.pkl, code/…
//                or a pickle with storages behind it
//   coreml       .mlmodel, alone or of an .mlpackage    weights/weight.bin
//   dlc          `model` of an unpacked SNPE archive    model.params, dlc.metadata
//   gguf         .gguf
//   safetensors  .safetensors
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "gauge/model/model.h"

namespace thimble::gauge {

struct ModelSource {
  Bytes bytes;  // of the main file
  std::string path;
  const Siblings* siblings = nullptr;
  std::shared_ptr<const void> owner;
};

struct ModelReader {
  std::string_view format;
  Model (*read)(const ModelSource& source);
};

std::span<const ModelReader> model_readers();
const ModelReader* reader_of(std::string_view format);  // null when the format is not read whole

Model read_tensorflow(const ModelSource& source);
Model read_saved_model(const ModelSource& source);
Model read_tfjs(const ModelSource& source);
Model read_caffe(const ModelSource& source);
Model read_ncnn(const ModelSource& source);
Model read_mnn(const ModelSource& source);
Model read_pytorch(const ModelSource& source);
Model read_coreml(const ModelSource& source);
Model read_dlc(const ModelSource& source);
Model read_gguf(const ModelSource& source);
Model read_safetensors(const ModelSource& source);

// A model of that format with its source's bytes and owner.
Model start_model(std::string_view format, const ModelSource& source);
// A file beside the main one, kept by the model; none when absent.
std::optional<Bytes> part_of(Model& model, const ModelSource& source, const std::string& name);
std::string stem_of(std::string_view path);  // file name without folder and last suffix

// Builds a graph whose tensors are known by names. A name written twice (layers that work in place) is a new tensor.
class GraphBuilder {
 public:
  explicit GraphBuilder(ModelGraph& graph) : graph_(graph) {}

  std::int32_t read(std::string_view name);   // the latest of that name, made when there is none
  std::int32_t write(std::string_view name);  // a new one
  std::int32_t add(ModelTensor tensor);       // without a name to look up
  void input(ModelTensor tensor);
  ModelOp& op(std::string type, std::string_view name);
  bool has(std::string_view name) const { return names_.contains(name); }
  ModelTensor& tensor(std::int32_t i) { return graph_.tensors[static_cast<std::size_t>(i)]; }
  void alias(std::string_view name, std::int32_t tensor) { names_[std::string(name)] = tensor; }
  // Outputs: what operators write and none reads. Call it last.
  void close();

 private:
  ModelGraph& graph_;
  std::map<std::string, std::int32_t, std::less<>> names_;
};

// A constant over bytes that the model keeps; bad_file when shape and length differ.
ModelTensor constant_tensor(std::string_view name, ElementType type, graph::Shape shape, Bytes bytes);
// Numbers that the file holds in another form, copied into the model.
ModelTensor stored_tensor(Model& model, std::string_view name, graph::Shape shape, const std::vector<float>& values);

// Bounds on objects that a file can make a reader build: an honest one has fewer than bytes.
class Budget {
 public:
  explicit Budget(std::uint64_t objects) : left_(objects) {}
  void take(std::uint64_t objects) {
    if (objects > left_) fail(ErrorKind::bad_file, "more objects than the file has bytes");
    left_ -= objects;
  }

 private:
  std::uint64_t left_;
};

}  // namespace thimble::gauge
