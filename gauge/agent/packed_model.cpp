#include "gauge/agent/packed_model.h"

#include "base/error.h"
#include "formats/safetensors/safetensors.h"
#include "formats/safetensors/weights.h"
#include "graph/text.h"

namespace thimble::gauge {

using namespace graph;

namespace {

constexpr const char* kGraphKey = "thimble_graph";

void write_tensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<formats::TensorSpec> specs;
  for (const auto& [name, t] : tensors) specs.push_back({name, t.type().dtype, t.shape()});
  formats::SafetensorsWriter out(path, specs, metadata);
  for (const formats::TensorSpec& s : out.order()) {
    const Tensor& t = tensors.at(s.name);
    out.write(s.name, {t.data(), t.type().bytes()});
  }
  out.commit();
}

Tensor tensor_of(const formats::SafetensorsFile& file, const std::string& name) {
  return formats::map_tensor(file.at(name), file.file());
}

}  // namespace

void write_packed_model(const std::filesystem::path& path, const Graph& graph, const Weights& weights,
                        const std::string& sha256) {
  weights.check_covers(graph, "the model");
  std::map<std::string, Tensor> tensors;
  for (const Parameter& p : graph.parameters) {
    tensors[graph.value(p.value).name] = weights.at(graph.value(p.value).name);
  }
  write_tensors(path, tensors, {{kGraphKey, print_graph(graph)}, {"model", sha256}});
}

PackedModel read_packed_model(const std::filesystem::path& path) {
  const auto file = formats::SafetensorsFile::open(path);
  const auto text = file.metadata().find(kGraphKey);
  if (text == file.metadata().end()) {
    fail(ErrorKind::bad_file, "{}: no graph in it; 'thimble gauge bench' makes the files that this program takes",
         path.string());
  }
  PackedModel m{with_context("while reading " + path.string(), [&] { return parse_graph(text->second); }), {}, {}};
  for (const Parameter& p : m.graph.parameters) {
    const std::string& name = m.graph.value(p.value).name;
    m.weights.set(name, tensor_of(file, name));
  }
  m.weights.check_covers(m.graph, path.string());
  if (const auto it = file.metadata().find("model"); it != file.metadata().end()) m.sha256 = it->second;
  return m;
}

void write_inputs(const std::filesystem::path& path, const Graph& graph, const std::vector<Tensor>& inputs) {
  std::map<std::string, Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    tensors["input:" + graph.value(graph.inputs[i]).name] = inputs[i];
  }
  write_tensors(path, tensors, {});
}

std::vector<Tensor> read_inputs(const std::filesystem::path& path, const Graph& graph) {
  const auto file = formats::SafetensorsFile::open(path);
  std::vector<Tensor> out;
  for (const ValueId v : graph.inputs) {
    Tensor t = tensor_of(file, "input:" + graph.value(v).name);
    if (t.type() != graph.type(v)) {
      fail(ErrorKind::bad_file, "{}: input '{}' is {}, the model takes {}", path.string(), graph.value(v).name,
           to_string(t.type()), to_string(graph.type(v)));
    }
    out.push_back(std::move(t));
  }
  return out;
}

void write_outputs(const std::filesystem::path& path, const std::vector<Tensor>& outputs) {
  std::map<std::string, Tensor> tensors;
  for (std::size_t i = 0; i < outputs.size(); ++i) tensors[fmt::format("output:{}", i)] = outputs[i];
  write_tensors(path, tensors, {});
}

std::vector<Tensor> read_outputs(const std::filesystem::path& path) {
  const auto file = formats::SafetensorsFile::open(path);
  std::vector<Tensor> out;
  for (std::size_t i = 0; file.find(fmt::format("output:{}", i)) != nullptr; ++i) {
    out.push_back(tensor_of(file, fmt::format("output:{}", i)));
  }
  return out;
}

}  // namespace thimble::gauge
