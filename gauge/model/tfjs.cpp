// Reads TensorFlow.js models: a JSON text with a graph of TensorFlow nodes, or with Keras layers, or with nothing but a
// manifest of weights; the weights lie one after another in the shards that the manifest names. Quantised weights keep
// their stored numbers, with a scale and a least value.
#include <algorithm>
#include <charconv>

#include "base/json.h"
#include "gauge/model/json_fields.h"
#include "gauge/model/tf_nodes.h"
#include "gauge/model/tfjs_layers.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kMostShards = 4096;
constexpr int kMostDepth = 64;

// ---- JSON, carefully: every access says what was wanted ----

std::int64_t whole(const Json& v) {
  if (v.is_number_integer()) return v.get<std::int64_t>();
  if (v.is_number()) return static_cast<std::int64_t>(std::clamp(v.get<double>(), -9e18, 9e18));
  if (v.is_string()) {  // protobuf's JSON writes 64-bit numbers as texts
    const std::string& s = v.get_ref<const std::string&>();
    std::int64_t n = 0;
    const auto r = std::from_chars(s.data(), s.data() + s.size(), n);
    if (r.ec == std::errc{} && r.ptr == s.data() + s.size()) return n;
  }
  fail(ErrorKind::bad_file, "TF.js: a whole number was wanted, {} came", v.type_name());
}

std::string from_base64(const std::string& text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    int v = -1;
    if (c >= 'A' && c <= 'Z') v = c - 'A';
    if (c >= 'a' && c <= 'z') v = c - 'a' + 26;
    if (c >= '0' && c <= '9') v = c - '0' + 52;
    if (c == '+' || c == '-') v = 62;
    if (c == '/' || c == '_') v = 63;
    if (v < 0) continue;
    bits = bits << 6 | static_cast<std::uint32_t>(v);
    if (++count == 4) {
      out += static_cast<char>(bits >> 16 & 255);
      out += static_cast<char>(bits >> 8 & 255);
      out += static_cast<char>(bits & 255);
      count = 0;
    }
  }
  if (count >= 2) out += static_cast<char>(bits >> (count == 2 ? 4 : 10) & 255);
  if (count == 3) out += static_cast<char>(bits >> 2 & 255);
  return out;
}

graph::Shape shape_of(const Json& v) {  // {"dim": [{"size": "1"}]}
  graph::Shape out;
  if (const Json* dims = member(v, "dim"); dims != nullptr && dims->is_array()) {
    for (const Json& d : *dims) {
      const Json* size = member(d, "size");
      out.push_back(size != nullptr ? whole(*size) : 0);
      if (out.back() < -1 || out.size() > 16) fail(ErrorKind::bad_file, "TF.js: the shape {}", graph::to_string(out));
    }
  }
  return out;
}

std::optional<Attribute> attribute_of(const Json& v) {
  if (const Json* s = member(v, "s")) return Attribute(s->is_string() ? from_base64(s->get<std::string>()) : "");
  if (const Json* i = member(v, "i")) return Attribute(whole(*i));
  if (const Json* f = member(v, "f")) return f->is_number() ? Attribute(f->get<double>()) : Attribute(0.0);
  if (const Json* b = member(v, "b")) return Attribute(std::int64_t{b->is_boolean() && b->get<bool>()});
  if (const Json* t = member(v, "type")) return t->is_string() ? Attribute(t->get<std::string>()) : Attribute("");
  if (const Json* s = member(v, "shape")) {
    if (const Json* unknown = member(*s, "unknownRank"); unknown != nullptr && *unknown == true) return std::nullopt;
    return Attribute(shape_of(*s));
  }
  const Json* list = member(v, "list");
  if (list == nullptr) return std::nullopt;
  if (const Json* i = member(*list, "i"); i != nullptr && i->is_array()) {
    std::vector<std::int64_t> out;
    for (const Json& n : *i) out.push_back(whole(n));
    return Attribute(out);
  }
  if (const Json* f = member(*list, "f"); f != nullptr && f->is_array()) {
    std::vector<double> out;
    for (const Json& n : *f) out.push_back(n.is_number() ? n.get<double>() : 0);
    return Attribute(out);
  }
  if (const Json* s = member(*list, "s"); s != nullptr && s->is_array()) {
    std::string out;
    for (const Json& n : *s) out += (out.empty() ? "" : ",") + from_base64(n.is_string() ? n.get<std::string>() : "");
    return Attribute(out);
  }
  return std::nullopt;
}

// ---- weights ----

class Manifest {
 public:
  Manifest(Model& model, const ModelSource& source) : model_(model), source_(source) {}

  void read(const Json& groups) {
    if (!groups.is_array()) fail(ErrorKind::bad_file, "TF.js: the manifest of weights is no list");
    for (const Json& g : groups) {
      const Bytes data = group_bytes(g);
      std::uint64_t at = 0;
      const Json* list = member(g, "weights");
      if (list == nullptr || !list->is_array()) fail(ErrorKind::bad_file, "TF.js: a group without weights");
      for (const Json& w : *list) weight(w, data, at);
      if (present_ && at != data.size()) {
        fail(ErrorKind::bad_file, "TF.js: the weights take {} bytes, their shards have {}", at, data.size());
      }
    }
  }

  bool complete() const { return complete_; }
  std::map<std::string, ModelTensor, std::less<>> weights;
  std::vector<std::string> order;

 private:
  Bytes group_bytes(const Json& g) {
    std::vector<Bytes> shards;
    const Json* paths = member(g, "paths");
    present_ = paths != nullptr && paths->is_array() && !paths->empty();
    for (std::size_t i = 0; present_ && i < paths->size(); ++i) {
      if (i >= kMostShards || !(*paths)[i].is_string()) fail(ErrorKind::bad_file, "TF.js: {} shards", paths->size());
      const auto shard = part_of(model_, source_, (*paths)[i].get<std::string>());
      if (!shard) {
        model_.remarks.push_back(
            fmt::format("the shard {} is not beside it", printable((*paths)[i].get<std::string>())));
        present_ = false;
        break;
      }
      shards.push_back(*shard);
    }
    complete_ = complete_ && present_;
    if (!present_) return {};
    if (shards.size() == 1) return shards[0];
    auto& all = model_.storage.emplace_back();
    for (const Bytes s : shards) all.insert(all.end(), s.begin(), s.end());
    return all;
  }

  void weight(const Json& w, Bytes data, std::uint64_t& at) {
    const std::string name = text_in(w, "name");
    const Json* dims = member(w, "shape");
    if (name.empty() || dims == nullptr || !dims->is_array())
      fail(ErrorKind::bad_file, "TF.js: a weight without name or shape");
    graph::Shape shape;
    for (const Json& d : *dims) shape.push_back(whole(d));
    const std::string dtype = text_in(w, "dtype");
    ModelTensor t;
    const Json* q = member(w, "quantization");
    std::string stored = q != nullptr ? text_in(*q, "dtype") : dtype;
    const ElementType type = element_type(stored == "float32"     ? "f32"
                                          : stored == "float16"   ? "f16"
                                          : stored == "int32"     ? "i32"
                                          : stored == "uint16"    ? "u16"
                                          : stored == "uint8"     ? "u8"
                                          : stored == "bool"      ? "bool"
                                          : stored == "complex64" ? "c64"
                                                                  : "string");
    if (type.bits == 0) fail(ErrorKind::unsupported, "TF.js: weight '{}' holds {}", printable(name), printable(stored));
    std::uint64_t bytes = static_cast<std::uint64_t>(type.bits) / 8;
    for (const std::int64_t d : shape) {
      if (d < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(d), &bytes)) {
        fail(ErrorKind::bad_file, "TF.js: weight '{}' {}", printable(name), graph::to_string(shape));
      }
    }
    if (!present_) {
      t.name = name;
      t.type = type;
      t.shape = shape;
    } else {
      if (!within(data.size(), at, bytes)) {
        fail_truncated("TF.js: weight '{}' ends at {}, the shards at {}", printable(name), at + bytes, data.size());
      }
      t = constant_tensor(name, type, shape,
                          data.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(bytes)));
    }
    at += bytes;
    if (q != nullptr && stored != "float16") {
      const Json *scale = member(*q, "scale"), *least = member(*q, "min");
      if (scale == nullptr || !scale->is_number())
        fail(ErrorKind::bad_file, "TF.js: '{}' has no scale", printable(name));
      t.quantisation.scales = {static_cast<float>(scale->get<double>())};
      t.quantisation.offset = least != nullptr && least->is_number() ? least->get<double>() : 0;
      t.quantisation.integer = dtype == "int32";
    }
    order.push_back(name);
    if (!weights.emplace(name, std::move(t)).second) {
      fail(ErrorKind::bad_file, "TF.js: two weights are called '{}'", printable(name));
    }
  }

  Model& model_;
  const ModelSource& source_;
  bool present_ = true, complete_ = true;
};

// ---- graphs ----

TfNode node_of(const Json& n, const Manifest& manifest) {
  TfNode out;
  out.name = text_in(n, "name");
  out.op = text_in(n, "op");
  if (out.name.empty() || out.op.empty()) fail(ErrorKind::bad_file, "TF.js: a node without name or operator");
  if (const Json* inputs = member(n, "input"); inputs != nullptr && inputs->is_array()) {
    for (const Json& i : *inputs) {
      std::string ref = tf_reference(i.is_string() ? i.get<std::string>() : std::string());
      if (ref.size() > 2) out.inputs.push_back(std::move(ref));
    }
  }
  if (const Json* attributes = member(n, "attr"); attributes != nullptr && attributes->is_object()) {
    for (const auto& [key, value] : attributes->items()) {
      if (auto a = attribute_of(value)) out.attributes[key] = std::move(*a);
    }
  }
  if (const auto w = manifest.weights.find(out.name); w != manifest.weights.end()) out.value = w->second;
  return out;
}

std::vector<TfPort> ports_of(const Json& signature, const char* which) {
  std::vector<TfPort> out;
  const Json* list = member(signature, which);
  if (list == nullptr || !list->is_object()) return out;
  for (const auto& [key, value] : list->items()) {
    TfPort p{key, tf_reference(text_in(value, "name")), tf_element(text_in(value, "dtype")), {}, false};
    if (const Json* s = member(value, "tensorShape")) {
      p.has_shape = member(*s, "unknownRank") == nullptr && member(*s, "dim") != nullptr;
      p.shape = shape_of(*s);
    }
    if (p.tensor.size() <= 2) p.tensor = tf_reference(key);
    out.push_back(std::move(p));
  }
  return out;
}

void read_graph(const Json& root, const Json& topology, const Manifest& manifest, Model& model) {
  std::vector<TfNode> nodes;
  const Json* list = member(topology, "node");
  if (list == nullptr || !list->is_array()) fail(ErrorKind::bad_file, "TF.js: the graph has no nodes");
  for (const Json& n : *list) nodes.push_back(node_of(n, manifest));
  const Json* signature = member(root, "signature");
  if (signature == nullptr) {
    if (const Json* user = member(root, "userDefinedMetadata")) signature = member(*user, "signature");
  }
  std::vector<TfPort> inputs, outputs;
  if (signature != nullptr) {
    inputs = ports_of(*signature, "inputs");
    outputs = ports_of(*signature, "outputs");
  }
  const auto names = [&](const TfPort& p) {
    const std::string node = p.tensor.substr(0, p.tensor.rfind(':'));
    return std::ranges::any_of(nodes, [&](const TfNode& n) { return n.name == node; });
  };
  if (!std::ranges::all_of(outputs, names)) {
    model.remarks.push_back(
        "its signature names outputs that are not in the graph; what nothing reads stands for them");
    outputs.clear();
  }
  build_tf(model, std::move(nodes), inputs, outputs);
}

}  // namespace

Model read_tfjs(const ModelSource& source) {
  Model model = start_model("tfjs", source);
  int depth = 0;
  const auto shallow = [&](int, Json::parse_event_t event, Json&) {
    using Event = Json::parse_event_t;
    if (event == Event::object_start || event == Event::array_start) ++depth;
    if (event == Event::object_end || event == Event::array_end) --depth;
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "TF.js: lists within lists, more than {}", kMostDepth);
    return true;
  };
  const std::string_view text = text_of(source.bytes);
  const Json root = Json::parse(text.begin(), text.end(), shallow, false);
  if (root.is_discarded()) fail(ErrorKind::bad_file, "TF.js: no JSON");
  Manifest manifest(model, source);
  const Json* list = root.is_array() ? &root : member(root, "weightsManifest");
  if (list != nullptr) manifest.read(*list);
  const Json* topology = member(root, "modelTopology");
  if (text_in(root, "generatedBy").size() < 256) model.producer = text_in(root, "generatedBy");
  if (topology != nullptr && member(*topology, "node") != nullptr) {
    read_graph(root, *topology, manifest, model);
    return model;
  }
  if (topology != nullptr) {
    read_keras(*topology, manifest.weights, model);
    return model;
  }
  if (!root.is_array() || manifest.weights.empty()) fail(ErrorKind::bad_file, "TF.js: neither a topology nor weights");
  model.remarks.push_back("a manifest of weights alone: the layers are in a program's code");
  ModelGraph& g = model.graphs.emplace_back();
  GraphBuilder b(g);
  for (const std::string& name : manifest.order) b.add(manifest.weights.find(name)->second);
  return model;
}

}  // namespace thimble::gauge
