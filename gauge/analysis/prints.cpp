// What makes two models the same: hashes of constants, and of a whole network without its names.
#include <algorithm>
#include <map>

#include "gauge/analysis/analysis.h"

namespace thimble::gauge {
namespace {

constexpr std::size_t kLeast = 64;  // bytes of a constant that tells anything

std::string print_of(const ModelTensor& t) {
  const std::string head = fmt::format("{} {} ", t.type.name, graph::to_string(t.shape));
  // Hashing text and bytes apart avoids a copy of the bytes.
  const std::string both = sha256(bytes_of(head)) + sha256(t.bytes);
  return sha256(bytes_of(both)).substr(0, 32);
}

// Follows operators that only unpack a constant: DEQUANTIZE, DENSIFY, Identity, Cast.
bool unpacks(const ModelOp& op) {
  return op.type == "DEQUANTIZE" || op.type == "DENSIFY" || op.type == "Identity" || op.type == "Cast" ||
         op.type == "DequantizeLinear" || op.type == "ReadVariableOp";
}

class Canonical {
 public:
  explicit Canonical(const Model& model) : model_(model) {}

  std::string run() {
    std::string text = model_.format;
    for (std::size_t g = 0; g < model_.graphs.size(); ++g) graph(model_.graphs[g], text);
    return sha256(bytes_of(text));
  }

 private:
  void graph(const ModelGraph& g, std::string& text) {
    // A tensor is named by what it is: an input's number, a constant's hash, an operator's output, an outer tensor.
    std::vector<std::string> names(g.tensors.size());
    for (std::size_t i = 0; i < g.tensors.size(); ++i) {
      const ModelTensor& t = g.tensors[i];
      if (g.outer[i] >= 0) {
        names[i] = fmt::format("outer{}", g.outer[i]);
      } else if (t.constant) {
        names[i] = print_of(t);
      }
    }
    text += "\ngraph";
    for (std::size_t i = 0; i < g.inputs.size(); ++i) {
      const ModelTensor& t = g.tensors[static_cast<std::size_t>(g.inputs[i])];
      names[static_cast<std::size_t>(g.inputs[i])] = fmt::format("input{}", i);
      text += fmt::format(" {}{}", t.type.name, graph::to_string(t.shape));
    }
    int number = 0;
    for (const ModelOp& op : g.ops) {
      if (op.type == "Constant" || op.type == "Const" || op.type == "const") continue;
      text += fmt::format("\n{}", op.type);
      for (const std::int32_t i : op.inputs) text += " " + (i < 0 ? "-" : names[static_cast<std::size_t>(i)]);
      for (const auto& [key, value] : op.attributes) text += " " + key + "=" + attribute(g, op, key, value);
      for (std::size_t o = 0; o < op.outputs.size(); ++o) {
        if (op.outputs[o] >= 0) names[static_cast<std::size_t>(op.outputs[o])] = fmt::format("{}.{}", number, o);
      }
      ++number;
    }
    text += "\noutputs";
    for (const std::int32_t i : g.outputs) text += " " + names[static_cast<std::size_t>(i)];
  }

  static std::string attribute(const ModelGraph& g, const ModelOp& op, const std::string& key, const Attribute& value) {
    if (key == "value" && op.type == "ConstantOfShape") {
      const auto i = static_cast<std::size_t>(std::get<std::int64_t>(value));
      return i < g.tensors.size() ? print_of(g.tensors[i]) : "-";
    }
    return std::visit(
        [](const auto& v) -> std::string {
          using T = std::remove_cvref_t<decltype(v)>;
          if constexpr (std::is_same_v<T, std::string>)
            return sha256(bytes_of(v));
          else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, double>)
            return fmt::format("{}", v);
          else
            return fmt::format("[{}]", fmt::join(v, ","));
        },
        value);
  }

  const Model& model_;
};

}  // namespace

std::string canonical_hash(const Model& model) { return Canonical(model).run(); }

std::vector<TensorPrint> fingerprints(const Model& model) {
  std::vector<TensorPrint> out;
  for (std::size_t n = 0; n < model.graphs.size(); ++n) {
    const ModelGraph& g = model.graphs[n];
    std::vector<std::int32_t> reader(g.tensors.size(), -1);
    if (n == 0) {
      for (std::size_t i = g.ops.size(); i-- > 0;) {
        for (const std::int32_t t : g.ops[i].inputs) {
          if (t >= 0) reader[static_cast<std::size_t>(t)] = static_cast<std::int32_t>(i);
        }
      }
      for (std::size_t i = g.ops.size(); i-- > 0;) {  // the layer that reads what an unpacking operator gives
        const ModelOp& op = g.ops[i];
        if (!unpacks(op) || op.inputs.empty() || op.outputs.empty() || op.inputs[0] < 0 || op.outputs[0] < 0) continue;
        const std::int32_t real = reader[static_cast<std::size_t>(op.outputs[0])];
        if (real >= 0) reader[static_cast<std::size_t>(op.inputs[0])] = real;
      }
    }
    for (std::size_t i = 0; i < g.tensors.size(); ++i) {
      const ModelTensor& t = g.tensors[i];
      if (!t.constant || g.outer[i] >= 0 || t.bytes.size() < kLeast) continue;
      out.push_back({print_of(t), t.name, std::string(t.type.name), t.shape, t.bytes.size(), reader[i]});
    }
  }
  return out;
}

double Sharing::share() const {
  const std::uint64_t smaller = std::min(bytes_a, bytes_b);
  return smaller == 0 ? 0 : static_cast<double>(bytes) / static_cast<double>(smaller);
}

std::string Sharing::verdict() const {
  if (same_file) return "same file";
  if (same_network) return "same network";
  if (same_operators && tensors == of_a && tensors == of_b && of_a > 0) return "same weights";
  if (same_operators && tensors > 0) return "fine-tuned";
  if (share() >= 0.2) return "shares layers";
  if (tensors > 0) return "shares constants";
  return same_operators ? "same architecture" : "";
}

std::vector<Sharing> sharing(const std::vector<Analysis>& models) {
  std::vector<std::map<std::string, std::pair<std::int64_t, std::uint64_t>>> counts(models.size());
  std::vector<std::uint64_t> bytes(models.size(), 0);
  for (std::size_t i = 0; i < models.size(); ++i) {
    for (const TensorPrint& t : models[i].tensors) {
      auto& [n, size] = counts[i][t.hash];
      ++n;
      size = t.bytes;
      bytes[i] += t.bytes;
    }
  }
  std::vector<Sharing> out;
  for (std::size_t a = 0; a < models.size(); ++a) {
    for (std::size_t b = a + 1; b < models.size(); ++b) {
      Sharing s{.a = a, .b = b};
      s.of_a = std::ssize(models[a].tensors);
      s.of_b = std::ssize(models[b].tensors);
      s.bytes_a = bytes[a];
      s.bytes_b = bytes[b];
      for (const auto& [hash, n] : counts[a]) {
        const auto it = counts[b].find(hash);
        if (it == counts[b].end()) continue;
        const std::int64_t both = std::min(n.first, it->second.first);
        s.tensors += both;
        s.bytes += static_cast<std::uint64_t>(both) * n.second;
      }
      std::vector<std::int32_t> apart;
      for (const TensorPrint& t : models[a].tensors) {
        if (!counts[b].contains(t.hash)) apart.push_back(t.layer);
      }
      std::ranges::sort(apart);
      s.layers_apart = std::unique(apart.begin(), apart.end()) - apart.begin();
      s.same_file = models[a].sha256 == models[b].sha256;
      s.same_network = !models[a].canonical.empty() && models[a].canonical == models[b].canonical;
      s.same_operators = !models[a].operators.empty() && models[a].operators == models[b].operators;
      if (s.tensors > 0 || s.same_operators || s.same_file) out.push_back(s);
    }
  }
  return out;
}

}  // namespace thimble::gauge
