// Reads a TensorFlow SavedModel: the graph that its serving signature runs, with the functions it calls laid open, and
// its variables from the checkpoint beside it. Of several signatures "serving_default" is taken, else the first.
#include <algorithm>

#include "gauge/model/tf_bundle.h"
#include "gauge/model/tf_nodes.h"
#include "gauge/wire/protobuf.h"

namespace thimble::gauge {
namespace {

using Wire = Protobuf::Wire;

constexpr int kMostDepth = 32;
constexpr std::uint64_t kMostNodes = 1 << 20;

struct Signature {
  std::string name;
  std::vector<TfPort> inputs, outputs;
};

// ---- calls ----

class Inliner {
 public:
  explicit Inliner(const TfGraph& graph) : graph_(graph), budget_(kMostNodes) {}

  std::vector<TfNode> run() {
    for (const TfNode& n : graph_.nodes) add(n, "", n.inputs, 0);
    for (TfNode& n : out_) {
      for (std::string& input : n.inputs) input = resolved(input);
    }
    return std::move(out_);
  }

  std::string resolved(std::string name) const {
    for (std::size_t steps = 0; steps <= alias_.size(); ++steps) {
      const auto it = alias_.find(name);
      if (it == alias_.end()) return name;
      name = it->second;
    }
    fail(ErrorKind::bad_file, "SavedModel: functions return one another's results");
  }

 private:
  static bool is_call(const TfNode& n) { return n.op == "PartitionedCall" || n.op == "StatefulPartitionedCall"; }

  void add(const TfNode& n, const std::string& prefix, std::vector<std::string> inputs, int depth) {
    budget_.take(1);
    const auto f = graph_.functions.find(n.function);
    if (!is_call(n) || f == graph_.functions.end()) {
      TfNode& copy = out_.emplace_back(n);
      copy.name = prefix + n.name;
      copy.inputs = std::move(inputs);
      if (copy.value) copy.value->name = copy.name;
      return;
    }
    if (depth > kMostDepth) fail(ErrorKind::unsupported, "functions call one another more than {} deep", kMostDepth);
    const TfFunction& body = f->second;
    const std::string inner = prefix + n.name + "/";
    std::map<std::string, std::string, std::less<>> arguments;
    for (std::size_t i = 0; i < body.arguments.size() && i < inputs.size(); ++i)
      arguments[body.arguments[i]] = inputs[i];
    const auto reference = [&](const std::string& input) -> std::string {
      if (const auto a = arguments.find(input); a != arguments.end()) return a->second;
      return inner + flat(input);
    };
    for (const TfNode& node : body.nodes) {
      std::vector<std::string> list;
      for (const std::string& input : node.inputs) list.push_back(reference(input));
      add(node, inner, std::move(list), depth + 1);
    }
    for (std::size_t i = 0; i < body.results.size(); ++i) {
      if (const auto r = body.ret.find(body.results[i]); r != body.ret.end()) {
        alias_[fmt::format("{}{}:{}", prefix, n.name, i)] = reference(r->second);
      }
    }
  }

  // "node:output:k" to "node:n". Operators with one list of results count on from k; these have several.
  static std::string flat(const std::string& input) {
    const auto first = input.find(':');
    if (first == std::string::npos) return input + ":0";
    const auto second = input.find(':', first + 1);
    if (second == std::string::npos) return input;
    const std::string_view output = std::string_view(input).substr(first + 1, second - first - 1);
    static constexpr std::pair<std::string_view, int> kLater[] = {{"batch_mean", 1},
                                                                  {"batch_variance", 2},
                                                                  {"reserve_space_1", 3},
                                                                  {"reserve_space_2", 4},
                                                                  {"reserve_space_3", 5},
                                                                  {"indices", 1},
                                                                  {"idx", 1},
                                                                  {"selected_scores", 1},
                                                                  {"valid_outputs", 2},
                                                                  {"backprop", 1},
                                                                  {"output_false", 0},
                                                                  {"output_true", 1}};
    for (const auto& [name, number] : kLater) {
      if (output == name) return fmt::format("{}:{}", input.substr(0, first), number);
    }
    return input.substr(0, first) + input.substr(second);
  }

  const TfGraph& graph_;
  Budget budget_;
  std::vector<TfNode> out_;
  std::map<std::string, std::string> alias_;
};

// ---- variables ----

class Variables {
 public:
  Variables(Model& model, const ModelSource& source) : model_(model), source_(source) {
    const auto index = part_of(model, source, "variables/variables.index");
    if (!index) return;
    bundle_ = read_bundle_index(*index);
    there_ = true;
    if (const auto objects = bytes_of("_CHECKPOINTABLE_OBJECT_GRAPH")) {
      // A text of one element: its length, a checksum, its bytes.
      Reader r(*objects, "graph of objects");
      const std::uint64_t length = r.varint();
      r.skip(4);
      keys_ = variable_keys(r.take(length));
    }
  }

  bool there() const { return there_; }

  std::optional<ModelTensor> find(const std::string& variable, const std::string& node) {
    for (const std::string& name : {variable, node}) {
      const auto key = keys_.find(name);
      const auto it = bundle_.entries.find(key == keys_.end() ? name : key->second);
      if (name.empty() || it == bundle_.entries.end()) continue;
      const auto bytes = bytes_of(it->first);
      if (!bytes) return std::nullopt;
      return constant_tensor(name, tf_element(it->second.type), it->second.shape, *bytes);
    }
    return std::nullopt;
  }

 private:
  std::optional<Bytes> bytes_of(const std::string& key) {
    const auto it = bundle_.entries.find(key);
    if (it == bundle_.entries.end()) return std::nullopt;
    const BundleEntry& e = it->second;
    if (e.shard < 0 || e.shard >= bundle_.shards) fail(ErrorKind::bad_file, "checkpoint: shard {}", e.shard);
    auto [at, fresh] = shards_.try_emplace(e.shard);
    if (fresh) {
      at->second =
          part_of(model_, source_, fmt::format("variables/variables.data-{:05}-of-{:05}", e.shard, bundle_.shards));
    }
    if (!at->second) return std::nullopt;
    if (!within(at->second->size(), e.offset, e.size)) {
      fail_truncated("checkpoint: '{}' takes {} bytes at {}, the shard has {}", printable(key), e.size, e.offset,
                     at->second->size());
    }
    return at->second->subspan(static_cast<std::size_t>(e.offset), static_cast<std::size_t>(e.size));
  }

  Model& model_;
  const ModelSource& source_;
  Bundle bundle_;
  bool there_ = false;
  std::map<std::string, std::string> keys_;
  std::map<std::int64_t, std::optional<Bytes>> shards_;
};

// ---- the file ----

class SavedModelReader {
 public:
  SavedModelReader(Model& model, const ModelSource& source)
      : model_(model), source_(source), budget_(source.bytes.size()) {}

  void run() {
    Bytes meta;
    bool found = false;
    Protobuf p(source_.bytes, "SavedModel");
    while (p.next()) {
      if (p.is(1, Wire::kVarint)) model_.version = p.signed_value();
      if (p.is(2, Wire::kBytes) && !found) {
        meta = p.bytes();
        found = true;
      }
    }
    if (model_.version != 1) fail(ErrorKind::unsupported, "SavedModel version {}; 1 is read", model_.version);
    if (!found) fail(ErrorKind::bad_file, "SavedModel: there is no graph in it");
    meta_graph(meta);
  }

 private:
  void meta_graph(Bytes bytes) {
    TfGraph graph;
    std::vector<Signature> signatures;
    Protobuf p(bytes, "SavedModel's graph");
    while (p.next()) {
      if (p.is(1, Wire::kBytes)) info(p.bytes());
      if (p.is(2, Wire::kBytes)) graph = read_graph_def(p.bytes(), model_, budget_);
      if (p.is(5, Wire::kBytes)) signatures.push_back(signature(p.bytes()));
    }
    const Signature* s = nullptr;
    for (const Signature& each : signatures) {
      if (each.outputs.empty() || each.name.starts_with("__saved_model")) continue;
      if (s == nullptr || each.name == "serving_default") s = &each;
    }
    if (s == nullptr) {
      model_.remarks.push_back("it has no signature: its own graph stands, with what saves and restores it");
    } else if (s->name != "serving_default") {
      model_.remarks.push_back(fmt::format("its signature '{}' stands", printable(s->name)));
    }
    Inliner inliner(graph);
    std::vector<TfNode> nodes = inliner.run();
    Variables variables(model_, source_);
    std::size_t missing = 0;
    for (TfNode& n : nodes) {
      const bool variable = n.op == "VarHandleOp" || n.op == "VariableV2" || n.op == "Variable";
      if (!variable) continue;
      std::string name;
      if (const auto it = n.attributes.find("shared_name"); it != n.attributes.end()) {
        if (const auto* text = std::get_if<std::string>(&it->second)) name = *text;
      }
      n.value = variables.find(name, n.name);
      missing += n.value ? 0 : 1;
    }
    if (!variables.there()) {
      model_.remarks.push_back("no variables/variables.index beside it");
    } else if (missing > 0) {
      model_.remarks.push_back(fmt::format("{} variables have no content in the checkpoint", missing));
    }
    std::vector<TfPort> outputs = s ? s->outputs : std::vector<TfPort>{};
    for (TfPort& o : outputs) o.tensor = inliner.resolved(o.tensor);
    build_tf(model_, std::move(nodes), s ? s->inputs : std::vector<TfPort>{}, outputs);
  }

  void info(Bytes bytes) {
    Protobuf p(bytes, "SavedModel's tags");
    while (p.next()) {
      if (p.is(5, Wire::kBytes)) model_.producer = "TensorFlow " + std::string(p.text());
    }
  }

  Signature signature(Bytes bytes) {
    Signature out;
    Protobuf e(bytes, "signature");
    while (e.next()) {
      if (e.is(1, Wire::kBytes)) out.name = e.text();
      if (!e.is(2, Wire::kBytes)) continue;
      Protobuf s(e.bytes(), "signature");
      while (s.next()) {
        budget_.take(1);
        if (s.is(1, Wire::kBytes)) out.inputs.push_back(port(s.bytes()));
        if (s.is(2, Wire::kBytes)) out.outputs.push_back(port(s.bytes()));
      }
    }
    return out;
  }

  static TfPort port(Bytes bytes) {
    TfPort out;
    Protobuf e(bytes, "signature");
    while (e.next()) {
      if (e.is(1, Wire::kBytes)) out.name = e.text();
      if (!e.is(2, Wire::kBytes)) continue;
      Protobuf t(e.bytes(), "tensor of a signature");
      while (t.next()) {
        if (t.is(1, Wire::kBytes)) out.tensor = tf_reference(t.text());
        if (t.is(2, Wire::kVarint)) out.type = tf_element(t.value());
        if (t.is(3, Wire::kBytes)) {
          out.has_shape = true;
          Protobuf s(t.bytes(), "shape");
          while (s.next()) {
            if (s.is(3, Wire::kVarint) && s.value() != 0) out.has_shape = false;
            if (!s.is(2, Wire::kBytes)) continue;
            std::int64_t size = 0;
            Protobuf d(s.bytes(), "size");
            while (d.next()) {
              if (d.is(1, Wire::kVarint)) size = d.signed_value();
            }
            if (size < -1) fail(ErrorKind::bad_file, "SavedModel: a size of {}", size);
            out.shape.push_back(size);
          }
          if (out.shape.size() > 16) fail(ErrorKind::bad_file, "SavedModel: {} axes", out.shape.size());
        }
      }
    }
    return out;
  }

  Model& model_;
  const ModelSource& source_;
  Budget budget_;
};

}  // namespace

Model read_saved_model(const ModelSource& source) {
  Model model = start_model("savedmodel", source);
  SavedModelReader(model, source).run();
  return model;
}

}  // namespace thimble::gauge
