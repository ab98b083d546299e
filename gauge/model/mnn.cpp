// Reads MNN models (FlatBuffers without an identifier): operators with their parameters, and their weights, plain, as
// halves, or packed by MNN's own quantisation, which are kept as bytes.
#include <algorithm>

#include "gauge/model/mnn_schema.h"
#include "gauge/model/readers.h"
#include "gauge/model/tf_nodes.h"
#include "gauge/wire/flatbuffer.h"

namespace thimble::gauge {
namespace {

class MnnReader {
 public:
  MnnReader(Model& model, Bytes bytes) : model_(model), buffer_(bytes), budget_(bytes.size()) {}

  void run() {
    const FlatTable root = FlatTable::root(buffer_);
    const auto ops = root.vector<FlatTable>(10);
    const auto names = root.vector<std::string_view>(18);
    const auto source = root.scalar<std::uint8_t>(16, 0);
    if (ops.empty() || names.empty()) fail(ErrorKind::bad_file, "MNN: no operators, or no tensors");
    if (source > 8) fail(ErrorKind::bad_file, "MNN: made from format {}, which there is not", source);
    static constexpr const char* kSources[] = {"Caffe", "TensorFlow", "TFLite", "ONNX", "TorchScript"};
    model_.producer = source < std::size(kSources) ? std::string("from ") + kSources[source] : "";
    ModelGraph& g = model_.graphs.emplace_back();
    g.name = root.string(4);
    GraphBuilder b(g);
    fill(names, ops, b);
    outputs(root, b);
    const auto subgraphs = root.vector<FlatTable>(24);
    budget_.take(subgraphs.size());
    for (std::uint32_t i = 0; i < subgraphs.size(); ++i) subgraph(subgraphs[i]);
  }

 private:
  // The tensors of a graph, which have names alone, and its operators.
  void fill(const FlatVector<std::string_view>& names, const FlatVector<FlatTable>& ops, GraphBuilder& b) {
    budget_.take(names.size());
    for (std::uint32_t i = 0; i < names.size(); ++i) {
      ModelTensor t;
      t.name = names[i];
      t.has_shape = false;
      b.add(std::move(t));
    }
    budget_.take(ops.size());
    for (std::uint32_t i = 0; i < ops.size(); ++i) read_op(ops[i], b);
  }

  void outputs(const FlatTable& root, GraphBuilder& b) {
    const auto list = root.vector<std::string_view>(12);
    ModelGraph& g = model_.graphs[0];
    budget_.take(list.size());
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      const auto it = std::ranges::find(g.tensors, list[i], &ModelTensor::name);
      if (it != g.tensors.end()) g.outputs.push_back(static_cast<std::int32_t>(it - g.tensors.begin()));
    }
    if (g.outputs.empty()) b.close();
  }

  void subgraph(const FlatTable& from) {
    ModelGraph& g = model_.graphs.emplace_back();
    g.name = from.string(4);
    g.parent = 0;
    GraphBuilder b(g);
    fill(from.vector<std::string_view>(10), from.vector<FlatTable>(12), b);
  }

  std::vector<std::int32_t> indices(const FlatVector<std::int32_t>& v) {
    budget_.take(v.size());
    std::vector<std::int32_t> out;
    const auto most = static_cast<std::int32_t>(model_.graphs.back().tensors.size());
    for (std::uint32_t i = 0; i < v.size(); ++i) {
      if (v[i] < -1 || v[i] >= most) fail(ErrorKind::bad_file, "MNN: tensor {} of {} is named", v[i], most);
      out.push_back(v[i]);
    }
    return out;
  }

  void read_op(const FlatTable& t, GraphBuilder& b) {
    const auto type = t.scalar<std::int32_t>(14, 0);
    const auto kind = t.scalar<std::uint8_t>(6, 0);
    const auto parameters = kind == 0 ? std::nullopt : t.table(8);
    const std::string name(t.string(10));
    std::vector<std::int32_t> inputs = indices(t.vector<std::int32_t>(4));
    const std::vector<std::int32_t> outputs = indices(t.vector<std::int32_t>(12));
    const std::string op_name = mnn_op_name(type);
    if (op_name == "Input" && parameters) {
      input(*parameters, kind, outputs, b);
      return;
    }
    std::map<std::string, Attribute, std::less<>> attributes;
    attributes["bottoms"] = static_cast<std::int64_t>(inputs.size());
    if (parameters) {
      if (kind == kMnnBlob && !outputs.empty() && outputs[0] >= 0) {  // Const and its like
        ModelTensor& to = b.tensor(outputs[0]);
        ModelTensor blob = read_blob(*parameters, name);
        blob.name = to.name;
        to = std::move(blob);
      }
      if (kind == kMnnConvolution) convolution(*parameters, name, attributes, inputs, b);
      if (kind == kMnnInnerProduct) inner_product(*parameters, name, inputs, b);
      read_fields(*parameters, kind, mnn_fields(), name, attributes, inputs, b);
    }
    ModelOp& op = b.op(op_name, name);
    op.inputs = std::move(inputs);
    op.outputs = outputs;
    op.attributes = std::move(attributes);
  }

  void input(const FlatTable& p, std::uint8_t kind, const std::vector<std::int32_t>& outputs, GraphBuilder& b) {
    if (outputs.size() != 1 || outputs[0] < 0) fail(ErrorKind::bad_file, "MNN: an input of {} tensors", outputs.size());
    ModelTensor& t = b.tensor(outputs[0]);
    t.type = element_type("f32");
    if (kind == kMnnInput) {
      const auto dims = p.vector<std::int32_t>(4);
      for (std::uint32_t i = 0; i < std::min(dims.size(), 16u); ++i) t.shape.push_back(dims[i] < 1 ? -1 : dims[i]);
      t.has_shape = true;
      const ElementType type = tf_element(std::uint64_t{p.scalar<std::uint32_t>(6, 1)});
      if (!type.name.empty()) t.type = type;
    }
    model_.graphs.back().inputs.push_back(outputs[0]);
  }

  void read_fields(const FlatTable& t, std::uint8_t kind, std::span<const MnnField> fields, const std::string& name,
                   std::map<std::string, Attribute, std::less<>>& attributes, std::vector<std::int32_t>& inputs,
                   GraphBuilder& b) {
    for (const MnnField& f : fields) {
      if (f.parameter != kind) continue;
      const auto fallback = static_cast<std::int64_t>(f.fallback);
      Attribute& a = attributes[std::string(f.name)];
      switch (f.kind) {
        case MnnField::whole:
          a = std::int64_t{t.scalar<std::int32_t>(f.slot, static_cast<std::int32_t>(fallback))};
          break;
        case MnnField::byte: a = std::int64_t{t.scalar<std::int8_t>(f.slot, static_cast<std::int8_t>(fallback))}; break;
        case MnnField::flag: a = std::int64_t{t.scalar<std::uint8_t>(f.slot, fallback != 0 ? 1 : 0) != 0}; break;
        case MnnField::real: a = double{t.scalar<float>(f.slot, static_cast<float>(f.fallback))}; break;
        case MnnField::ints: {
          const auto v = t.vector<std::int32_t>(f.slot);
          budget_.take(v.size());
          std::vector<std::int64_t> list;
          for (std::uint32_t i = 0; i < v.size(); ++i) list.push_back(v[i]);
          a = list;
          break;
        }
        case MnnField::weights:
          attributes.erase(std::string(f.name));
          numbers(t.vector<float>(f.slot), name + "." + std::string(f.name), {}, inputs, b);
      }
    }
  }

  void numbers(const FlatVector<float>& v, const std::string& name, graph::Shape shape,
               std::vector<std::int32_t>& inputs, GraphBuilder& b) {
    if (v.empty()) return;
    if (shape.empty() || graph::element_count(shape) != static_cast<std::int64_t>(v.size()))
      shape = {static_cast<std::int64_t>(v.size())};
    inputs.push_back(b.add(constant_tensor(name, element_type("f32"), shape, v.bytes())));
  }

  void convolution(const FlatTable& t, const std::string& name,
                   std::map<std::string, Attribute, std::less<>>& attributes, std::vector<std::int32_t>& inputs,
                   GraphBuilder& b) {
    const auto common = t.table(4);
    if (!common) fail(ErrorKind::bad_file, "MNN: convolution '{}' lacks its sizes", printable(name));
    read_fields(*common, kMnnConvolution, mnn_convolution_fields(), name, attributes, inputs, b);
    const auto get = [&](const char* key) { return std::get<std::int64_t>(attributes[key]); };
    const std::int64_t o = get("outputs"), i = get("inputs"), g = std::max<std::int64_t>(get("group"), 1),
                       kh = get("kernel_y"), kw = get("kernel_x");
    graph::Shape shape{o, i / g, kh, kw};
    for (const std::int64_t d : shape) {
      if (d < 1 || d > (1 << 24)) shape = {};
    }
    numbers(t.vector<float>(6), name + ".weight", shape, inputs, b);
    if (const auto packed = t.table(10)) quantised(*packed, name + ".weight", shape, inputs, b);
    numbers(t.vector<float>(8), name + ".bias", {}, inputs, b);
    if (const auto whole = t.table(12)) {
      const auto w = whole->vector<std::uint8_t>(4);
      if (!w.empty()) {
        inputs.push_back(b.add(
            constant_tensor(name + ".weight", element_type("i8"), {static_cast<std::int64_t>(w.size())}, w.bytes())));
      }
    }
    outside(t.vector<std::int64_t>(16));
  }

  // In another file: offsets and lengths.
  void outside(const FlatVector<std::int64_t>& place) {
    if (!place.empty() && !said_outside_) {
      model_.remarks.push_back("some weights lie in a .weight file of their own, which is not read");
      said_outside_ = true;
    }
  }

  void inner_product(const FlatTable& t, const std::string& name, std::vector<std::int32_t>& inputs, GraphBuilder& b) {
    const std::int64_t o = t.scalar<std::int32_t>(4, 0), size = t.scalar<std::int32_t>(8, 0);
    const graph::Shape shape = o > 0 && size > 0 && size % o == 0 ? graph::Shape{o, size / o} : graph::Shape{};
    numbers(t.vector<float>(10), name + ".weight", shape, inputs, b);
    if (const auto packed = t.table(18)) quantised(*packed, name + ".weight", shape, inputs, b);
    numbers(t.vector<float>(12), name + ".bias", {}, inputs, b);
  }

  // Kind 3 is plain halves; the others are MNN's packing with a table of values or a scale a channel.
  void quantised(const FlatTable& t, const std::string& name, graph::Shape shape, std::vector<std::int32_t>& inputs,
                 GraphBuilder& b) {
    const auto bytes = t.vector<std::uint8_t>(4);
    const auto kind = t.scalar<std::int32_t>(8, 0);
    if (bytes.empty()) return;
    const auto n = static_cast<std::int64_t>(bytes.size());
    if (kind == 3) {
      if (shape.empty() || graph::element_count(shape) * 2 != n) shape = {n / 2};
      inputs.push_back(b.add(
          constant_tensor(name, element_type("f16"), shape, bytes.bytes().first(static_cast<std::size_t>(n / 2 * 2)))));
      return;
    }
    if (shape.empty()) shape = {n};
    inputs.push_back(
        b.add(constant_tensor(name, ElementType{kind == 2 ? "packed sparse" : "packed", 0, {}}, shape, bytes.bytes())));
    const auto alpha = t.vector<float>(6);
    numbers(alpha, name + ".scale", {}, inputs, b);
  }

  ModelTensor read_blob(const FlatTable& t, const std::string& name) {
    graph::Shape shape;
    const auto dims = t.vector<std::int32_t>(4);
    budget_.take(dims.size());
    for (std::uint32_t i = 0; i < dims.size(); ++i) shape.push_back(dims[i]);
    const ElementType type = tf_element(std::uint64_t{t.scalar<std::uint32_t>(8, 1)});
    outside(t.vector<std::int64_t>(22));
    Bytes bytes = t.vector<float>(18).bytes();
    if (bytes.empty()) bytes = t.vector<std::int32_t>(14).bytes();
    if (bytes.empty()) bytes = t.vector<std::uint8_t>(12).bytes();
    if (bytes.empty()) bytes = t.vector<std::uint8_t>(10).bytes();
    if (bytes.empty()) bytes = t.vector<std::int64_t>(16).bytes();
    std::int64_t elements = 1;
    for (const std::int64_t d : shape) {
      if (d < 0 || __builtin_mul_overflow(elements, d, &elements)) {
        fail(ErrorKind::bad_file, "MNN: constant '{}' {}", printable(name), graph::to_string(shape));
      }
    }
    // The list that is used tells the width; the type alone does not.
    const bool fits = type.bits > 0 && static_cast<std::uint64_t>(elements) <= bytes.size() * 8 &&
                      static_cast<std::uint64_t>(elements) * static_cast<std::uint64_t>(type.bits) == bytes.size() * 8;
    if (!fits) {
      ModelTensor other = constant_tensor(name, ElementType{"packed", 0, {}}, shape, bytes);
      other.constant = !bytes.empty();
      return other;
    }
    return constant_tensor(name, type, shape, bytes);
  }

  Model& model_;
  FlatBuffer buffer_;
  Budget budget_;
  bool said_outside_ = false;
};

}  // namespace

Model read_mnn(const ModelSource& source) {
  Model model = start_model("mnn", source);
  MnnReader(model, source.bytes).run();
  return model;
}

}  // namespace thimble::gauge
