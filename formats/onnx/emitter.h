// The ONNX graph under construction: nodes, constants, and the names of the graph's values in either axis order.
// Not here: which nodes an op becomes (lower.h), bytes (writer.cpp).
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/initialiser.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/wire.h"
#include "graph/graph.h"

namespace thimble::formats {

// Where the channels of a value of three axes or more stand: (B, ..., C) or (B, C, ...).
enum class Order : std::uint8_t { last, first };

// An attribute of a node, as AttributeProto.
class OnnxAttributes {
 public:
  OnnxAttributes& integer(std::string_view name, std::int64_t value);
  OnnxAttributes& integers(std::string_view name, const graph::Ints& values);
  OnnxAttributes& number(std::string_view name, double value);
  OnnxAttributes& text(std::string_view name, std::string_view value);
  const std::vector<ProtobufWriter>& all() const { return all_; }

 private:
  std::vector<ProtobufWriter> all_;
};

struct OnnxNode {
  std::string type, domain;
  std::vector<std::string> inputs, outputs;  // an empty input is one left out
  OnnxAttributes attributes;
};

class OnnxEmitter {
 public:
  OnnxEmitter(const graph::Graph& graph, const OnnxWeights& weights, const OnnxOptions& options);

  const graph::Graph& graph;
  const OnnxOptions& options;

  // The name of a value in an order; a transposition is added when it is asked for in another than it has.
  std::string in(graph::ValueId id, Order order = Order::last);
  // The order in which `id` is there at no cost: the one it was made in.
  Order order_of(graph::ValueId id) const;
  // The order that costs the fewest transpositions for a node that reads these values in one order.
  Order cheapest(const std::vector<graph::ValueId>& ids) const;
  void define(graph::ValueId id, std::string name, Order order = Order::last);

  const graph::Shape& shape(graph::ValueId id) const { return graph.type(id).shape; }
  DType dtype(graph::ValueId id) const { return graph.type(id).dtype; }
  bool is_parameter(graph::ValueId id) const { return graph.value(id).kind == graph::ValueKind::parameter; }
  // A parameter in another form than its own; floats are cast to the graph's type where they are stored in a narrow
  // one. `shape`: of the result.
  std::string parameter(graph::ValueId id, Initialiser::Form form, graph::Shape shape);
  // As it is stored, not cast: for tables, of which few rows are read. The type that it has.
  std::pair<std::string, DType> stored_parameter(graph::ValueId id);
  // A vector (C) as (C, 1, ..., 1) with `ones` ones: what spreads along the channels of an order `first`.
  std::string channels(graph::ValueId id, std::size_t ones);

  // Adds a node of one output and returns its name.
  std::string node(std::string_view type, std::vector<std::string> inputs, OnnxAttributes attributes = {},
                   std::string_view domain = {});
  std::vector<std::string> nodes(std::string_view type, std::vector<std::string> inputs, std::size_t outputs,
                                 OnnxAttributes attributes = {});
  std::string reshape(const std::string& x, const graph::Shape& shape);
  std::string transpose(const std::string& x, const graph::Ints& perm);
  std::string cast(const std::string& x, DType to);

  // Constants; equal ones are one.
  std::string integers(const graph::Ints& values);                                                  // i64 (n)
  std::string constant(DType dtype, const graph::Shape& shape, const std::vector<double>& values);  // one fills all
  std::string scalar(DType dtype, double value) { return constant(dtype, {}, {value}); }

  // Names of what follows begin with the scope of the first parameter of `node`: "blocks.0.attn.qkv".
  void begin(const graph::Node& node);
  // Gives the graph's outputs their names.
  void finish();

  std::vector<OnnxNode> list;
  std::vector<Initialiser> initialisers;
  std::vector<std::string> outputs;  // names of the graph's, after finish(): its own, but for those of inputs
  // Type of the parameter that each initialiser is made of, for its check.
  const graph::TensorType& type_of(const std::string& parameter) const;

 private:
  struct Forms {
    std::string last, first;
    Order made = Order::last;
  };
  std::string unique(std::string name);
  std::string add(Initialiser what);
  DType stored_type(graph::ValueId id);

  const OnnxWeights& weights_;
  std::vector<Forms> forms_;
  std::set<std::string> names_;
  std::map<std::string, int> counts_;
  std::string scope_;
  std::map<std::string, std::string> constants_;   // by content
  std::map<std::string, std::string> parameters_;  // by parameter and form
  std::map<std::string, graph::ValueId> ids_;
};

// Axis `axis` of a value of `rank` axes, in an order.
std::int64_t axis_in(Order order, std::int64_t axis, std::size_t rank);
// (B, ..., C) to (B, C, ...), and the permutations that do it and undo it.
graph::Shape shape_in(Order order, const graph::Shape& shape);
graph::Ints to_first(std::size_t rank);
graph::Ints to_last(std::size_t rank);

}  // namespace thimble::formats
