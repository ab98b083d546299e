// ONNX tensors: raw bytes, typed fields, or a part of another file.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gauge/model/model.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {

ElementType onnx_element(std::uint64_t type);  // of TensorProto.DataType

// The field's value or values, packed or not.
void append_integers(const Protobuf& field, std::vector<std::int64_t>& out);
void append_floats(const Protobuf& field, std::vector<double>& out);

class OnnxTensors {
 public:
  OnnxTensors(Model& model, const std::filesystem::path& directory) : model_(model), directory_(directory) {}

  // A constant; its bytes lie in the message, in model.storage or in a mapped file that the model keeps.
  ModelTensor read(Bytes message);
  ModelTensor make_integers(const std::vector<std::int64_t>& values, graph::Shape shape);
  ModelTensor make_floats(const std::vector<double>& values, graph::Shape shape);

 private:
  Bytes external(const std::map<std::string, std::string>& entries, const std::string& name);
  Bytes keep(const void* data, std::size_t bytes);

  Model& model_;
  std::filesystem::path directory_;
  std::map<std::string, std::shared_ptr<const MappedFile>> files_;
};

}  // namespace thimble::gauge
