#include "gauge/analysis/analysis.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "gauge/import/lower.h"

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

// Operators that only hold a constant: no layers.
bool holds_constant(const ModelGraph& g, const ModelOp& op) {
  if (op.type == "Constant" || (op.type == "const" && op.inputs.empty())) return true;
  const bool named = op.type == "Const" || op.type == "VarHandleOp" || op.type == "VariableV2" ||
                     op.type == "Variable" || op.type == "TrainableParam";
  return named && op.outputs.size() == 1 && op.outputs[0] >= 0 &&
         g.tensors[static_cast<std::size_t>(op.outputs[0])].constant;
}

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

LayerReport layer_of(const ModelGraph& g, std::int32_t graph, std::int32_t number, const ModelOp& op,
                     const Constants& constants) {
  LayerReport r;
  r.graph = graph;
  r.op = number;
  r.type = op.type;
  r.name = op.name;
  if (r.name.empty() && !op.outputs.empty() && op.outputs[0] >= 0) {
    r.name = g.tensors[static_cast<std::size_t>(op.outputs[0])].name;
  }
  r.parameters = op.type == "DEQUANTIZE" || op.type == "DENSIFY" ? 0 : constants.read_by(op);
  return r;
}

void keep(Analysis& a, LayerReport r) {
  (r.graph == 0 ? a.total : a.subgraphs) += r.operations;
  a.uncounted += r.counted ? 0 : 1;
  a.layers.push_back(std::move(r));
}

// Counts every operator; those that are layers are reported as f(graph, operator, report) completes them.
template <class F>
void for_each_layer(Analysis& a, const Model& model, F f) {
  for (std::size_t n = 0; n < model.graphs.size(); ++n) {
    const ModelGraph& g = model.graphs[n];
    const Constants constants(g);
    for (std::size_t i = 0; i < g.ops.size(); ++i) {
      const ModelOp& op = g.ops[i];
      ++a.operators[op.type];
      if (holds_constant(g, op)) continue;
      LayerReport r = layer_of(g, static_cast<std::int32_t>(n), static_cast<std::int32_t>(i), op, constants);
      f(g, op, r);
      keep(a, std::move(r));
    }
  }
}

// Costs of what an operator was lowered to, one or several, are its own.
void count_lowered(Analysis& a, const Model& model, const Lowered& low, const Import& import) {
  const std::vector<ModelOp>& ops = low.model.graphs[0].ops;
  std::vector<int> wanted(model.graphs[0].ops.size(), 0), found(wanted.size(), 0);
  std::vector<Operations> costs(wanted.size());
  std::vector<std::vector<Shape>> shapes(wanted.size());
  for (const std::int32_t o : low.origin) ++wanted[static_cast<std::size_t>(o)];
  for (const ImportedLayer& l : import.layers) {
    if (l.graph != 0) continue;
    const auto o = static_cast<std::size_t>(low.origin[static_cast<std::size_t>(l.op)]);
    const auto cost = operations_of(ops[static_cast<std::size_t>(l.op)], l.inputs, l.outputs);
    found[o] += cost.has_value() ? 1 : 0;
    if (cost && !l.folded) costs[o] += *cost;
    shapes[o] = l.outputs;
  }
  for_each_layer(a, model, [&](const ModelGraph&, const ModelOp&, LayerReport& r) {
    const auto i = static_cast<std::size_t>(r.op);
    r.counted = r.graph == 0 && found[i] == wanted[i];
    if (r.graph != 0) return;
    r.operations = costs[i];
    r.outputs = shapes[i];
  });
}

// Formats that say every shape themselves, and words of theirs for what the rules know under another name.
ModelOp in_known_words(const Model& model, const ModelOp& op) {
  ModelOp out;
  out.type = op.type;
  if (model.format == "coreml") {
    static const std::map<std::string_view, const char*> kWords{{"conv", "Conv"},
                                                                {"linear", "Gemm"},
                                                                {"matmul", "MatMul"},
                                                                {"add", "Add"},
                                                                {"sub", "Sub"},
                                                                {"mul", "Mul"},
                                                                {"real_div", "Div"},
                                                                {"maximum", "Max"},
                                                                {"minimum", "Min"},
                                                                {"relu", "Relu"},
                                                                {"sigmoid", "Sigmoid"},
                                                                {"tanh", "Tanh"},
                                                                {"softmax", "Softmax"},
                                                                {"exp", "Exp"},
                                                                {"log", "Log"},
                                                                {"sqrt", "Sqrt"},
                                                                {"square", "Mul"},
                                                                {"reshape", "Reshape"},
                                                                {"transpose", "Transpose"},
                                                                {"concat", "Concat"},
                                                                {"pad", "Pad"},
                                                                {"slice_by_index", "Slice"},
                                                                {"slice_by_size", "Slice"},
                                                                {"split", "Split"},
                                                                {"squeeze", "Squeeze"},
                                                                {"expand_dims", "Unsqueeze"},
                                                                {"cast", "Cast"},
                                                                {"gather", "Gather"},
                                                                {"identity", "Identity"},
                                                                {"reduce_mean", "ReduceMean"},
                                                                {"reduce_sum", "ReduceSum"},
                                                                {"reduce_max", "ReduceMax"},
                                                                {"reduce_min", "ReduceMin"},
                                                                {"stack", "Concat"},
                                                                {"tile", "Tile"},
                                                                {"gelu", "Gelu"},
                                                                {"batch_norm", "BatchNormalization"},
                                                                {"layer_norm", "LayerNormalization"},
                                                                {"rsqrt", "Sqrt"},
                                                                {"pow", "Pow"},
                                                                {"clip", "Clip"},
                                                                {"shape", "Shape"},
                                                                {"greater", "Greater"},
                                                                {"less", "Less"},
                                                                {"select", "Where"},
                                                                {"leaky_relu", "LeakyRelu"}};
    if (const auto it = kWords.find(op.type); it != kWords.end()) out.type = it->second;
    if (out.type == "Gemm") out.attributes["transB"] = std::int64_t{1};
  }
  return out;
}

void count_declared(Analysis& a, const Model& model) {
  for_each_layer(a, model, [&](const ModelGraph& g, const ModelOp& op, LayerReport& r) {
    std::vector<std::optional<Shape>> inputs;
    const bool shaped = declared(g, op, inputs, r.outputs);
    const auto cost = shaped ? operations_of(in_known_words(model, op), inputs, r.outputs) : std::nullopt;
    r.counted = cost.has_value();
    if (cost) r.operations = *cost;
  });
}

void count_layers(Analysis& a, const Model& model, const Import& import) {
  std::map<std::pair<std::int32_t, std::int32_t>, const ImportedLayer*> met;
  for (const ImportedLayer& l : import.layers) met[{l.graph, l.op}] = &l;
  for_each_layer(a, model, [&](const ModelGraph& g, const ModelOp& op, LayerReport& r) {
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
  });
}

// Of a model in several files: its main one's and theirs.
void measure_files(Analysis& a, const Model& model, Bytes file) {
  a.bytes = file.size();
  a.sha256 = sha256(file);
  if (model.parts.empty()) return;
  std::string all = a.sha256;
  for (const Content& part : model.parts) {
    a.bytes += part.bytes.size();
    all += sha256(part.bytes);
  }
  a.sha256 = sha256(bytes_of(all));
}

// The import gives shapes and costs; where it stops, the rest goes on without what it stopped at.
void import_for_shapes(Analysis& a, const Model& model, const ImportOptions& options) {
  ImportOptions going = options;
  going.keep_going = true;
  const bool lowered = lowers(model.format) && !model.graphs.at(0).ops.empty();
  const Lowered low = lowered ? lower(model) : Lowered{};
  Import import;
  try {
    import = import_model(lowered ? low.model : model, going);
    a.imported = !import.stopped;
    a.import_note = import.stopped.value_or("");
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::cancelled) throw;
    import.stopped = e.what();
    a.import_note = e.what();
  }
  a.notes.insert(a.notes.end(), import.notes.begin(), import.notes.end());
  if (lowered) {
    a.unknown = low.unknown;
    count_lowered(a, model, low, import);
  } else if (model.format == "tflite" || model.format == "onnx") {
    a.unknown = unknown_operators(model);
    count_layers(a, model, import);
  } else {
    count_declared(a, model);
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
  measure_files(a, model, file);
  a.canonical = canonical_hash(model);
  a.metadata = model.metadata;
  a.graphs = model.graphs.size();
  a.inputs = ports(model.graphs.at(0), model.graphs[0].inputs);
  a.outputs = ports(model.graphs[0], model.graphs[0].outputs);
  a.notes = model.remarks;
  import_for_shapes(a, model, options);
  describe_weights(a, model);
  a.tensors = fingerprints(model);
  guess(a, model);
  return a;
}

}  // namespace thimble::gauge
