// Reads an ONNX model (protobuf) into a Model: graphs with their subgraphs, constants from initialisers and Constant
// nodes, tensors in other files. Names become indices; a name of an outer graph becomes an `outer` tensor.
#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "base/error.h"
#include "gauge/container/container.h"
#include "gauge/model/model.h"
#include "gauge/model/onnx_tensor.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

constexpr std::uint64_t kMostIr = 20;
constexpr int kMostDepth = 24;

using Wire = Protobuf::Wire;

class OnnxReader {
 public:
  OnnxReader(Model& model, const std::filesystem::path& directory) : model_(model), tensors_(model, directory) {}

  void run(Bytes bytes) {
    Protobuf m(bytes, "ONNX model");
    Bytes graph;
    bool found = false;
    while (m.next()) {
      if (m.is(1, Wire::kVarint)) model_.version = m.signed_value();
      if (m.is(2, Wire::kBytes)) model_.producer = m.text();
      if (m.is(7, Wire::kBytes)) {
        graph = m.bytes();
        found = true;
      }
      if (m.is(8, Wire::kBytes)) read_opset(m.bytes());
      if (m.is(14, Wire::kBytes)) read_metadata(m.bytes());
    }
    if (!found) fail(ErrorKind::bad_file, "the model has no graph");
    if (model_.version < 1 || model_.version > static_cast<std::int64_t>(kMostIr)) {
      fail(ErrorKind::unsupported, "ONNX IR version {}; 1 to {} are read", model_.version, kMostIr);
    }
    read_graph(graph, -1, 0);
  }

 private:
  void read_opset(Bytes bytes) {
    Protobuf p(bytes, "ONNX operator set");
    std::string domain;
    std::int64_t version = 0;
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) domain = p.text();
      if (p.is(2, Wire::kVarint)) version = p.signed_value();
    }
    model_.opsets[domain == "ai.onnx" ? "" : domain] = version;
  }

  void read_metadata(Bytes bytes) {
    Protobuf p(bytes, "ONNX metadata");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) model_.metadata.emplace_back(p.text());
    }
  }

  // `names` of a graph: tensor by name.
  struct Scope {
    std::int32_t graph;
    std::map<std::string, std::int32_t, std::less<>> names;
    Scope* parent;
  };

  ModelGraph& graph_of(const Scope& s) { return model_.graphs[static_cast<std::size_t>(s.graph)]; }

  std::int32_t add(Scope& s, ModelTensor tensor, std::int32_t outer = -1) {
    ModelGraph& g = graph_of(s);
    const auto index = static_cast<std::int32_t>(g.tensors.size());
    if (!tensor.name.empty()) s.names[tensor.name] = index;
    g.tensors.push_back(std::move(tensor));
    g.outer.push_back(outer);
    return index;
  }

  std::int32_t visible(Scope& s, std::string_view name) {
    if (const auto it = s.names.find(name); it != s.names.end()) return it->second;
    if (s.parent == nullptr) return -1;
    const std::int32_t outer = visible(*s.parent, name);
    if (outer < 0) return -1;
    ModelTensor copy = graph_of(*s.parent).tensors[static_cast<std::size_t>(outer)];
    return add(s, std::move(copy), outer);
  }

  static ModelTensor unshaped(std::string_view name) {
    ModelTensor t;
    t.name = name;
    t.has_shape = false;
    return t;
  }

  // A tensor of the graph's own, made when the name is new.
  std::int32_t own(Scope& s, std::string_view name) {
    const auto it = s.names.find(name);
    return it != s.names.end() ? it->second : add(s, unshaped(name));
  }

  std::int32_t read_graph(Bytes bytes, std::int32_t parent, int depth, Scope* parent_scope = nullptr) {
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "graphs within graphs, more than {} deep", kMostDepth);
    Scope s{static_cast<std::int32_t>(model_.graphs.size()), {}, parent_scope};
    model_.graphs.emplace_back();
    graph_of(s).parent = parent;
    std::vector<std::int32_t> inputs;
    {
      Protobuf g(bytes, "ONNX graph");
      while (g.next()) {
        if (g.is(2, Wire::kBytes)) graph_of(s).name = g.text();
        if (g.is(5, Wire::kBytes)) add(s, tensors_.read(g.bytes()));
        if (g.is(15, Wire::kBytes)) fail(ErrorKind::unsupported, "sparse initialisers are not read");
      }
    }
    {
      Protobuf g(bytes, "ONNX graph");
      while (g.next()) {
        if (g.is(11, Wire::kBytes)) read_value(s, g.bytes(), &inputs);
        if (g.is(13, Wire::kBytes)) read_value(s, g.bytes(), nullptr);
      }
    }
    for (const std::int32_t i : inputs) {  // older writers list initialisers among the inputs
      if (!graph_of(s).tensors[static_cast<std::size_t>(i)].constant) graph_of(s).inputs.push_back(i);
    }
    Protobuf g(bytes, "ONNX graph");
    while (g.next()) {
      if (g.is(1, Wire::kBytes)) read_node(s, g.bytes(), depth);
    }
    g = Protobuf(bytes, "ONNX graph");
    while (g.next()) {
      if (!g.is(12, Wire::kBytes)) continue;
      const ModelTensor t = read_value_info(g.bytes());
      std::int32_t index = visible(s, t.name);
      if (index < 0) fail(ErrorKind::bad_file, "nothing makes the output '{}'", printable(t.name));
      ModelTensor& known = graph_of(s).tensors[static_cast<std::size_t>(index)];
      if (!known.has_shape && !known.constant) {
        known.type = t.type;
        known.shape = t.shape;
        known.has_shape = t.has_shape;
      }
      graph_of(s).outputs.push_back(index);
    }
    return s.graph;
  }

  ModelTensor read_value_info(Bytes bytes) {
    ModelTensor out = unshaped("");
    Protobuf v(bytes, "ONNX value");
    while (v.next()) {
      if (v.is(1, Wire::kBytes)) out.name = v.text();
      if (!v.is(2, Wire::kBytes)) continue;
      Protobuf type(v.bytes(), "ONNX type");
      while (type.next()) {
        if (!type.is(1, Wire::kBytes)) continue;
        Protobuf tensor(type.bytes(), "ONNX tensor type");
        while (tensor.next()) {
          if (tensor.is(1, Wire::kVarint)) out.type = onnx_element(tensor.value());
          if (tensor.is(2, Wire::kBytes)) {
            out.shape = read_shape(tensor.bytes());
            out.has_shape = true;
          }
        }
      }
    }
    if (out.shape.size() > 16) fail(ErrorKind::unsupported, "'{}' has {} axes", printable(out.name), out.shape.size());
    return out;
  }

  static graph::Shape read_shape(Bytes bytes) {
    graph::Shape out;
    Protobuf shape(bytes, "ONNX shape");
    while (shape.next()) {
      if (!shape.is(1, Wire::kBytes)) continue;
      std::int64_t size = -1;
      Protobuf dim(shape.bytes(), "ONNX dimension");
      while (dim.next()) {
        if (dim.is(1, Wire::kVarint)) size = dim.signed_value();
      }
      out.push_back(std::max<std::int64_t>(size, -1));
    }
    return out;
  }

  void read_value(Scope& s, Bytes bytes, std::vector<std::int32_t>* inputs) {
    ModelTensor t = read_value_info(bytes);
    const auto it = s.names.find(t.name);
    const std::int32_t index = it != s.names.end() ? it->second : add(s, std::move(t));
    if (inputs) inputs->push_back(index);
  }

  void read_node(Scope& s, Bytes bytes, int depth) {
    ModelOp op;
    std::string domain, type;
    std::vector<std::string_view> outputs;
    std::vector<Bytes> attributes;
    Protobuf n(bytes, "ONNX node");
    while (n.next()) {
      if (n.wire() != Wire::kBytes) continue;
      switch (n.field()) {
        case 1: op.inputs.push_back(n.text().empty() ? -1 : named(s, n.text())); break;
        case 2: outputs.push_back(n.text()); break;
        case 3: op.name = n.text(); break;
        case 4: type = n.text(); break;
        case 5: attributes.push_back(n.bytes()); break;
        case 7: domain = n.text(); break;
        default: break;
      }
    }
    if (type.empty()) fail(ErrorKind::bad_file, "a node has no operator");
    op.type = domain.empty() || domain == "ai.onnx" ? type : domain + ":" + type;
    for (const Bytes a : attributes) read_attribute(s, op, a, depth);
    for (const std::string_view name : outputs) op.outputs.push_back(name.empty() ? -1 : own(s, name));
    if (op.type == "Constant") set_constant(s, op);
    graph_of(s).ops.push_back(std::move(op));
  }

  std::int32_t named(Scope& s, std::string_view name) {
    const std::int32_t index = visible(s, name);
    if (index < 0) fail(ErrorKind::bad_file, "nothing makes '{}' before it is read", printable(name));
    return index;
  }

  // The output of a Constant node is the tensor itself.
  void set_constant(Scope& s, const ModelOp& op) {
    if (op.outputs.empty() || op.outputs[0] < 0) return;
    ModelGraph& g = graph_of(s);
    ModelTensor t;
    if (op.has("value")) {
      t = g.tensors[static_cast<std::size_t>(op.integer("value", 0))];
      t.constant = true;
    } else if (op.has("value_int")) {
      t = tensors_.make_integers({op.integer("value_int", 0)}, {});
    } else if (op.has("value_float")) {
      t = tensors_.make_floats({op.number("value_float", 0)}, {});
    } else if (op.has("value_ints")) {
      const auto v = op.integers("value_ints");
      t = tensors_.make_integers(v, {static_cast<std::int64_t>(v.size())});
    } else if (op.has("value_floats")) {
      const auto v = op.numbers("value_floats");
      t = tensors_.make_floats(v, {static_cast<std::int64_t>(v.size())});
    } else {
      return;  // a text; whoever reads it will say so
    }
    ModelTensor& to = g.tensors[static_cast<std::size_t>(op.outputs[0])];
    t.name = to.name;
    to = std::move(t);
  }

  void read_attribute(Scope& s, ModelOp& op, Bytes bytes, int depth) {
    std::string name;
    std::int64_t type = 0, integer = 0;
    double number = 0;
    std::string text;
    std::vector<std::int64_t> integers, graphs;
    std::vector<double> numbers;
    std::int32_t tensor = -1;
    Protobuf a(bytes, "ONNX attribute");
    while (a.next()) {
      switch (a.field()) {
        case 1: name = a.text(); break;
        case 2: number = double{a.float_value()}; break;
        case 3: integer = a.signed_value(); break;
        case 4: text = a.text(); break;
        case 5:
          if (a.wire() == Wire::kBytes) {
            ModelTensor t = tensors_.read(a.bytes());
            t.name.clear();
            t.constant = false;  // a part of its operator, not a tensor of the graph
            tensor = add(s, std::move(t));
          }
          break;
        case 6:
        case 11:
          if (a.wire() == Wire::kBytes) graphs.push_back(read_graph(a.bytes(), s.graph, depth + 1, &s));
          break;
        case 7: append_floats(a, numbers); break;
        case 8: append_integers(a, integers); break;
        case 20: type = a.signed_value(); break;
        default: break;
      }
    }
    switch (type) {
      case 1: op.attributes[name] = number; break;
      case 2: op.attributes[name] = integer; break;
      case 3: op.attributes[name] = text; break;
      case 4:
        if (tensor >= 0) op.attributes[name] = std::int64_t{tensor};
        break;
      case 5:
        if (!graphs.empty()) op.attributes[name] = graphs[0];
        break;
      case 6: op.attributes[name] = numbers; break;
      case 7:
      case 10: op.attributes[name] = type == 7 ? integers : graphs; break;
      default: break;
    }
  }

  Model& model_;
  OnnxTensors tensors_;
};

}  // namespace

Model read_onnx(Bytes bytes, const std::filesystem::path& directory, std::shared_ptr<const void> owner) {
  Model model;
  model.format = "onnx";
  model.owner = std::move(owner);
  model.content = bytes;
  OnnxReader(model, directory).run(bytes);
  return model;
}

}  // namespace thimble::gauge
