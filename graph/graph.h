// A graph: inputs, parameters, nodes in topological order, outputs, named taps. Shapes are static.
// A value type: passes take one and return another. Building goes through graph/builder.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/op.h"

namespace thimble::graph {

using ValueId = std::int32_t;

enum class ValueKind : std::uint8_t { input, parameter, node };

struct Value {
  TensorType type;
  ValueKind kind = ValueKind::node;
  std::string name;            // inputs and parameters: as in the checkpoint; nodes: may be empty
  std::int32_t producer = -1;  // index of the node that makes it
  bool operator==(const Value&) const = default;
};

struct Node {
  Op op;
  std::vector<ValueId> inputs;  // optional inputs (a bias) are simply absent at the end
  ValueId output = -1;
  bool operator==(const Node&) const = default;
};

// How a parameter starts when nothing is loaded.
struct Init {
  enum class Kind : std::uint8_t { zeros, ones, normal, uniform, constant };
  Kind kind = Kind::zeros;
  double scale = 0;  // standard deviation, half width of the uniform, or the constant
  bool operator==(const Init&) const = default;
};

struct Parameter {
  ValueId value = -1;
  Init init;
  bool operator==(const Parameter&) const = default;
};

struct NamedValue {
  std::string name;
  ValueId value = -1;
  bool operator==(const NamedValue&) const = default;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<ValueId> inputs;
  std::vector<Parameter> parameters;
  std::vector<Node> nodes;
  std::vector<NamedValue> outputs;
  std::vector<NamedValue> taps;

  bool operator==(const Graph&) const = default;

  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  const TensorType& type(ValueId id) const { return value(id).type; }
  std::optional<ValueId> find_input(std::string_view name) const;
  std::optional<ValueId> find_parameter(std::string_view name) const;
  std::int64_t parameter_count() const;  // elements of all parameters
};

// How many nodes and outputs read each value.
std::vector<int> use_counts(const Graph& graph);

// Types of a node's inputs, in order.
std::vector<TensorType> input_types(const Graph& graph, const Node& node);

// Throws internal or bad_input naming the node: undefined or later values, wrong types, duplicate names, no output.
void verify(const Graph& graph);

}  // namespace thimble::graph
