// Reads TensorFlow's GraphDef (protobuf): nodes, their attributes, constants, the library of functions. A frozen graph
// is such a message and nothing else.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "gauge/model/tf_nodes.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

using Wire = Protobuf::Wire;

constexpr std::uint64_t kMostSplat = 1 << 26;  // bytes of a constant that the file gives by one number

class GraphDefReader {
 public:
  GraphDefReader(Model& model, Budget& budget) : model_(model), budget_(budget) {}

  TfGraph graph(Bytes bytes) {
    TfGraph out;
    Protobuf p(bytes, "GraphDef");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) out.nodes.push_back(node(p.bytes(), true));
      if (p.is(2, Wire::kBytes)) library(p.bytes(), out);
      if (p.field() > 5) fail(ErrorKind::bad_file, "GraphDef: field {}", p.field());
    }
    return out;
  }

 private:
  void library(Bytes bytes, TfGraph& to) {
    Protobuf p(bytes, "function library");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) function(p.bytes(), to);
    }
  }

  void function(Bytes bytes, TfGraph& to) {
    TfFunction f;
    std::string name;
    Protobuf p(bytes, "function");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) {
        Protobuf s(p.bytes(), "signature");
        while (s.next()) {
          if (s.is(1, Wire::kBytes)) name = s.text();
          if (s.is(2, Wire::kBytes)) f.arguments.push_back(argument_name(s.bytes()));
          if (s.is(3, Wire::kBytes)) f.results.push_back(argument_name(s.bytes()));
        }
      }
      if (p.is(3, Wire::kBytes)) f.nodes.push_back(node(p.bytes(), false));
      if (p.is(4, Wire::kBytes)) {
        std::string key, value;
        Protobuf e(p.bytes(), "function result");
        while (e.next()) {
          if (e.is(1, Wire::kBytes)) key = e.text();
          if (e.is(2, Wire::kBytes)) value = e.text();
        }
        f.ret[key] = value;
      }
    }
    to.functions[name] = std::move(f);
  }

  static std::string argument_name(Bytes bytes) {
    std::string out;
    Protobuf p(bytes, "argument");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) out = p.text();
    }
    return out;
  }

  TfNode node(Bytes bytes, bool normal) {
    TfNode n;
    Protobuf p(bytes, "node");
    while (p.next()) {
      budget_.take(1);
      if (p.is(1, Wire::kBytes)) n.name = p.text();
      if (p.is(2, Wire::kBytes)) n.op = p.text();
      if (p.is(3, Wire::kBytes)) {
        std::string input = normal ? tf_reference(p.text()) : std::string(p.text());
        if (!input.empty() && !input.starts_with('^')) n.inputs.push_back(std::move(input));
      }
      if (p.is(5, Wire::kBytes)) attribute(p.bytes(), n);
    }
    if (n.name.empty() || n.op.empty()) fail(ErrorKind::bad_file, "TensorFlow: a node without name or operator");
    return n;
  }

  void attribute(Bytes bytes, TfNode& n) {
    std::string key;
    Bytes value;
    Protobuf e(bytes, "attribute");
    while (e.next()) {
      if (e.is(1, Wire::kBytes)) key = e.text();
      if (e.is(2, Wire::kBytes)) value = e.bytes();
    }
    Protobuf v(value, "attribute value");
    while (v.next()) {
      budget_.take(1);
      if (v.is(1, Wire::kBytes)) n.attributes[key] = list(v.bytes());
      if (v.is(2, Wire::kBytes)) n.attributes[key] = std::string(v.text());
      if (v.is(3, Wire::kVarint)) n.attributes[key] = v.signed_value();
      if (v.is(4, Wire::kFixed32)) n.attributes[key] = double{v.float_value()};
      if (v.is(5, Wire::kVarint)) n.attributes[key] = std::int64_t{v.value() != 0};
      if (v.is(6, Wire::kVarint)) n.attributes[key] = word_of(v.value());
      if (v.is(7, Wire::kBytes)) {
        bool known = true;
        const graph::Shape s = shape(v.bytes(), known);
        if (known) n.attributes[key] = s;
      }
      if (v.is(8, Wire::kBytes) && key == "value") n.value = tensor(v.bytes(), n.name);
      if (v.is(10, Wire::kBytes)) {
        Protobuf f(v.bytes(), "function name");
        while (f.next()) {
          if (f.is(1, Wire::kBytes)) n.attributes[key] = std::string(f.text());
          if (f.is(1, Wire::kBytes) && key == "f") n.function = f.text();
        }
      }
    }
  }

  static std::string word_of(std::uint64_t type) {
    static constexpr const char* kWords[] = {"",
                                             "DT_FLOAT",
                                             "DT_DOUBLE",
                                             "DT_INT32",
                                             "DT_UINT8",
                                             "DT_INT16",
                                             "DT_INT8",
                                             "DT_STRING",
                                             "DT_COMPLEX64",
                                             "DT_INT64",
                                             "DT_BOOL",
                                             "DT_QINT8",
                                             "DT_QUINT8",
                                             "DT_QINT32",
                                             "DT_BFLOAT16",
                                             "",
                                             "",
                                             "DT_UINT16",
                                             "DT_COMPLEX128",
                                             "DT_HALF",
                                             "DT_RESOURCE",
                                             "DT_VARIANT",
                                             "DT_UINT32",
                                             "DT_UINT64"};
    return type < std::size(kWords) ? kWords[type] : fmt::format("DT_{}", type);
  }

  Attribute list(Bytes bytes) {
    std::vector<std::int64_t> whole;
    std::vector<double> numbers;
    std::string words;
    Protobuf p(bytes, "list");
    while (p.next()) {
      budget_.take(1);
      if (p.is(2, Wire::kBytes)) words += (words.empty() ? "" : ",") + std::string(p.text());
      if (p.is(3, Wire::kVarint)) whole.push_back(p.signed_value());
      if (p.is(3, Wire::kBytes)) {
        Reader r(p.bytes(), "list");
        while (!r.done()) whole.push_back(static_cast<std::int64_t>(r.varint()));
      }
      if (p.is(4, Wire::kFixed32)) numbers.push_back(double{p.float_value()});
      if (p.is(4, Wire::kBytes)) {
        Reader r(p.bytes(), "list");
        while (!r.done()) numbers.push_back(double{r.get<float>()});
      }
    }
    if (!words.empty()) return words;
    if (!numbers.empty()) return numbers;
    return whole;
  }

 public:
  graph::Shape shape(Bytes bytes, bool& known) {
    graph::Shape out;
    Protobuf p(bytes, "shape");
    while (p.next()) {
      budget_.take(1);
      if (p.is(3, Wire::kVarint) && p.value() != 0) known = false;
      if (!p.is(2, Wire::kBytes)) continue;
      std::int64_t size = 0;
      Protobuf d(p.bytes(), "size");
      while (d.next()) {
        if (d.is(1, Wire::kVarint)) size = d.signed_value();
      }
      if (size < -1) fail(ErrorKind::bad_file, "TensorFlow: a size of {}", size);
      out.push_back(size);
    }
    if (out.size() > 16) fail(ErrorKind::bad_file, "TensorFlow: a shape of {} axes", out.size());
    return out;
  }

  ModelTensor tensor(Bytes bytes, const std::string& name) {
    ElementType type;
    graph::Shape dims;
    Bytes content;
    std::vector<std::byte> values;
    const auto put = [&](auto v) {
      const auto raw = std::bit_cast<std::array<std::byte, sizeof(v)>>(v);
      values.insert(values.end(), raw.begin(), raw.end());
    };
    const auto whole = [&](std::uint64_t v) {
      switch (type.bits) {
        case 8: put(static_cast<std::uint8_t>(v)); break;
        case 16: put(static_cast<std::uint16_t>(v)); break;
        case 32: put(static_cast<std::uint32_t>(v)); break;
        case 64: put(v); break;
        default: break;
      }
    };
    Protobuf p(bytes, "tensor");
    while (p.next()) {
      const std::uint32_t f = p.field();
      if (p.is(1, Wire::kVarint)) type = tf_element(p.value());
      if (p.is(2, Wire::kBytes)) {
        bool known = true;
        dims = shape(p.bytes(), known);
      }
      if (p.is(4, Wire::kBytes)) content = p.bytes();
      const bool is_whole = f == 7 || f == 10 || f == 11 || f == 13 || f == 16 || f == 17;
      if (is_whole && p.wire() == Wire::kVarint) whole(p.value());
      if (is_whole && p.wire() == Wire::kBytes) {
        Reader r(p.bytes(), "tensor");
        while (!r.done()) whole(r.varint());
      }
      if (p.is(5, Wire::kFixed32)) put(p.float_value());
      if (p.is(6, Wire::kFixed64)) put(p.value());
      if (p.wire() == Wire::kBytes && (f == 5 || f == 6))
        values.insert(values.end(), p.bytes().begin(), p.bytes().end());
    }
    if (type.bits == 0) {
      ModelTensor t = constant_tensor(name, type, dims, content);
      return t;
    }
    if (!content.empty()) return constant_tensor(name, type, dims, content);
    return constant_tensor(name, type, dims, repeated(type, dims, std::move(values)));
  }

 private:
  // The last value stands for all that are left out; no values at all are zeros.
  Bytes repeated(const ElementType& type, const graph::Shape& dims, std::vector<std::byte> values) {
    std::uint64_t wanted = static_cast<std::uint64_t>(type.bits) / 8;
    const std::uint64_t one = wanted;
    for (const std::int64_t d : dims) {
      if (d < 0 || __builtin_mul_overflow(wanted, static_cast<std::uint64_t>(d), &wanted)) {
        fail(ErrorKind::bad_file, "TensorFlow: a constant of shape {}", graph::to_string(dims));
      }
    }
    if (values.size() < wanted) {
      if (wanted > kMostSplat) {
        fail(ErrorKind::unsupported, "TensorFlow: a constant {} from {} bytes", graph::to_string(dims), values.size());
      }
      if (values.empty()) values.resize(one);
      values.reserve(wanted);
      while (values.size() < wanted) {
        for (std::uint64_t k = 0; k < one; ++k) values.push_back(values[values.size() - one]);
      }
    }
    model_.storage.push_back(std::move(values));
    return model_.storage.back();
  }

  Model& model_;
  Budget& budget_;
};

}  // namespace

TfGraph read_graph_def(Bytes bytes, Model& model, Budget& budget) { return GraphDefReader(model, budget).graph(bytes); }

Model read_tensorflow(const ModelSource& source) {
  Model model = start_model("tensorflow", source);
  Budget budget(source.bytes.size());
  TfGraph graph = read_graph_def(source.bytes, model, budget);
  if (!graph.functions.empty()) {
    model.remarks.push_back(fmt::format("{} functions of its library are not followed", graph.functions.size()));
  }
  build_tf(model, std::move(graph.nodes), {}, {});
  return model;
}

}  // namespace thimble::gauge
