// From TensorFlow's nodes to a graph in an order that can be run.
#include <algorithm>
#include <charconv>
#include <set>

#include "gauge/model/tf_nodes.h"

namespace thimble::gauge {
namespace {

struct Type {
  std::uint64_t number;
  std::string_view word, name;
};

constexpr Type kTypes[] = {{1, "DT_FLOAT", "f32"},     {2, "DT_DOUBLE", "f64"},         {3, "DT_INT32", "i32"},
                           {4, "DT_UINT8", "u8"},      {5, "DT_INT16", "i16"},          {6, "DT_INT8", "i8"},
                           {7, "DT_STRING", "string"}, {8, "DT_COMPLEX64", "c64"},      {9, "DT_INT64", "i64"},
                           {10, "DT_BOOL", "bool"},    {11, "DT_QINT8", "i8"},          {12, "DT_QUINT8", "u8"},
                           {13, "DT_QINT32", "i32"},   {14, "DT_BFLOAT16", "bf16"},     {17, "DT_UINT16", "u16"},
                           {19, "DT_HALF", "f16"},     {20, "DT_RESOURCE", "resource"}, {21, "DT_VARIANT", "variant"},
                           {22, "DT_UINT32", "u32"},   {23, "DT_UINT64", "u64"}};

struct Reference {
  std::string_view node;
  std::int64_t output = 0;
};

constexpr std::int64_t kMostOutputs = 4096;

Reference split(std::string_view input) {
  const auto colon = input.rfind(':');
  if (colon == std::string_view::npos) return {input, 0};
  std::int64_t k = 0;
  const char* const end = input.data() + input.size();
  const auto r = std::from_chars(input.data() + colon + 1, end, k);
  if (r.ec != std::errc{} || r.ptr != end || k < 0 || k >= kMostOutputs) {
    fail(ErrorKind::bad_file, "TensorFlow: the input '{}'", printable(input));
  }
  return {input.substr(0, colon), k};
}

class Builder {
 public:
  Builder(Model& model, std::vector<TfNode> nodes) : model_(model), nodes_(std::move(nodes)) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!index_.emplace(nodes_[i].name, i).second) {
        fail(ErrorKind::bad_file, "TensorFlow: two nodes are called '{}'", printable(nodes_[i].name));
      }
    }
    results_.assign(nodes_.size(), 1);
    read_.assign(nodes_.size(), false);
    for (const TfNode& n : nodes_) {
      for (const std::string& input : n.inputs) {
        if (const auto at = find(input)) {
          results_[at->first] = std::max(results_[at->first], at->second + 1);
          read_[at->first] = true;
        }
      }
    }
  }

  void run(const std::vector<TfPort>& inputs, const std::vector<TfPort>& outputs) {
    for (const TfPort& p : outputs) {
      if (const auto at = find(p.tensor)) results_[at->first] = std::max(results_[at->first], at->second + 1);
    }
    model_.graphs.emplace_back();
    first_.assign(nodes_.size(), -1);
    order(outputs);
    for (const std::size_t i : order_) declare(i, inputs);
    // A signature's order of inputs, when there is one.
    ModelGraph& g = model_.graphs[0];
    for (const TfPort& p : inputs) {
      const auto at = find(p.tensor);
      if (at && first_[at->first] >= 0 && nodes_[at->first].op.starts_with("Placeholder")) {
        g.inputs.push_back(first_[at->first]);
      }
    }
    for (const std::size_t i : order_) {
      const bool named = std::ranges::find(g.inputs, first_[i]) != g.inputs.end();
      if (nodes_[i].op == "Placeholder" && !named) g.inputs.push_back(first_[i]);
    }
    for (const std::size_t i : order_) add(i);
    if (outputs.empty()) {
      for (const std::size_t i : order_) {
        const TfNode& n = nodes_[i];
        if (!read_[i] && !n.value && n.op != "NoOp" && n.op != "Placeholder" && n.op != "Assert") {
          g.outputs.push_back(first_[i]);
        }
      }
    }
    for (const TfPort& p : outputs) {
      const auto at = find(p.tensor);
      if (!at) fail(ErrorKind::bad_file, "TensorFlow: nothing makes the output '{}'", printable(p.tensor));
      const std::int32_t t = first_[at->first] + static_cast<std::int32_t>(at->second);
      ModelTensor& out = g.tensors[static_cast<std::size_t>(t)];
      if (!out.constant && !out.has_shape && p.has_shape) {
        out.type = p.type;
        out.shape = p.shape;
        out.has_shape = true;
      }
      g.outputs.push_back(t);
    }
  }

 private:
  std::optional<std::pair<std::size_t, std::int64_t>> find(std::string_view input) const {
    const Reference r = split(input);
    const auto it = index_.find(r.node);
    if (it == index_.end()) return std::nullopt;
    return std::pair(it->second, r.output);
  }

  // Depth first without recursion. Loops (NextIteration) are cut where they close.
  void order(const std::vector<TfPort>& outputs) {
    std::vector<char> state(nodes_.size(), 0);  // 1: on the way, 2: done
    std::vector<std::pair<std::size_t, std::size_t>> stack;
    bool loops = false;
    const auto visit = [&](std::size_t root) {
      if (state[root] != 0) return;
      stack.emplace_back(root, 0);
      state[root] = 1;
      while (!stack.empty()) {
        auto& [node, next] = stack.back();
        if (next == nodes_[node].inputs.size()) {
          state[node] = 2;
          order_.push_back(node);
          stack.pop_back();
          continue;
        }
        const auto at = find(nodes_[node].inputs[next++]);
        if (!at) continue;
        if (state[at->first] == 1) loops = true;
        if (state[at->first] != 0) continue;
        state[at->first] = 1;
        stack.emplace_back(at->first, 0);
      }
    };
    if (outputs.empty()) {
      for (std::size_t i = 0; i < nodes_.size(); ++i) visit(i);
    } else {
      for (const TfPort& p : outputs) {
        if (const auto at = find(p.tensor)) visit(at->first);
      }
    }
    if (loops) model_.remarks.push_back("the graph has loops");
  }

  void declare(std::size_t i, const std::vector<TfPort>& ports) {
    const TfNode& n = nodes_[i];
    ModelGraph& g = model_.graphs[0];
    first_[i] = static_cast<std::int32_t>(g.tensors.size());
    for (std::int64_t k = 0; k < results_[i]; ++k) {
      ModelTensor t;
      if (n.value && k == 0) {
        t = *n.value;
      } else {
        t.has_shape = false;
        if (const auto it = n.attributes.find("dtype"); it != n.attributes.end()) take_type(t, it->second);
        if (const auto it = n.attributes.find("DstT"); it != n.attributes.end()) take_type(t, it->second);
        const auto shape = n.attributes.find("shape");
        if (n.op.starts_with("Placeholder") && shape != n.attributes.end()) {
          if (const auto* list = std::get_if<std::vector<std::int64_t>>(&shape->second)) {
            t.shape = *list;
            t.has_shape = true;
          }
        }
        if (n.op.starts_with("Placeholder")) take_port(t, n.name, ports);
      }
      t.name = k == 0 ? n.name : fmt::format("{}:{}", n.name, k);
      g.tensors.push_back(std::move(t));
      g.outer.push_back(-1);
    }
  }

  static void take_type(ModelTensor& t, const Attribute& a) {
    if (const auto* word = std::get_if<std::string>(&a)) t.type = tf_element(*word);
  }

  static void take_port(ModelTensor& t, const std::string& name, const std::vector<TfPort>& ports) {
    for (const TfPort& p : ports) {
      if (split(p.tensor).node != name || !p.has_shape) continue;
      t.type = p.type;
      t.shape = p.shape;
      t.has_shape = true;
    }
  }

  void add(std::size_t i) {
    TfNode& n = nodes_[i];
    if (n.op == "Placeholder" || n.op == "NoOp") return;
    ModelOp& op = model_.graphs[0].ops.emplace_back();
    op.type = n.op;
    op.name = n.name;
    op.attributes = std::move(n.attributes);
    for (const std::string& input : n.inputs) {
      const auto at = find(input);
      op.inputs.push_back(at && first_[at->first] >= 0 ? first_[at->first] + static_cast<std::int32_t>(at->second)
                                                       : -1);
    }
    for (std::int64_t k = 0; k < results_[i]; ++k) op.outputs.push_back(first_[i] + static_cast<std::int32_t>(k));
  }

  Model& model_;
  std::vector<TfNode> nodes_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::int64_t> results_;
  std::vector<bool> read_;
  std::vector<std::int32_t> first_;  // tensor of a node's first result
  std::vector<std::size_t> order_;
};

}  // namespace

ElementType tf_element(std::uint64_t number) {
  for (const Type& t : kTypes) {
    if (t.number == number % 100) return element_type(t.name);  // 101 and on: references to such a tensor
  }
  return {};
}

ElementType tf_element(std::string_view word) {
  for (const Type& t : kTypes) {
    if (t.word == word) return element_type(t.name);
  }
  return {};
}

std::string tf_reference(std::string_view input) {
  if (input.starts_with('^')) return {};
  return input.find(':') == std::string_view::npos ? std::string(input) + ":0" : std::string(input);
}

void build_tf(Model& model, std::vector<TfNode> nodes, const std::vector<TfPort>& inputs,
              const std::vector<TfPort>& outputs) {
  if (nodes.empty()) fail(ErrorKind::bad_file, "TensorFlow: the graph has no nodes");
  Builder(model, std::move(nodes)).run(inputs, outputs);
}

}  // namespace thimble::gauge
