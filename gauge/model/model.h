// A foreign model as its files say it: graphs of named operators, tensors with their constants, quantisation and
// sparsity. One form for all formats, read by the analysis and by the importers (gauge/import).
// Not here: what operators mean, and any inference of shapes. The readers of single formats: readers.h.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/file.h"
#include "gauge/bytes.h"
#include "gauge/container/walk.h"
#include "graph/tensor.h"

namespace thimble::gauge {

// How a file stores one element. `dtype` is the type that Thimble computes with, none when there is no such type.
struct ElementType {
  std::string_view name;  // "f32", "i4", "string"
  int bits = 0;           // 0: of no fixed size
  std::optional<DType> dtype;
};

struct Quantisation {  // real = scale (stored - zero_point) + offset
  std::vector<float> scales;
  std::vector<std::int64_t> zero_points;
  std::int64_t axis = 0;  // of the scales, when there are several
  double offset = 0;
  bool integer = false;  // the real numbers are whole: stored indices, shapes
  bool empty() const { return scales.empty(); }
};

// "f32", "f16", "bf16", "f64", "i8" …; for other names an element of no fixed size.
ElementType element_type(std::string_view name);

// A size that the file leaves open is -1 in `shape`; in TFLite the file gives a size to start with all the same.
struct ModelTensor {
  std::string name;
  ElementType type;
  graph::Shape shape;
  graph::Shape open_shape;  // TFLite: with -1 where the size may change; empty when nothing may
  bool has_shape = true;
  bool constant = false;
  Bytes bytes;  // of a constant, dense; whole elements, or packed nibbles for types under 8 bits
  Quantisation quantisation;
  std::optional<std::uint64_t> sparse_elements;  // stored elements of a tensor kept in a sparse format
  std::int64_t elements() const;                 // open sizes count 1
};

// Tensors and graphs as attributes are indices, of the graph's tensors and of the model's graphs.
using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>>;

struct ModelOp {
  std::string type;  // "CONV_2D", "Conv", "CUSTOM:Name", "com.microsoft:Gelu"
  std::string name;
  std::vector<std::int32_t> inputs, outputs;  // tensors; -1: left out
  std::map<std::string, Attribute, std::less<>> attributes;

  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  double number(std::string_view key, double fallback) const;
  std::string_view text(std::string_view key, std::string_view fallback) const;
  std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> fallback = {}) const;
  std::vector<double> numbers(std::string_view key) const;
  bool has(std::string_view key) const { return attributes.contains(key); }
};

struct ModelGraph {
  std::string name;
  std::int32_t parent = -1;  // graph whose names this one sees
  std::vector<ModelTensor> tensors;
  std::vector<std::int32_t> outer;  // for each tensor: the parent's tensor that it is; -1: its own
  std::vector<ModelOp> ops;         // in the file's order, which is one that can be run
  std::vector<std::int32_t> inputs, outputs;
};

struct Model {
  std::string format;    // "tflite", "onnx", "caffe" …: see readers.h
  std::string producer;  // or description, as the file says
  std::int64_t version = 0;
  std::map<std::string, std::int64_t> opsets;  // ONNX: domain ("" is the standard one) to version
  std::vector<ModelGraph> graphs;              // 0 is the main one
  std::vector<std::string> metadata;           // names
  std::deque<std::vector<std::byte>> storage;  // constants that were unpacked
  std::shared_ptr<const void> owner;           // keeps the file's bytes
  Bytes content;                               // the main file's bytes
  // Files beside the main one: weights, variables, the text of a network. They count for size and hashes.
  std::vector<Content> parts;
  std::vector<std::string> remarks;  // what the files lack or the reader leaves out
};

// `directory`: where an ONNX model's tensors that lie in other files are looked for, by plain relative names inside it;
// empty refuses such a model. The caller keeps `bytes` alive, or `owner` does.
// Errors: bad_file, unsupported (versions, element types that constants of the graph need).
Model read_tflite(Bytes bytes, std::shared_ptr<const void> owner = {});
Model read_onnx(Bytes bytes, const std::filesystem::path& directory = {}, std::shared_ptr<const void> owner = {});

// By content, else by suffix; `siblings` gives the files beside it. `unsupported` for what no reader takes.
Model read_model(Bytes bytes, const std::string& path, std::shared_ptr<const void> owner = {},
                 const Siblings* siblings = nullptr);
Model open_model(const std::filesystem::path& path);

}  // namespace thimble::gauge
