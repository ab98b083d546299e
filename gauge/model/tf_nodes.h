// TensorFlow's graphs between file and Model: a flat list of nodes that name one another's outputs. GraphDef,
// SavedModel and TF.js graph models come this way.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "gauge/model/readers.h"

namespace thimble::gauge {

struct TfNode {
  std::string name, op;
  std::vector<std::string> inputs;  // "node:k"; control inputs are left out
  std::map<std::string, Attribute, std::less<>> attributes;
  std::optional<ModelTensor> value;  // of constants and of variables with a known content
  std::string function;              // that a call runs
};

struct TfFunction {
  std::vector<std::string> arguments, results;
  std::vector<TfNode> nodes;               // inputs as the function has them: "node:output:k", "argument"
  std::map<std::string, std::string> ret;  // result to such an input
};

struct TfGraph {
  std::vector<TfNode> nodes;
  std::map<std::string, TfFunction> functions;
};

struct TfPort {
  std::string name, tensor;  // "image", "serving_default_image:0"
  ElementType type;
  graph::Shape shape;
  bool has_shape = false;
};

// "DT_FLOAT" and 1 are f32. An unknown one has no name.
ElementType tf_element(std::uint64_t number);
ElementType tf_element(std::string_view word);

// "node" is "node:0"; "^node" gives an empty text.
std::string tf_reference(std::string_view input);

TfGraph read_graph_def(Bytes bytes, Model& model, Budget& budget);

// Orders the nodes so that each comes after what it reads, and fills graph 0. Without `outputs` all results that
// nothing reads are outputs, and all nodes stay; with them what they do not need goes.
void build_tf(Model& model, std::vector<TfNode> nodes, const std::vector<TfPort>& inputs,
              const std::vector<TfPort>& outputs);

}  // namespace thimble::gauge
