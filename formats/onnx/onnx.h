// Writes a graph with its weights as an ONNX model. Every op has a form (formats/onnx/lower.h); what ONNX cannot say is
// refused by the op's name. Weights are streamed: one tensor is held at a time, whatever the model's size.
// Not here: reading ONNX (gauge/model, gauge/import).
//
// Inputs and outputs keep their names, types and axis order: pictures are (B, H, W, C). An output that has the name of
// an input gets "_out" behind it, since ONNX gives each name once. Between them pictures are
// (B, C, H, W), as ONNX's convolutions want them, and are transposed only where an op needs the other order.
// Parameters keep their names; a matrix of a linear layer is stored as (I, O).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/dtype.h"
#include "base/progress.h"
#include "graph/graph.h"
#include "graph/weights.h"

namespace thimble::formats {

// How ops are said that ONNX has more than one way for.
enum class OnnxForm : std::uint8_t {
  // Operator set 21: attention as MatMul, Softmax, MatMul, norms as the patterns that optimisers know and fuse.
  plain,
  // Operator set 23: Attention, RMSNormalization and GroupNormalization as single operators.
  onnx,
  // Operator set 21 and com.microsoft's MultiHeadAttention; the rest as plain.
  microsoft,
};
std::string_view to_string(OnnxForm form);
std::optional<OnnxForm> onnx_form_from_string(std::string_view name);

// Layers of 8-bit activations (graph/ops/quantized.h).
enum class OnnxQuantised : std::uint8_t {
  qdq,      // QuantizeLinear, DequantizeLinear and MatMul of floats, scales of activations computed by row
  integer,  // MatMulInteger where one scale serves an output; scales of groups stay qdq
};
std::string_view to_string(OnnxQuantised quantised);
std::optional<OnnxQuantised> onnx_quantised_from_string(std::string_view name);

struct OnnxOptions {
  OnnxForm form = OnnxForm::plain;
  OnnxQuantised quantised = OnnxQuantised::qdq;
  // How floats of two axes and more are stored: f32, f16 or bf16; none: as the weights have them. Narrow ones are cast
  // where they are read, so that all is computed in the graph's type. Vectors are stored in the graph's type.
  std::optional<DType> weights = {};
  bool external = false;  // weights in a file beside the model, FILE.data, even where one file could hold them
  // Largest model in one file, in bytes; protobuf ends at 2 GiB. A larger one gets a file beside it.
  std::uint64_t most_embedded = (std::uint64_t{1} << 31) - (std::uint64_t{1} << 20);
  std::map<std::string, std::string> metadata = {};  // of the model, as ONNX's properties
  std::string version = {};                          // of the program that writes
};

// The weights of a parameter, by its name; asked for once or twice, and let go when written.
using OnnxWeights = std::function<graph::Tensor(const std::string& name)>;
OnnxWeights onnx_weights(const graph::Weights& weights);  // what recipes make is not kept

struct OnnxWritten {
  std::filesystem::path model, data;  // data is empty where the model holds its weights
  std::int64_t opset = 0;
  std::size_t nodes = 0, tensors = 0;
  std::uint64_t bytes = 0;               // of both files
  std::map<std::string, int> operators;  // by ONNX's name, with the domain of those that are not its own
};

// unsupported, naming the op; bad_file where a weight does not fit; io. Nothing is left behind when it fails.
OnnxWritten write_onnx(const graph::Graph& graph, const OnnxWeights& weights, const std::filesystem::path& path,
                       const OnnxOptions& options = {}, const ProgressFn& progress = {},
                       const CancelToken* cancel = nullptr);

}  // namespace thimble::formats
