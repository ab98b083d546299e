// Small valid TFLite and ONNX models of any operators, made in code: for the tests of the importers and as seeds of
// their fuzz targets. The writers share nothing with the readers under test.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace thimble::gauge::testing {

// ---- TFLite ----

struct TinyTensor {
  std::vector<std::int32_t> shape;
  std::uint8_t type = 0;  // TensorType: 0 f32, 1 f16, 2 i32, 3 u8, 9 i8, 6 bool
  std::string data{};     // constant when not empty
  std::vector<float> scales{};
  std::vector<std::int64_t> zero_points{};
  std::int32_t axis = 0;
  std::vector<std::int32_t> open_shape{};
};

struct TinyOption {
  unsigned slot;
  std::string raw;  // 1 or 4 bytes
};

struct TinyOp {
  std::int32_t code;
  std::vector<std::int32_t> inputs, outputs;
  std::vector<TinyOption> options{};
  std::string custom{};  // name of a custom operator (code 32)
  std::string custom_options{};
};

struct TinyGraph {
  std::vector<TinyTensor> tensors;
  std::vector<TinyOp> ops;
  std::vector<std::int32_t> inputs, outputs;
};

// Tensor i of each graph is called "t<i>".
std::string make_tflite(const std::vector<TinyGraph>& graphs);

std::string floats(const std::vector<float>& v);
std::string halves(const std::vector<float>& v);  // values that half precision holds
std::string ints(const std::vector<std::int32_t>& v);
std::string int8s(const std::vector<int>& v);
TinyOption option_i32(unsigned slot, std::int32_t v);
TinyOption option_byte(unsigned slot, int v);
TinyOption option_f32(unsigned slot, float v);

// ---- ONNX ----

struct TinyAttribute {
  std::string name;
  std::string field;  // the encoded value and its type; see the functions below
};
TinyAttribute attribute(const std::string& name, std::int64_t v);
TinyAttribute attribute(const std::string& name, float v);
TinyAttribute attribute(const std::string& name, const std::string& v);
TinyAttribute attribute(const std::string& name, const std::vector<std::int64_t>& v);
TinyAttribute graph_attribute(const std::string& name, const std::string& graph);    // graph: of tiny_onnx_graph
TinyAttribute tensor_attribute(const std::string& name, const std::string& tensor);  // of onnx_tensor

struct TinyNode {
  std::string type;
  std::vector<std::string> inputs, outputs;
  std::vector<TinyAttribute> attributes{};
};

struct TinyValue {
  std::string name;
  std::vector<std::int64_t> shape;  // -1: open
  int type = 1;                     // TensorProto.DataType: 1 f32, 7 i64, 9 bool
};

std::string onnx_tensor(const std::string& name, const std::vector<std::int64_t>& shape, const std::vector<float>& v);
std::string onnx_tensor(const std::string& name, const std::vector<std::int64_t>& shape,
                        const std::vector<std::int64_t>& v);  // as int64_data
// A tensor that lies in another file.
std::string onnx_outside(const std::string& name, const std::vector<std::int64_t>& shape, const std::string& file,
                         std::int64_t offset, std::int64_t bytes);
std::string onnx_graph(const std::vector<TinyNode>& nodes, const std::vector<std::string>& tensors,
                       const std::vector<TinyValue>& inputs, const std::vector<TinyValue>& outputs);
std::string make_onnx(const std::string& graph, std::int64_t opset);

// ---- other formats ----

// The same network in each: a convolution of 3 x 3 from 2 to 4 channels over a picture of 8 x 8 without padding, 72
// weights 0, 1, 2 … 71 in the format's own order and 4 biases: 2592 multiply-adds.
struct TinyForeign {
  std::string format;  // as in gauge/model/readers.h
  std::string path, main;
  std::vector<std::pair<std::string, std::string>> parts;  // files beside it, by name
};
std::vector<TinyForeign> tiny_foreign();

}  // namespace thimble::gauge::testing
