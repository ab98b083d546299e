#include "gauge/analysis/analysis.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace thimble::gauge {

using graph::Shape;

namespace {

// Constant elements that an operator reads, through what only unpacks them.
class Constants {
 public:
  explicit Constants(const ModelGraph& g) : graph_(g), maker_(g.tensors.size(), -1) {
    for (std::size_t i = 0; i < g.ops.size(); ++i) {
      for (const std::int32_t o : g.ops[i].outputs) {
        if (o >= 0) maker_[static_cast<std::size_t>(o)] = static_cast<std::int32_t>(i);
      }
    }
  }

  std::int64_t read_by(const ModelOp& op) const {
    std::int64_t n = 0;
    for (const std::int32_t i : op.inputs) n += elements(i, 0);
    return n;
  }

 private:
  std::int64_t elements(std::int32_t tensor, int depth) const {
    if (tensor < 0 || depth > 4) return 0;
    const auto i = static_cast<std::size_t>(tensor);
    if (graph_.tensors[i].constant) return graph_.tensors[i].elements();
    if (maker_[i] < 0) return 0;
    const ModelOp& op = graph_.ops[static_cast<std::size_t>(maker_[i])];
    const bool unpacks = op.type == "DEQUANTIZE" || op.type == "DENSIFY" || op.type == "DequantizeLinear";
    return unpacks && !op.inputs.empty() ? elements(op.inputs[0], depth + 1) : 0;
  }

  const ModelGraph& graph_;
  std::vector<std::int32_t> maker_;
};

bool whole(const ModelTensor& t) {
  return t.has_shape && std::ranges::none_of(t.shape, [](std::int64_t d) { return d < 0; });
}

// Shapes as the file says them, where it says all.
bool declared(const ModelGraph& g, const ModelOp& op, std::vector<std::optional<Shape>>& inputs,
              std::vector<Shape>& outputs) {
  for (const std::int32_t i : op.inputs) {
    const bool there = i >= 0 && whole(g.tensors[static_cast<std::size_t>(i)]);
    inputs.push_back(there ? std::optional(g.tensors[static_cast<std::size_t>(i)].shape) : std::nullopt);
  }
  for (const std::int32_t o : op.outputs) {
    if (o < 0 || !whole(g.tensors[static_cast<std::size_t>(o)])) return false;
    outputs.push_back(g.tensors[static_cast<std::size_t>(o)].shape);
  }
  return true;
}

std::vector<Port> ports(const ModelGraph& g, const std::vector<std::int32_t>& list) {
  std::vector<Port> out;
  for (const std::int32_t i : list) {
    const ModelTensor& t = g.tensors[static_cast<std::size_t>(i)];
    Port p{t.name, std::string(t.type.name), t.shape};
    for (std::size_t a = 0; a < t.open_shape.size(); ++a) {
      if (t.open_shape[a] < 0) p.shape[a] = -1;
    }
    out.push_back(std::move(p));
  }
  return out;
}

void count_layers(Analysis& a, const Model& model, const Import& import) {
  std::map<std::pair<std::int32_t, std::int32_t>, const ImportedLayer*> met;
  for (const ImportedLayer& l : import.layers) met[{l.graph, l.op}] = &l;
  for (std::size_t n = 0; n < model.graphs.size(); ++n) {
    const ModelGraph& g = model.graphs[n];
    const Constants constants(g);
    for (std::size_t i = 0; i < g.ops.size(); ++i) {
      const ModelOp& op = g.ops[i];
      ++a.operators[op.type];
      if (op.type == "Constant") continue;
      LayerReport r;
      r.graph = static_cast<std::int32_t>(n);
      r.op = static_cast<std::int32_t>(i);
      r.type = op.type;
      r.name = op.name;
      if (r.name.empty() && !op.outputs.empty() && op.outputs[0] >= 0) {
        r.name = g.tensors[static_cast<std::size_t>(op.outputs[0])].name;
      }
      r.parameters = op.type == "DEQUANTIZE" || op.type == "DENSIFY" ? 0 : constants.read_by(op);
      std::vector<std::optional<Shape>> inputs;
      const auto found = met.find({r.graph, r.op});
      bool shaped = true, folded = false;
      // TFLite says its shapes; ONNX rarely does, and there the import has found them.
      if (model.format != "tflite" && found != met.end()) {
        inputs = found->second->inputs;
        r.outputs = found->second->outputs;
        folded = found->second->folded;
      } else {
        shaped = declared(g, op, inputs, r.outputs) && (model.format == "tflite" || import.stopped);
      }
      const auto operations = shaped ? operations_of(op, inputs, r.outputs) : std::nullopt;
      // A branch that no run takes costs nothing.
      const bool idle = model.format != "tflite" && found == met.end() && !import.stopped;
      r.counted = operations.has_value() || idle;
      if (operations && !folded) r.operations = *operations;
      (n == 0 ? a.total : a.subgraphs) += r.operations;
      a.uncounted += r.counted ? 0 : 1;
      a.layers.push_back(std::move(r));
    }
  }
}

}  // namespace

Analysis analyze(const Model& model, const std::string& path, Bytes file, const ImportOptions& options) {
  Analysis a;
  a.path = path;
  a.format = model.format;
  a.producer = model.producer;
  a.version = model.version;
  a.opsets = model.opsets;
  a.bytes = file.size();
  a.sha256 = sha256(file);
  a.canonical = canonical_hash(model);
  a.metadata = model.metadata;
  a.graphs = model.graphs.size();
  a.inputs = ports(model.graphs.at(0), model.graphs[0].inputs);
  a.outputs = ports(model.graphs[0], model.graphs[0].outputs);
  a.unknown = unknown_operators(model);
  Import import;
  try {
    import = import_model(model, options);
    a.imported = !import.stopped;
    a.import_note = import.stopped.value_or("");
  } catch (const Error& e) {
    import.stopped = e.what();
    a.import_note = e.what();
  }
  a.notes = import.notes;
  count_layers(a, model, import);
  describe_weights(a, model);
  a.tensors = fingerprints(model);
  guess(a, model);
  return a;
}

}  // namespace thimble::gauge
