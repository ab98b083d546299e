// Reads a Caffe network: weights from a .caffemodel (protobuf NetParameter, the present `layer` and the old `layers`
// form), the deployed network from the .prototxt beside it, matched by layers' names. Without the text the layers of
// the binary stand, which are those of training. Attributes are "pooling_param.kernel_size" and so on: integers,
// numbers, or words as the text form has them.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "gauge/model/caffe_fields.h"
#include "gauge/model/prototxt.h"
#include "gauge/model/readers.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

using Wire = Protobuf::Wire;

struct Layer {
  std::string name, type;
  std::vector<std::string> bottoms, tops;
  std::vector<ModelTensor> blobs;
  std::map<std::string, std::vector<std::string>> values;  // as text
  bool train_only = false;
};

struct Network {
  std::string name;
  std::vector<std::string> inputs;
  std::vector<graph::Shape> input_shapes;
  std::vector<std::int64_t> input_dims;  // four an input: the old form
  std::vector<Layer> layers;
};

std::int64_t to_integer(const std::string& text) {
  std::int64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc{} || end != text.data() + text.size()) {
    fail(ErrorKind::bad_file, "Caffe: a whole number was wanted, '{}' came", printable(text.substr(0, 40)));
  }
  return v;
}

Attribute attribute_of(const std::vector<std::string>& texts) {
  std::vector<std::int64_t> whole;
  std::vector<double> numbers;
  for (const std::string& t : texts) {
    std::int64_t w = 0;
    double d = 0;
    const char* const end = t.data() + t.size();
    if (const auto r = std::from_chars(t.data(), end, w); r.ec == std::errc{} && r.ptr == end) whole.push_back(w);
    if (const auto r = std::from_chars(t.data(), end, d); r.ec == std::errc{} && r.ptr == end) numbers.push_back(d);
  }
  if (whole.size() == texts.size()) return texts.size() == 1 ? Attribute(whole[0]) : Attribute(whole);
  if (numbers.size() == texts.size()) return texts.size() == 1 ? Attribute(numbers[0]) : Attribute(numbers);
  return texts[0];
}

// ---- the text form ----

void flatten(const std::vector<TextField>& fields, const std::string& prefix, Layer& to) {
  for (const TextField& f : fields) {
    const std::string key = prefix + std::string(f.key);
    if (f.is_message) {
      if (f.key.ends_with("filler")) continue;  // how training begins
      flatten(f.message, key + ".", to);
    } else {
      to.values[key].push_back(f.value);
    }
  }
}

graph::Shape shape_of(const std::vector<TextField>& fields) {
  graph::Shape out;
  for (const TextField& f : fields) {
    if (f.key == "dim") out.push_back(to_integer(f.value));
  }
  return out;
}

Layer text_layer(const std::vector<TextField>& fields) {
  Layer out;
  for (const TextField& f : fields) {
    if (f.key == "name") {
      out.name = f.value;
    } else if (f.key == "type") {
      out.type = caffe_type(f.value);
    } else if (f.key == "bottom") {
      out.bottoms.push_back(f.value);
    } else if (f.key == "top") {
      out.tops.push_back(f.value);
    } else if (f.key == "include" && f.is_message) {
      for (const TextField& i : f.message) out.train_only = out.train_only || (i.key == "phase" && i.value == "TRAIN");
    } else if (f.is_message && f.key != "param") {
      flatten(f.message, std::string(f.key) + ".", out);
    }
  }
  return out;
}

Network text_network(std::string_view text) {
  Network net;
  for (const TextField& f : parse_prototxt(text)) {
    if (f.key == "name") net.name = f.value;
    if (f.key == "input") net.inputs.push_back(f.value);
    if (f.key == "input_dim") net.input_dims.push_back(to_integer(f.value));
    if (f.key == "input_shape") net.input_shapes.push_back(shape_of(f.message));
    if (f.is_message && (f.key == "layer" || f.key == "layers")) net.layers.push_back(text_layer(f.message));
  }
  return net;
}

// ---- the binary form ----

class BinaryReader {
 public:
  explicit BinaryReader(Model& model) : model_(model), budget_(model.content.size()) {}

  Network network(Bytes bytes) {
    Network net;
    Protobuf p(bytes, "Caffe network");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) net.name = p.text();
      if (p.is(3, Wire::kBytes)) net.inputs.emplace_back(p.text());
      if (p.is(4, Wire::kVarint)) net.input_dims.push_back(p.signed_value());
      if (p.is(8, Wire::kBytes)) net.input_shapes.push_back(dims(p.bytes(), 1));
      if (p.is(100, Wire::kBytes)) net.layers.push_back(layer(p.bytes()));
      if (p.is(2, Wire::kBytes)) net.layers.push_back(old_layer(p.bytes()));
    }
    return net;
  }

 private:
  // Packed or not.
  graph::Shape dims(Bytes bytes, std::uint32_t field) {
    graph::Shape out;
    Protobuf p(bytes, "Caffe shape");
    while (p.next()) {
      if (p.is(field, Wire::kVarint)) out.push_back(p.signed_value());
      if (!p.is(field, Wire::kBytes)) continue;
      Reader r(p.bytes(), "Caffe shape");
      while (!r.done()) out.push_back(static_cast<std::int64_t>(r.varint()));
    }
    budget_.take(out.size());
    return out;
  }

  ModelTensor blob(Bytes bytes) {
    graph::Shape old(4, 1), shape;
    bool has_shape = false;
    Bytes packed;
    std::vector<float> loose;
    bool doubles = false;
    Protobuf p(bytes, "Caffe blob");
    while (p.next()) {
      if (p.field() <= 4 && p.wire() == Wire::kVarint) old[p.field() - 1] = p.signed_value();
      if (p.is(5, Wire::kBytes) || p.is(8, Wire::kBytes)) {
        if (!packed.empty()) fail(ErrorKind::bad_file, "Caffe blob: its numbers stand in two places");
        packed = p.bytes();
        doubles = p.field() == 8;
      }
      if (p.is(5, Wire::kFixed32)) loose.push_back(p.float_value());
      if (p.is(7, Wire::kBytes)) {
        shape = dims(p.bytes(), 1);
        has_shape = true;
      }
    }
    if (!has_shape) shape = old;
    if (!loose.empty()) return stored_tensor(model_, "", shape, loose);
    return constant_tensor("", element_type(doubles ? "f64" : "f32"), shape, packed);
  }

  void parameters(std::string_view name, const std::vector<CaffeField>& fields, Bytes bytes, Layer& to) {
    Protobuf p(bytes, "Caffe parameters");
    while (p.next()) {
      budget_.take(1);
      for (const CaffeField& f : fields) {
        if (f.number != p.field()) continue;
        auto& values = to.values[fmt::format("{}.{}", name, f.name)];
        if (f.kind == CaffeField::message && p.wire() == Wire::kBytes) {
          for (const std::int64_t d : dims(p.bytes(), 1))
            to.values[fmt::format("{}.{}.dim", name, f.name)].push_back(std::to_string(d));
        } else if (p.wire() == Wire::kFixed32) {
          values.push_back(fmt::format("{}", p.float_value()));
        } else if (p.wire() == Wire::kVarint && f.kind == CaffeField::word) {
          values.push_back(p.value() < f.words.size() ? std::string(f.words[p.value()]) : "unknown");
        } else if (p.wire() == Wire::kVarint) {
          values.push_back(std::to_string(p.signed_value()));
        } else if (p.wire() == Wire::kBytes && f.kind == CaffeField::whole) {
          Reader r(p.bytes(), "Caffe numbers");
          while (!r.done()) values.push_back(std::to_string(static_cast<std::int64_t>(r.varint())));
        }
        if (values.empty()) to.values.erase(fmt::format("{}.{}", name, f.name));
      }
    }
  }

  Layer layer(Bytes bytes) {
    Layer out;
    Protobuf p(bytes, "Caffe layer");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) out.name = p.text();
      if (p.is(2, Wire::kBytes)) out.type = p.text();
      if (p.is(3, Wire::kBytes)) out.bottoms.emplace_back(p.text());
      if (p.is(4, Wire::kBytes)) out.tops.emplace_back(p.text());
      if (p.is(7, Wire::kBytes)) out.blobs.push_back(blob(p.bytes()));
      if (p.wire() == Wire::kBytes && p.field() >= 100) {
        if (const CaffeMessage* m = caffe_message(p.field(), false)) parameters(m->name, m->fields, p.bytes(), out);
      }
    }
    if (out.type.empty()) fail(ErrorKind::bad_file, "Caffe: layer '{}' has no type", printable(out.name));
    return out;
  }

  Layer old_layer(Bytes bytes) {
    Layer out;
    Protobuf p(bytes, "Caffe layer");
    while (p.next()) {
      budget_.take(1);
      if (p.is(2, Wire::kBytes)) out.bottoms.emplace_back(p.text());
      if (p.is(3, Wire::kBytes)) out.tops.emplace_back(p.text());
      if (p.is(4, Wire::kBytes)) out.name = p.text();
      if (p.is(5, Wire::kVarint)) out.type = caffe_old_type(p.value());
      if (p.is(6, Wire::kBytes)) out.blobs.push_back(blob(p.bytes()));
      if (p.wire() == Wire::kBytes && p.field() > 6) {
        if (const CaffeMessage* m = caffe_message(p.field(), true)) parameters(m->name, m->fields, p.bytes(), out);
      }
    }
    if (out.type.empty()) fail(ErrorKind::bad_file, "Caffe: layer '{}' has no type", printable(out.name));
    return out;
  }

  Model& model_;
  Budget budget_;
};

// ---- both ----

void add_input(GraphBuilder& b, const std::string& name, graph::Shape shape) {
  ModelTensor t;
  t.name = name;
  t.type = element_type("f32");
  t.has_shape = !shape.empty();
  for (const std::int64_t d : shape) {
    if (d < 0)
      fail(ErrorKind::bad_file, "Caffe: input '{}' has the shape {}", printable(name), graph::to_string(shape));
  }
  t.shape = std::move(shape);
  b.input(std::move(t));
}

void build(const Network& net, const std::map<std::string, const Layer*>& weights, Model& model) {
  ModelGraph& g = model.graphs.emplace_back();
  g.name = net.name;
  GraphBuilder b(g);
  for (std::size_t i = 0; i < net.inputs.size(); ++i) {
    graph::Shape shape;
    if (i < net.input_shapes.size()) {
      shape = net.input_shapes[i];
    } else if (net.input_dims.size() >= 4 * (i + 1)) {
      shape.assign(net.input_dims.begin() + static_cast<std::ptrdiff_t>(4 * i),
                   net.input_dims.begin() + static_cast<std::ptrdiff_t>(4 * i + 4));
    }
    add_input(b, net.inputs[i], shape);
  }
  for (const Layer& l : net.layers) {
    if (l.train_only) continue;
    if (l.type == "Input") {
      const auto dims = l.values.find("input_param.shape.dim");
      graph::Shape shape;
      if (dims != l.values.end()) {
        for (const std::string& d : dims->second) shape.push_back(to_integer(d));
      }
      for (const std::string& top : l.tops) add_input(b, top, shape);
      continue;
    }
    std::vector<std::int32_t> inputs, outputs;
    for (const std::string& bottom : l.bottoms) inputs.push_back(b.read(bottom));
    const auto stored = weights.find(l.name);
    if (stored != weights.end()) {
      std::size_t n = 0;
      for (ModelTensor blob : stored->second->blobs) {
        blob.name = fmt::format("{}.{}", l.name, n++);
        inputs.push_back(b.add(std::move(blob)));
      }
    }
    for (const std::string& top : l.tops) outputs.push_back(b.write(top));
    ModelOp& op = b.op(l.type, l.name);
    op.inputs = std::move(inputs);
    op.outputs = std::move(outputs);
    op.attributes["bottoms"] = static_cast<std::int64_t>(l.bottoms.size());
    for (const auto& [key, texts] : l.values) op.attributes[key] = attribute_of(texts);
  }
  b.close();
}

}  // namespace

Model read_caffe(const ModelSource& source) {
  Model model = start_model("caffe", source);
  BinaryReader reader(model);
  const Network binary = reader.network(source.bytes);
  if (binary.layers.empty()) fail(ErrorKind::bad_file, "Caffe: the network has no layers");
  std::map<std::string, const Layer*> weights;
  std::size_t blobs = 0;
  for (const Layer& l : binary.layers) {
    blobs += l.blobs.size();
    if (!l.blobs.empty() && !weights.emplace(l.name, &l).second) {
      fail(ErrorKind::bad_file, "Caffe: two layers with weights are called '{}'", printable(l.name));
    }
  }
  if (blobs == 0) fail(ErrorKind::bad_file, "Caffe: no layer has weights");
  const auto text = part_of(model, source, stem_of(source.path) + ".prototxt");
  if (!text) {
    model.remarks.push_back("no .prototxt beside it: the layers are those that the weights were trained with");
    build(binary, weights, model);
    return model;
  }
  const Network deployed = text_network(text_of(*text));
  std::size_t used = 0;
  for (const Layer& l : deployed.layers) used += weights.contains(l.name) ? 1 : 0;
  if (used < weights.size()) {
    model.remarks.push_back(
        fmt::format("{} of {} layers with weights are not in the .prototxt", weights.size() - used, weights.size()));
  }
  build(deployed, weights, model);
  return model;
}

}  // namespace thimble::gauge
