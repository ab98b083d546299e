#include "gauge/model/tfjs_layers.h"

#include <algorithm>

#include "gauge/model/json_fields.h"

namespace thimble::gauge {
namespace {

constexpr int kMostDepth = 8;  // models within models

std::optional<Attribute> attribute_of(const Json& v) {
  if (v.is_boolean()) return Attribute(std::int64_t{v.get<bool>()});
  if (v.is_number_integer()) return Attribute(v.get<std::int64_t>());
  if (v.is_number()) return Attribute(v.get<double>());
  if (v.is_string()) return Attribute(v.get<std::string>());
  if (v.is_object()) {  // an object of a class, such as an activation: its class
    const std::string name = text_in(v, "class_name");
    return name.empty() ? std::nullopt : std::optional(Attribute(name));
  }
  if (!v.is_array() || v.empty()) return std::nullopt;
  std::vector<std::int64_t> whole;
  const auto add = [&](const Json& n) {
    if (n.is_number_integer()) whole.push_back(n.get<std::int64_t>());
    return n.is_number_integer();
  };
  for (const Json& n : v) {
    if (n.is_array()) {
      for (const Json& inner : n) {
        if (!add(inner)) return std::nullopt;
      }
    } else if (!add(n)) {
      return std::nullopt;
    }
  }
  return Attribute(whole);
}

graph::Shape batch_shape(const Json& config) {
  graph::Shape out;
  const Json* s = member(config, "batch_input_shape");
  if (s == nullptr) s = member(config, "batch_shape");
  if (s == nullptr || !s->is_array()) return out;
  for (const Json& d : *s) out.push_back(d.is_number_integer() ? d.get<std::int64_t>() : -1);
  if (out.size() > 16 || std::ranges::any_of(out, [](std::int64_t d) { return d < -1; })) {
    fail(ErrorKind::bad_file, "Keras: the input shape {}", graph::to_string(out));
  }
  return out;
}

// Kernel before bias, and the four of a normalisation in the order in which they are used.
int rank_of(std::string_view name) {
  static constexpr std::string_view kOrder[] = {"depthwise_kernel",
                                                "pointwise_kernel",
                                                "kernel",
                                                "recurrent_kernel",
                                                "embeddings",
                                                "gamma",
                                                "beta",
                                                "moving_mean",
                                                "moving_variance",
                                                "alpha",
                                                "bias"};
  const std::string_view last = name.substr(name.rfind('/') + 1);
  for (std::size_t i = 0; i < std::size(kOrder); ++i) {
    if (last == kOrder[i]) return static_cast<int>(i);
  }
  return static_cast<int>(std::size(kOrder));
}

class KerasReader {
 public:
  KerasReader(const std::map<std::string, ModelTensor, std::less<>>& weights, Model& model)
      : weights_(weights), builder_(model.graphs.emplace_back()), model_(model) {}

  void run(const Json& topology) {
    const Json* config = member(topology, "model_config");
    if (config == nullptr) config = &topology;
    const std::string name = text_in(*config, "class_name");
    const Json* inner = member(*config, "config");
    if (inner == nullptr) fail(ErrorKind::bad_file, "Keras: the model has no configuration");
    model_.graphs[0].name = text_in(*inner, "name");
    layers_of(*inner, name == "Sequential", 0);
    if (const Json* outputs = member(*inner, "output_layers"); outputs != nullptr && outputs->is_array()) {
      const auto one = [&](const Json& o) {
        if (o.is_array() && !o.empty() && o[0].is_string() && builder_.has(o[0].get<std::string>())) {
          model_.graphs[0].outputs.push_back(builder_.read(o[0].get<std::string>()));
        }
      };
      if (!outputs->empty() && (*outputs)[0].is_string()) one(*outputs);
      for (const Json& o : *outputs) one(o);
    }
    if (model_.graphs[0].outputs.empty()) builder_.close();
    if (model_.graphs[0].ops.empty()) fail(ErrorKind::bad_file, "Keras: the model has no layers");
  }

 private:
  void layers_of(const Json& config, bool sequential, int depth) {
    const Json* layers = config.is_array() ? &config : member(config, "layers");
    if (layers == nullptr || !layers->is_array()) fail(ErrorKind::bad_file, "Keras: a model without layers");
    if (depth > kMostDepth) fail(ErrorKind::bad_file, "Keras: models within models");
    std::string last;
    for (const Json& l : *layers) last = layer(l, sequential ? std::optional(last) : std::nullopt, depth);
    last_ = last;
  }

  // Returns the layer's name. `before`: of a sequence, the layer it follows.
  std::string layer(const Json& l, const std::optional<std::string>& before, int depth) {
    const std::string type = text_in(l, "class_name");
    const Json* config = member(l, "config");
    if (type.empty() || config == nullptr) fail(ErrorKind::bad_file, "Keras: a layer without class or settings");
    std::string name = text_in(l, "name");
    if (name.empty()) name = text_in(*config, "name");
    if (type == "Sequential" || type == "Functional" || type == "Model") {
      layers_of(*config, type == "Sequential", depth + 1);
      builder_.alias(name, builder_.read(last_));
      return name;
    }
    const graph::Shape shape = batch_shape(*config);
    if (type == "InputLayer") {
      input(name, shape);
      return name;
    }
    std::vector<std::int32_t> inputs;
    if (before && before->empty()) {  // the first of a sequence tells the input's shape
      input(name + "_input", shape);
      inputs.push_back(builder_.read(name + "_input"));
    } else if (before) {
      inputs.push_back(builder_.read(*before));
    } else {
      inbound(l, inputs);
    }
    const auto bottoms = static_cast<std::int64_t>(inputs.size());
    std::vector<const ModelTensor*> own;
    const std::string prefix = name + "/";
    for (auto it = weights_.lower_bound(prefix); it != weights_.end() && it->first.starts_with(prefix); ++it) {
      own.push_back(&it->second);
    }
    std::ranges::stable_sort(own, {}, [](const ModelTensor* t) { return rank_of(t->name); });
    for (const ModelTensor* t : own) inputs.push_back(builder_.add(*t));
    const std::int32_t result = builder_.write(name);
    ModelOp& op = builder_.op(type, name);
    op.inputs = std::move(inputs);
    op.outputs = {result};
    op.attributes["bottoms"] = bottoms;
    for (const auto& [key, value] : config->items()) {
      if (auto a = attribute_of(value)) op.attributes[key] = std::move(*a);
    }
    return name;
  }

  void input(const std::string& name, const graph::Shape& shape) {
    ModelTensor t;
    t.name = name;
    t.type = element_type("f32");
    t.has_shape = !shape.empty();
    t.shape = shape;
    builder_.input(std::move(t));
  }

  void inbound(const Json& l, std::vector<std::int32_t>& inputs) {
    const Json* nodes = member(l, "inbound_nodes");
    if (nodes == nullptr || !nodes->is_array() || nodes->empty()) return;
    const Json& first = (*nodes)[0];
    if (nodes->size() > 1) model_.remarks.push_back("a layer is used several times; its first use stands");
    if (!first.is_array()) fail(ErrorKind::unsupported, "Keras: connections of version 3");
    for (const Json& n : first) {
      if (n.is_array() && !n.empty() && n[0].is_string()) inputs.push_back(builder_.read(n[0].get<std::string>()));
    }
  }

  const std::map<std::string, ModelTensor, std::less<>>& weights_;
  GraphBuilder builder_;
  Model& model_;
  std::string last_;
};

}  // namespace

void read_keras(const Json& topology, const std::map<std::string, ModelTensor, std::less<>>& weights, Model& model) {
  KerasReader(weights, model).run(topology);
}

}  // namespace thimble::gauge
