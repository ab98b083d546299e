// Reads SNPE's deep learning containers, of which the zip was opened before: the network in `model`, its numbers in
// `model.params`, some text in `dlc.metadata`. Both binary files are FlatBuffers behind a header of their own, of major
// versions 3 and 4. The format is not published; what others found out of it is read: names, types, connections, shapes
// and weights.
#include <algorithm>

#include "gauge/model/readers.h"
#include "gauge/wire/flatbuffer.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kHeader = 8;  // D5 0A, major, minor, four bytes more

struct Part {
  int version = 0;
  std::string_view id;  // "NETD", "NETP", "NR64"
  Bytes bytes;          // the FlatBuffer
};

Part part_of_dlc(Bytes bytes) {
  Part p;
  if (starts_with(bytes, "\xd5\x0a")) {
    p.version = bytes.size() >= 4 ? load<std::uint16_t>(bytes, 2) : 0;
    if (p.version != 3 && p.version != 4) fail(ErrorKind::unsupported, "DLC version {}; 3 and 4 are read", p.version);
    if (bytes.size() < kHeader + 8) fail_truncated("DLC: {} bytes", bytes.size());
    p.bytes = bytes.subspan(kHeader);
  } else {
    if (bytes.size() < 8) fail_truncated("DLC: {} bytes", bytes.size());
    p.version = 3;
    p.bytes = bytes;
  }
  p.id = text_of(p.bytes.subspan(4, 4));
  return p;
}

ElementType element_3(std::uint8_t type) {  // 6 bytes, 9 floats
  return type == 6 ? element_type("u8") : type == 9 ? element_type("f32") : ElementType{"unknown", 0, {}};
}

ElementType element_4(std::int32_t type) {
  switch (type) {
    case 0x0008: return element_type("i8");
    case 0x0016: return element_type("i16");
    case 0x0032: return element_type("i32");
    case 0x0064: return element_type("i64");
    case 0x0108: return element_type("u8");
    case 0x0116: return element_type("u16");
    case 0x0132: return element_type("u32");
    case 0x0216: return element_type("f16");
    case 0x0232: return element_type("f32");
    case 0x0308: return {"qi8", 8, {}};
    case 0x0332: return {"qi32", 32, {}};
    case 0x0408: return {"qu8", 8, {}};
    case 0x0416: return {"qu16", 16, {}};
    case 0x0508: return element_type("bool");
    default: return {"unknown", 0, {}};
  }
}

class DlcReader {
 public:
  DlcReader(Model& model, const ModelSource& source, std::uint64_t bytes)
      : model_(model), source_(source), budget_(bytes), graph_(model.graphs.emplace_back()), builder_(graph_) {}

  void run(const Part& net, const std::optional<Part>& params) {
    model_.version = net.version;
    if (net.id != "NETD") fail(ErrorKind::bad_file, "DLC: the network's identifier is '{}'", printable(net.id));
    const FlatBuffer network(net.bytes), numbers(params ? params->bytes : Bytes{});
    if (net.version == 3) {
      if (params) weights_3(numbers);
      network_3(network);
    } else {
      if (params && params->id == "NETP") weights_4(numbers);
      if (params && params->id != "NETP") model_.remarks.push_back("its parameters are of a kind that is not read");
      network_4(network);
    }
    if (graph_.ops.empty()) fail(ErrorKind::bad_file, "DLC: the network has no layers");
    builder_.close();
    metadata();
  }

 private:
  void metadata() {
    const auto text = part_of(model_, source_, "dlc.metadata");
    if (!text) return;
    std::string_view rest = text_of(*text);
    while (!rest.empty() && model_.producer.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      if (line.starts_with("converter-command="))
        model_.producer = line.substr(18, std::min<std::size_t>(line.find(' '), 96) - 18);
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
  }

  // ---- version 3 ----

  void weights_3(const FlatBuffer& buffer) {
    const auto nodes = FlatTable::root(buffer).vector<FlatTable>(4);
    budget_.take(nodes.size());
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      const std::string name(nodes[i].string(4));
      const auto list = nodes[i].vector<FlatTable>(6);
      budget_.take(list.size());
      for (std::uint32_t k = 0; k < list.size(); ++k) {
        graph::Shape shape;
        const auto dims = list[k].vector<std::int32_t>(6);
        budget_.take(dims.size());
        for (std::uint32_t d = 0; d < dims.size(); ++d) shape.push_back(dims[d]);
        const auto data = list[k].table(8);
        if (!data) continue;
        const ElementType type = element_3(data->scalar<std::uint8_t>(4, 0));
        const Bytes bytes = type.bits == 32 ? data->vector<float>(8).bytes() : data->vector<std::uint8_t>(6).bytes();
        weights_[name].push_back(constant_tensor(name + "." + std::string(list[k].string(4)), type, shape, bytes));
      }
    }
  }

  void network_3(const FlatBuffer& buffer) {
    const auto nodes = FlatTable::root(buffer).vector<FlatTable>(6);
    budget_.take(nodes.size());
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      const FlatTable& n = nodes[i];
      const std::string name(n.string(6)), type(n.string(8));
      const auto shapes = output_dims(n);
      const auto outputs = n.vector<std::string_view>(12);
      budget_.take(outputs.size());
      if (type == "Input" || type == "data") {
        for (std::uint32_t k = 0; k < outputs.size(); ++k) {
          ModelTensor t = shaped(outputs[k], k < shapes.size() ? shapes[k] : std::nullopt);
          builder_.input(std::move(t));
        }
        continue;
      }
      std::vector<std::int32_t> in, out;
      const auto inputs = n.vector<std::string_view>(10);
      budget_.take(inputs.size());
      for (std::uint32_t k = 0; k < inputs.size(); ++k) in.push_back(builder_.read(inputs[k]));
      if (const auto w = weights_.find(name); w != weights_.end()) {
        for (ModelTensor& t : w->second) in.push_back(builder_.add(std::move(t)));
        w->second.clear();
      }
      for (std::uint32_t k = 0; k < outputs.size(); ++k) {
        const std::int32_t t = builder_.write(outputs[k]);
        ModelTensor made = shaped(outputs[k], k < shapes.size() ? shapes[k] : std::nullopt);
        builder_.tensor(t) = std::move(made);
        out.push_back(t);
      }
      ModelOp& op = builder_.op(type.empty() ? "unknown" : type, name);
      op.inputs = std::move(in);
      op.outputs = std::move(out);
    }
  }

  static ModelTensor shaped(std::string_view name, const std::optional<graph::Shape>& shape) {
    ModelTensor t;
    t.name = name;
    t.type = element_type("f32");
    t.has_shape = shape.has_value();
    if (shape) t.shape = *shape;
    return t;
  }

  // The attribute OutputDims: a list of attributes with a list of whole numbers each.
  std::vector<std::optional<graph::Shape>> output_dims(const FlatTable& node) {
    std::vector<std::optional<graph::Shape>> out;
    const auto attributes = node.vector<FlatTable>(14);
    budget_.take(attributes.size());
    for (std::uint32_t i = 0; i < attributes.size(); ++i) {
      if (attributes[i].string(4) != "OutputDims") continue;
      const auto list = attributes[i].vector<FlatTable>(28);
      budget_.take(list.size());
      for (std::uint32_t k = 0; k < list.size(); ++k) {
        const auto dims = list[k].vector<std::int32_t>(22);
        budget_.take(dims.size());
        graph::Shape shape;
        for (std::uint32_t d = 0; d < dims.size(); ++d) shape.push_back(std::max(dims[d], -1));
        out.emplace_back(shape.size() > 16 ? std::nullopt : std::optional(shape));
      }
    }
    return out;
  }

  // ---- version 4 ----

  void weights_4(const FlatBuffer& buffer) {
    const auto graphs = FlatTable::root(buffer).vector<FlatTable>(4);
    budget_.take(graphs.size());
    for (std::uint32_t i = 0; i < graphs.size(); ++i) {
      const auto tensors = graphs[i].vector<FlatTable>(6);
      budget_.take(tensors.size());
      for (std::uint32_t k = 0; k < tensors.size(); ++k) {
        bytes_[std::string(tensors[k].string(4))] = tensors[k].vector<std::uint8_t>(6).bytes();
      }
    }
  }

  void network_4(const FlatBuffer& buffer) {
    const auto graphs = FlatTable::root(buffer).vector<FlatTable>(4);
    if (graphs.empty()) fail(ErrorKind::bad_file, "DLC: no graph");
    if (graphs.size() > 1) model_.remarks.push_back(fmt::format("{} graphs; the first is read", graphs.size()));
    graph_.name = graphs[0].string(4);
    const auto tensors = graphs[0].vector<FlatTable>(8);
    budget_.take(tensors.size());
    for (std::uint32_t i = 0; i < tensors.size(); ++i) tensor_4(tensors[i]);
    const auto nodes = graphs[0].vector<FlatTable>(6);
    budget_.take(nodes.size());
    for (std::uint32_t i = 0; i < nodes.size(); ++i) {
      std::vector<std::int32_t> in, out;
      const auto inputs = nodes[i].vector<std::string_view>(8), outputs = nodes[i].vector<std::string_view>(10);
      budget_.take(std::uint64_t{inputs.size()} + outputs.size());
      for (std::uint32_t k = 0; k < inputs.size(); ++k) in.push_back(builder_.read(inputs[k]));
      for (std::uint32_t k = 0; k < outputs.size(); ++k) out.push_back(builder_.read(outputs[k]));
      ModelOp& op = builder_.op(std::string(nodes[i].string(6)), nodes[i].string(4));
      op.inputs = std::move(in);
      op.outputs = std::move(out);
    }
  }

  void tensor_4(const FlatTable& t) {
    const std::string name(t.string(6));
    graph::Shape shape;
    const auto dims = t.vector<std::int32_t>(10);
    budget_.take(dims.size());
    for (std::uint32_t d = 0; d < dims.size(); ++d) shape.push_back(std::max(dims[d], -1));
    const ElementType type = element_4(t.scalar<std::int32_t>(16, 0));
    const auto stored = bytes_.find(name);
    ModelTensor out = stored != bytes_.end() ? constant_tensor(name, type, shape, stored->second)
                                             : shaped(name, shape.size() > 16 ? std::nullopt : std::optional(shape));
    out.type = type;
    if (t.scalar<std::int32_t>(8, 0) == 1) {  // where it lies: 1 is what the app gives
      builder_.input(std::move(out));
    } else {
      const std::int32_t i = builder_.add(std::move(out));
      builder_.alias(name, i);
    }
  }

  Model& model_;
  const ModelSource& source_;
  Budget budget_;
  ModelGraph& graph_;
  GraphBuilder builder_;
  std::map<std::string, std::vector<ModelTensor>> weights_;
  std::map<std::string, Bytes> bytes_;
};

}  // namespace

Model read_dlc(const ModelSource& source) {
  Model model = start_model("dlc", source);
  const Part net = part_of_dlc(source.bytes);
  std::optional<Part> params;
  std::uint64_t size = source.bytes.size();
  if (const auto bytes = part_of(model, source, "model.params")) {
    params = part_of_dlc(*bytes);
    size += bytes->size();
  } else {
    model.remarks.push_back("no model.params beside it: the network is without weights");
  }
  DlcReader(model, source, size).run(net, params);
  return model;
}

}  // namespace thimble::gauge
