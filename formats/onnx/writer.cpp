// The file: sizes are added up first, so that weights can be written as they come.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "formats/onnx/emitter.h"
#include "formats/onnx/expand.h"
#include "formats/onnx/lower.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/wire.h"

namespace thimble::formats {
namespace {

constexpr std::uint64_t kAlignment = 4096;      // of a tensor in the file beside: it can be mapped
constexpr std::uint64_t kLeastExternal = 1024;  // bytes; shorter ones stay in the model

// Field numbers of onnx.proto.
namespace model {
constexpr std::uint32_t ir = 1, producer = 2, producer_version = 3, graph = 7, opset = 8, metadata = 14;
}
namespace graph_field {
constexpr std::uint32_t node = 1, name = 2, initializer = 5, input = 11, output = 12;
}
namespace node_field {
constexpr std::uint32_t input = 1, output = 2, name = 3, type = 4, attribute = 5, domain = 7;
}
namespace tensor {
constexpr std::uint32_t dims = 1, type = 2, name = 8, raw = 9, external = 13, location = 14;
}

ProtobufWriter pair(std::string_view key, std::string_view value) {
  ProtobufWriter p;
  p.text(1, key);
  p.text(2, value);
  return p;
}

ProtobufWriter opset(std::string_view domain, std::int64_t version) {
  ProtobufWriter p;
  p.text(1, domain);
  p.integer(2, version);
  return p;
}

ProtobufWriter value_info(const std::string& name, const graph::TensorType& type) {
  ProtobufWriter shape;
  for (const std::int64_t size : type.shape) {
    ProtobufWriter dim;
    dim.integer(1, size);
    shape.message(1, dim);
  }
  ProtobufWriter element;
  element.integer(1, static_cast<std::int64_t>(onnx_type(type.dtype)));
  element.message(2, shape);
  ProtobufWriter kind;
  kind.message(1, element);
  ProtobufWriter value;
  value.text(1, name);
  value.message(2, kind);
  return value;
}

ProtobufWriter node_message(const OnnxNode& n) {
  ProtobufWriter p;
  for (const std::string& name : n.inputs) p.text(node_field::input, name);
  for (const std::string& name : n.outputs) p.text(node_field::output, name);
  p.text(node_field::name, n.outputs[0]);
  p.text(node_field::type, n.type);
  for (const ProtobufWriter& a : n.attributes.all()) p.message(node_field::attribute, a);
  if (!n.domain.empty()) p.text(node_field::domain, n.domain);
  return p;
}

// A tensor's fields up to its bytes, or with the place of its bytes in another file.
ProtobufWriter tensor_message(const Initialiser& what) {
  ProtobufWriter p;
  for (const std::int64_t size : what.shape) p.integer(tensor::dims, size);
  p.integer(tensor::type, static_cast<std::int64_t>(what.type));
  p.text(tensor::name, what.name);
  return p;
}

ProtobufWriter elsewhere(const Initialiser& what, const std::string& file, std::uint64_t offset) {
  ProtobufWriter p = tensor_message(what);
  p.message(tensor::external, pair("location", file));
  p.message(tensor::external, pair("offset", std::to_string(offset)));
  p.message(tensor::external, pair("length", std::to_string(what.bytes())));
  p.integer(tensor::location, 1);
  return p;
}

class Writing {
 public:
  Writing(const OnnxEmitter& emitter, const OnnxWeights& weights, const ProgressFn& progress, const CancelToken* cancel)
      : e_(emitter), weights_(weights), progress_(progress), cancel_(cancel) {
    for (const Initialiser& i : e_.initialisers) total_ += i.bytes();
  }

  void tensor_bytes(const Initialiser& what, AtomicFile& to) {
    if (cancel_ != nullptr) cancel_->throw_if_cancelled();
    const auto bytes =
        bytes_of(what, weights_, what.parameter.empty() ? graph::TensorType{} : e_.type_of(what.parameter));
    to.write(bytes.data(), bytes.size());
    done_ += bytes.size();
    if (progress_) progress_(static_cast<std::int64_t>(done_), static_cast<std::int64_t>(total_), what.parameter);
  }

 private:
  const OnnxEmitter& e_;
  const OnnxWeights& weights_;
  const ProgressFn& progress_;
  const CancelToken* cancel_;
  std::uint64_t total_ = 0, done_ = 0;
};

std::uint64_t header_bytes(std::uint32_t field, std::uint64_t length) {
  ProtobufWriter p;
  p.header(field, length);
  return p.bytes().size();
}

// A tensor with its bytes inside: the message's length.
std::uint64_t tensor_length(const Initialiser& what) {
  return tensor_message(what).bytes().size() + header_bytes(tensor::raw, what.bytes()) + what.bytes();
}

}  // namespace

std::string_view to_string(OnnxForm form) {
  return form == OnnxForm::plain ? "plain" : form == OnnxForm::onnx ? "onnx" : "microsoft";
}

std::optional<OnnxForm> onnx_form_from_string(std::string_view name) {
  for (const OnnxForm f : {OnnxForm::plain, OnnxForm::onnx, OnnxForm::microsoft}) {
    if (name == to_string(f)) return f;
  }
  return std::nullopt;
}

std::string_view to_string(OnnxQuantised quantised) { return quantised == OnnxQuantised::qdq ? "qdq" : "integer"; }

std::optional<OnnxQuantised> onnx_quantised_from_string(std::string_view name) {
  for (const OnnxQuantised q : {OnnxQuantised::qdq, OnnxQuantised::integer}) {
    if (name == to_string(q)) return q;
  }
  return std::nullopt;
}

// A copy of the store shares its tensors; what it evaluates goes with it.
OnnxWeights onnx_weights(const graph::Weights& weights) {
  return [weights](const std::string& name) { return graph::Weights(weights).at(name); };
}

OnnxWritten write_onnx(const graph::Graph& g, const OnnxWeights& weights, const std::filesystem::path& path,
                       const OnnxOptions& options, const ProgressFn& progress, const CancelToken* cancel) {
  if (needs_expansion(g)) return write_onnx(expand_for_onnx(g), weights, path, options, progress, cancel);
  OnnxEmitter e(g, weights, options);
  lower_graph(e);

  OnnxWritten out;
  out.model = path;
  out.opset = options.form == OnnxForm::onnx ? 23 : 21;
  out.nodes = e.list.size();
  out.tensors = e.initialisers.size();
  bool foreign = false;
  ProtobufWriter body;  // the graph without its tensors
  for (const OnnxNode& n : e.list) {
    ++out.operators[n.domain.empty() ? n.type : n.domain + "." + n.type];
    foreign = foreign || !n.domain.empty();
    body.message(graph_field::node, node_message(n));
  }
  body.text(graph_field::name, g.name);
  for (const graph::ValueId id : g.inputs) body.message(graph_field::input, value_info(g.value(id).name, g.type(id)));
  for (std::size_t i = 0; i < g.outputs.size(); ++i) {
    body.message(graph_field::output, value_info(e.outputs[i], g.type(g.outputs[i].value)));
  }
  ProtobufWriter head;
  head.integer(model::ir, options.form == OnnxForm::onnx ? 11 : 10);
  head.text(model::producer, "thimble");
  if (!options.version.empty()) head.text(model::producer_version, options.version);
  head.message(model::opset, opset("", out.opset));
  if (foreign) head.message(model::opset, opset("com.microsoft", 1));
  for (const auto& [key, value] : options.metadata) head.message(model::metadata, pair(key, value));

  std::uint64_t inside = body.bytes().size();
  for (const Initialiser& i : e.initialisers) {
    const std::uint64_t length = tensor_length(i);
    inside += header_bytes(graph_field::initializer, length) + length;
  }
  const bool external = options.external || inside + head.bytes().size() + 16 > options.most_embedded;
  const auto lies_outside = [&](const Initialiser& i) { return external && i.bytes() >= kLeastExternal; };

  Writing writing(e, weights, progress, cancel);
  // Both files are whole before either gets its name.
  std::optional<AtomicFile> data;
  AtomicFile file(path);
  if (external) {
    out.data = path;
    out.data += ".data";
    data.emplace(out.data);
  }
  std::uint64_t length = body.bytes().size();
  std::vector<ProtobufWriter> outside(e.initialisers.size());
  for (std::size_t i = 0; i < e.initialisers.size(); ++i) {
    const Initialiser& what = e.initialisers[i];
    std::uint64_t own = tensor_length(what);
    if (lies_outside(what)) {
      const std::string gap((kAlignment - data->written() % kAlignment) % kAlignment, '\0');
      data->write(gap);
      outside[i] = elsewhere(what, out.data.filename().string(), data->written());
      writing.tensor_bytes(what, *data);
      own = outside[i].bytes().size();
    }
    length += header_bytes(graph_field::initializer, own) + own;
  }
  head.header(model::graph, length);
  file.write(head.bytes());
  file.write(body.bytes());
  for (std::size_t i = 0; i < e.initialisers.size(); ++i) {
    const Initialiser& what = e.initialisers[i];
    ProtobufWriter p;
    if (lies_outside(what)) {
      p.message(graph_field::initializer, outside[i]);
      file.write(p.bytes());
      continue;
    }
    p.header(graph_field::initializer, tensor_length(what));
    file.write(p.bytes());
    ProtobufWriter start = tensor_message(what);
    start.header(tensor::raw, what.bytes());
    file.write(start.bytes());
    writing.tensor_bytes(what, file);
  }
  out.bytes = file.written() + (data ? data->written() : 0);
  if (data) data->commit();
  file.commit();
  return out;
}

}  // namespace thimble::formats
