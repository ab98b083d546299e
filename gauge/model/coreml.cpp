// Reads Core ML models (protobuf): networks of the layer kind with their weights, and ML programs, whose weights lie in
// weights/weight.bin beside the model. Pipelines are read stage by stage; models that are no networks (trees, support
// vectors …) are one operator of their kind's name.
// Of layers the weights and the kind are read, of ML programs all types and shapes too.
#include <algorithm>
#include <cstring>

#include "gauge/model/coreml_layers.h"
#include "gauge/model/coreml_program.h"
#include "gauge/model/readers.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

using Wire = Protobuf::Wire;

constexpr int kMostDepth = 8;  // pipelines within pipelines
constexpr std::int64_t kMostVersion = 20;

class CoremlReader {
 public:
  CoremlReader(Model& model, const ModelSource& source)
      : model_(model), source_(source), budget_(source.bytes.size()), builder_(model.graphs.emplace_back()) {}

  void run() {
    read(source_.bytes, 0);
    ModelGraph& g = model_.graphs[0];
    if (g.ops.empty()) fail(ErrorKind::bad_file, "Core ML: the model has no layers");
    if (g.outputs.empty()) builder_.close();
  }

 private:
  void read(Bytes bytes, int depth) {
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "Core ML: pipelines within pipelines");
    Protobuf p(bytes, "Core ML model");
    bool known = false;
    while (p.next()) {
      if (p.is(1, Wire::kVarint) && depth == 0) {
        model_.version = p.signed_value();
        if (model_.version < 1 || model_.version > kMostVersion) {
          fail(ErrorKind::unsupported, "Core ML specification version {}; 1 to {} are read", model_.version,
               kMostVersion);
        }
      }
      if (p.wire() != Wire::kBytes) continue;
      if (p.field() == 2 && depth == 0) description(p.bytes());
      const std::uint32_t f = p.field();
      if (f < 200) continue;
      known = true;
      if (f == 303 || f == 403 || f == 500) {
        network(p.bytes());
      } else if (f == 502) {
        read_coreml_program(p.bytes(), model_, source_, budget_, builder_);
      } else if (f == 200 || f == 201) {  // a pipeline and what classes it tells apart
        Protobuf outer(p.bytes(), "Core ML pipeline");
        while (outer.next()) {
          if (outer.is(1, Wire::kBytes)) pipeline(outer.bytes(), depth);
        }
      } else if (f == 202) {
        pipeline(p.bytes(), depth);
      } else {
        builder_.op(coreml_model_kind(f), "");
      }
    }
    if (!known) fail(ErrorKind::bad_file, "Core ML: a description and no model");
  }

  void pipeline(Bytes bytes, int depth) {
    Protobuf p(bytes, "Core ML pipeline");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) read(p.bytes(), depth + 1);
    }
  }

  void description(Bytes bytes) {
    Protobuf p(bytes, "Core ML description");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) builder_.input(feature(p.bytes()));
      if (!p.is(100, Wire::kBytes)) continue;
      Protobuf m(p.bytes(), "Core ML metadata");
      while (m.next()) {
        if (m.is(1, Wire::kBytes) && m.bytes().size() < 256) model_.producer = m.text();
      }
    }
  }

  ModelTensor feature(Bytes bytes) {
    ModelTensor t;
    t.has_shape = false;
    t.type = element_type("f32");
    Protobuf p(bytes, "Core ML feature");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) t.name = p.text();
      if (!p.is(3, Wire::kBytes)) continue;
      Protobuf type(p.bytes(), "Core ML feature type");
      while (type.next()) {
        if (type.is(4, Wire::kBytes)) picture(type.bytes(), t);
        if (type.is(5, Wire::kBytes)) array(type.bytes(), t);
      }
    }
    return t;
  }

  // As a network sees it: (1, C, H, W).
  static void picture(Bytes bytes, ModelTensor& t) {
    std::int64_t w = 0, h = 0, colours = 0;
    Protobuf p(bytes, "Core ML picture");
    while (p.next()) {
      if (p.is(1, Wire::kVarint)) w = p.signed_value();
      if (p.is(2, Wire::kVarint)) h = p.signed_value();
      if (p.is(3, Wire::kVarint)) colours = p.signed_value();
    }
    if (w < 1 || h < 1 || w > (1 << 24) || h > (1 << 24)) return;
    t.shape = {1, colours == 10 ? 1 : 3, h, w};
    t.has_shape = true;
  }

  void array(Bytes bytes, ModelTensor& t) {
    Protobuf p(bytes, "Core ML array");
    while (p.next()) {
      if (p.is(1, Wire::kVarint)) t.shape.push_back(p.signed_value());
      if (p.is(1, Wire::kBytes)) {
        Reader r(p.bytes(), "Core ML shape");
        while (!r.done()) t.shape.push_back(static_cast<std::int64_t>(r.varint()));
      }
      if (p.is(2, Wire::kVarint)) {  // bits, with a flag for floats
        t.type = element_type(p.value() == 65552    ? "f16"
                              : p.value() == 65600  ? "f64"
                              : p.value() == 131104 ? "i32"
                                                    : "f32");
      }
    }
    t.has_shape = !t.shape.empty();
    for (const std::int64_t d : t.shape) {
      if (d < 0 || t.shape.size() > 16) fail(ErrorKind::bad_file, "Core ML: the shape {}", graph::to_string(t.shape));
    }
  }

  void network(Bytes bytes) {
    Protobuf p(bytes, "Core ML network");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) layer(p.bytes());
    }
  }

  void layer(Bytes bytes) {
    std::string name, type;
    std::vector<std::int32_t> inputs;
    std::vector<std::string> outputs;
    Bytes parameters;
    std::uint32_t number = 0;
    Protobuf p(bytes, "Core ML layer");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) name = p.text();
      if (p.is(2, Wire::kBytes)) inputs.push_back(builder_.read(p.text()));
      if (p.is(3, Wire::kBytes)) outputs.emplace_back(p.text());
      if (p.field() >= 100 && p.wire() == Wire::kBytes) {
        number = p.field();
        parameters = p.bytes();
      }
    }
    type = coreml_layer_kind(number);
    const auto bottoms = static_cast<std::int64_t>(inputs.size());
    for (const CoremlWeights& w : coreml_weights(number)) weights(parameters, w.path, name + "." + w.name, inputs);
    ModelOp& op = builder_.op(type, name);
    op.inputs = std::move(inputs);
    op.attributes["bottoms"] = bottoms;
    if (number == 130) op.type += activation(parameters);
    std::vector<std::int32_t> results;
    for (const std::string& o : outputs) results.push_back(builder_.write(o));
    model_.graphs[0].ops.back().outputs = std::move(results);
  }

  static std::string activation(Bytes bytes) {
    Protobuf p(bytes, "Core ML activation");
    while (p.next()) {
      if (p.wire() == Wire::kBytes) return ":" + coreml_activation_kind(p.field());
    }
    return "";
  }

  // Follows `path` of field numbers to messages of weights.
  void weights(Bytes bytes, std::span<const std::uint32_t> path, const std::string& name,
               std::vector<std::int32_t>& inputs) {
    Protobuf p(bytes, "Core ML layer");
    while (p.next()) {
      if (!p.is(path[0], Wire::kBytes)) continue;
      if (path.size() > 1) {
        weights(p.bytes(), path.subspan(1), name, inputs);
      } else if (auto t = numbers(p.bytes(), name)) {
        inputs.push_back(builder_.add(std::move(*t)));
      }
    }
  }

  // floatValue 1, float16Value 2, rawValue 30 with quantization 40 of some bits, int8RawValue 31.
  std::optional<ModelTensor> numbers(Bytes bytes, const std::string& name) {
    Bytes packed, half, raw, whole;
    std::vector<float> loose;
    std::uint64_t bits = 0;
    Protobuf p(bytes, "Core ML weights");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) packed = p.bytes();
      if (p.is(1, Wire::kFixed32)) loose.push_back(p.float_value());
      if (p.is(2, Wire::kBytes)) half = p.bytes();
      if (p.is(30, Wire::kBytes)) raw = p.bytes();
      if (p.is(31, Wire::kBytes)) whole = p.bytes();
      if (p.is(40, Wire::kBytes)) {
        Protobuf q(p.bytes(), "Core ML quantisation");
        while (q.next()) {
          if (q.is(1, Wire::kVarint)) bits = q.value();
        }
      }
    }
    const auto flat = [](Bytes b, std::size_t width) {
      return graph::Shape{static_cast<std::int64_t>(b.size() / width)};
    };
    if (!loose.empty()) {
      return stored_tensor(model_, name, {static_cast<std::int64_t>(loose.size())}, loose);
    }
    if (!packed.empty()) return constant_tensor(name, element_type("f32"), flat(packed, 4), packed);
    if (!half.empty()) return constant_tensor(name, element_type("f16"), flat(half, 2), half);
    if (!whole.empty()) return constant_tensor(name, element_type("i8"), flat(whole, 1), whole);
    if (raw.empty()) return std::nullopt;
    if (bits < 1 || bits > 8) fail(ErrorKind::bad_file, "Core ML: weights '{}' of {} bits", printable(name), bits);
    static constexpr std::string_view kPacked[] = {"u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"};
    const ElementType type{kPacked[bits - 1], static_cast<int>(bits),
                           bits == 8 ? std::optional(DType::u8) : std::nullopt};
    // Whole bytes may hold some bits more than the numbers take; how many there are the layer's sizes say.
    const auto count = static_cast<std::int64_t>(raw.size() * 8 / bits);
    ModelTensor t = constant_tensor(name, ElementType{type.name, 0, {}}, {count}, raw);
    t.type = type;
    return t;
  }

  Model& model_;
  const ModelSource& source_;
  Budget budget_;
  GraphBuilder builder_;
};

}  // namespace

Model read_coreml(const ModelSource& source) {
  Model model = start_model("coreml", source);
  CoremlReader(model, source).run();
  return model;
}

}  // namespace thimble::gauge
