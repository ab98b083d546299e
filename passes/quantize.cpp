#include "passes/quantize.h"

#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "passes/rebuild.h"

namespace thimble::passes {

using namespace graph;

namespace {

constexpr std::int64_t kLeastInputs = 32, kLeastOutputs = 16;

bool is_pointwise(const Conv2d& op, const Shape& weight) {
  const bool plain = op.stride == Ints{1, 1} && op.padding == Ints{0, 0, 0, 0} && op.groups == 1;
  return plain && weight[2] == 1 && weight[3] == 1;
}

// Nodes after which an error is mixed with others: everything that multiplies by weights or mixes tokens.
bool mixes(const Op& op) {
  return std::holds_alternative<Linear>(op) || std::holds_alternative<Conv2d>(op) ||
         std::holds_alternative<MatMul>(op) || std::holds_alternative<Attention>(op) ||
         std::holds_alternative<AttentionMap>(op) || std::holds_alternative<AttentionApply>(op) ||
         std::holds_alternative<LinearAttention>(op) || std::holds_alternative<QuantLinear>(op) ||
         std::holds_alternative<QuantConv2d>(op);
}

// Which values are an input of the graph but for steps that mix nothing, and which become an output that way alone.
struct Borders {
  enum class Depth : std::uint8_t { none, border, inside };  // of constants and parameters: none
  std::vector<Depth> from_input, to_output;
  std::vector<ValueId> root;            // by value at the border: the input it comes from
  std::map<ValueId, int> first_layers;  // by input: how many layers read it first
  explicit Borders(const Graph& g)
      : from_input(g.values.size(), Depth::none), to_output(g.values.size(), Depth::none), root(g.values.size(), -1) {
    for (ValueId v : g.inputs) {
      from_input[index(v)] = Depth::border;
      root[index(v)] = v;
    }
    for (const Node& n : g.nodes) {
      for (ValueId v : n.inputs) {
        from_input[index(n.output)] = std::max(from_input[index(n.output)], from_input[index(v)]);
        if (root[index(v)] >= 0) root[index(n.output)] = root[index(v)];
      }
      if (!mixes(n.op) || n.inputs.empty()) continue;
      if (is_first(n)) ++first_layers[root[index(n.inputs[0])]];
      from_input[index(n.output)] = Depth::inside;
    }
    for (const NamedValue& o : g.outputs) to_output[index(o.value)] = Depth::border;
    for (auto n = g.nodes.rbegin(); n != g.nodes.rend(); ++n) {
      const Depth depth = mixes(n->op) ? Depth::inside : to_output[index(n->output)];
      for (ValueId v : n->inputs) to_output[index(v)] = std::max(to_output[index(v)], depth);
    }
  }
  bool is_first(const Node& n) const { return from_input[index(n.inputs[0])] == Depth::border; }
  bool is_last(const Node& n) const { return to_output[index(n.output)] == Depth::border; }
  // An input that more layers read than this is no raw data: it holds the states of another network, or was embedded.
  static constexpr int kMostFirst = 2;
  bool keeps_input(const Node& n) const {
    return is_first(n) && first_layers.at(root[index(n.inputs[0])]) <= kMostFirst;
  }
};

// Through views: the node that makes the value's numbers, or -1.
std::int32_t maker(const Graph& g, ValueId v) {
  for (;;) {
    const std::int32_t n = g.value(v).producer;
    if (n < 0) return -1;
    const Op& op = g.nodes[index(n)].op;
    if (!std::holds_alternative<Reshape>(op) && !std::holds_alternative<Slice>(op) &&
        !std::holds_alternative<Transpose>(op) && !std::holds_alternative<Broadcast>(op))
      return n;
    v = g.nodes[index(n)].inputs[0];
  }
}

bool lopsided(const Graph& g, ValueId v) {
  const std::int32_t n = maker(g, v);
  const auto* unary = n < 0 ? nullptr : std::get_if<Unary>(&g.nodes[index(n)].op);
  if (unary == nullptr) return false;
  using enum UnaryKind;
  constexpr UnaryKind kLopsided[] = {relu, gelu, gelu_tanh, silu, UnaryKind::sigmoid, softplus, hard_swish};
  return std::ranges::find(kLopsided, unary->kind) != std::end(kLopsided);
}

// Rows of the product that belong to one picture.
std::int64_t rows_per_picture(const Graph& g, const Node& node) {
  const Shape& x = g.type(node.inputs[0]).shape;
  return x.size() < 2 ? 1 : element_count({x.begin() + 1, x.end() - 1});
}

// Why the layer cannot be quantised or should not be; empty: it will.
std::string reason_to_stay(const Graph& g, const Borders& borders, const std::vector<int>& uses, const Node& node,
                           const QuantizeOptions& options) {
  const Value& weight = g.value(node.inputs[1]);
  if (std::holds_alternative<MatMul>(node.op)) return "a product by a plain matrix";
  if (const auto* conv = std::get_if<Conv2d>(&node.op); conv && !is_pointwise(*conv, weight.type.shape)) {
    if (conv->groups != 1) return "a convolution in groups";
    if (weight.type.shape[2] * weight.type.shape[3] == 1) return "a convolution of one pixel with a stride or padding";
    if (options.activations != 8) return "a convolution of more than one pixel takes no activations of 16 bits";
  }
  if (uses[index(node.inputs[1])] != 1) return "its weight is read elsewhere too";
  if (borders.keeps_input(node)) return "the first layer behind an input";
  if (borders.is_last(node)) return "the last layer before an output";
  const std::int64_t outputs = weight.type.shape[0],
                     inputs = weight.type.elements() / std::max<std::int64_t>(outputs, 1);
  if (inputs < kLeastInputs || outputs < kLeastOutputs) return "too small to gain";
  if (inputs % 2 != 0 && options.bits == 4) return "an odd number of inputs";
  return "";
}

Init scale_init(const Init& weight, std::int64_t bits) {
  // Random numbers of all steps, so that the spread is the original's: uniform has max / sqrt(3).
  const double most = bits == 4 ? 8 : 127;
  return {Init::Kind::constant, weight.kind == Init::Kind::normal ? weight.scale * 1.7320508 / most : 0.01 / most};
}

}  // namespace

void check_options(const QuantizeOptions& o) {
  if (o.bits != 8 && o.bits != 4) fail(ErrorKind::bad_input, "weights of 8 or 4 bits are possible, {} came", o.bits);
  if (o.activations != 8 && o.activations != 16) {
    fail(ErrorKind::bad_input, "activations of 8 or 16 bits are possible, {} came", o.activations);
  }
  if (o.group != 0 && o.group != 32 && o.group != 64 && o.group != 128) {
    fail(ErrorKind::bad_input, "groups of 32, 64 or 128 inputs, or 0 for all, are possible, {} came", o.group);
  }
}

std::vector<LayerChoice> choose_layers(const Graph& g, const QuantizeOptions& options) {
  check_options(options);
  const Borders borders(g);
  const std::vector<int> uses = use_counts(g);
  std::vector<LayerChoice> choices;
  for (std::size_t n = 0; n < g.nodes.size(); ++n) {
    const Node& node = g.nodes[n];
    const bool product = std::holds_alternative<Linear>(node.op) || std::holds_alternative<Conv2d>(node.op) ||
                         std::holds_alternative<MatMul>(node.op);
    if (!product || g.value(node.inputs[1]).kind != ValueKind::parameter) continue;
    LayerChoice c{g.value(node.inputs[1]).name, static_cast<int>(n), {}, {}};
    c.reason = reason_to_stay(g, borders, uses, node, options);
    if (c.reason.empty()) {
      QuantLinear f{.bits = options.bits, .group = options.group, .activations = options.activations};
      if (rows_per_picture(g, node) == 1 && options.bits < 8) {
        f = {.bits = 8, .group = 0, .activations = 8};
        c.reason = "one row per picture: 8 bits";
      }
      const auto* conv = std::get_if<Conv2d>(&node.op);
      if (conv != nullptr && !is_pointwise(*conv, g.type(node.inputs[1]).shape) && (f.bits != 8 || f.group != 0)) {
        f = {.bits = 8, .group = 0, .activations = 8};
        c.reason = "a convolution of more than one pixel: 8 bits, one scale an output";
      }
      f.asymmetric = f.activations == 8 && lopsided(g, node.inputs[0]);
      c.format = f;
    }
    choices.push_back(std::move(c));
  }
  return choices;
}

std::vector<QuantizedLayer> chosen(std::span<const LayerChoice> choices) {
  std::vector<QuantizedLayer> layers;
  for (const LayerChoice& c : choices) {
    if (c.format) layers.push_back({c.weight, *c.format});
  }
  return layers;
}

QuantizedForm quantized_form(const Graph& g, const Node& node, const QuantLinear& f) {
  const Shape& weight = g.type(node.inputs[1]).shape;
  const std::int64_t outputs = weight.at(0), inputs = weight.at(1);
  if (const auto* conv = std::get_if<Conv2d>(&node.op); conv && !is_pointwise(*conv, weight)) {
    if (f.bits != 8 || f.group != 0 || f.activations != 8 || weight[2] * weight[3] == 1) {
      fail(ErrorKind::bad_input,
           "'{}', a convolution of more than one pixel, takes weights and activations of 8 bits and no groups; "
           "{} and {} bits in groups of {} were asked for",
           g.value(node.inputs[1]).name, f.bits, f.activations, f.group);
    }
    return {QuantConv2d{conv->stride, conv->padding, conv->dilation, conv->groups, f.asymmetric},
            {DType::i8, weight},
            {outputs, 1}};
  }
  const std::int64_t groups = f.group == 0 ? 1 : (inputs + f.group - 1) / f.group;
  const TensorType numbers =
      f.bits == 4 ? TensorType{DType::u8, {outputs, inputs / 2}} : TensorType{DType::i8, {outputs, inputs}};
  return {f, numbers, {outputs, groups}};
}

Graph quantize(const Graph& g, std::span<const QuantizedLayer> layers) {
  std::map<std::string_view, const QuantizedLayer*> wanted;
  for (const QuantizedLayer& l : layers) {
    if (g.find_parameter(l.weight)) wanted.emplace(l.weight, &l);
  }
  const auto layer_of = [&](const Node& node) -> const QuantizedLayer* {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto it = wanted.find(g.value(node.inputs[i]).name);
      if (g.value(node.inputs[i]).kind != ValueKind::parameter || it == wanted.end()) continue;
      const auto* conv = std::get_if<Conv2d>(&node.op);
      const bool fits = std::holds_alternative<Linear>(node.op) || (conv != nullptr && i == 1);
      if (!fits || i != 1) {
        fail(ErrorKind::bad_input,
             "'{}' cannot be quantised: it is read by {}, not by a linear layer or a convolution alone", it->first,
             op_name(node.op));
      }
      return it->second;
    }
    return nullptr;
  };
  Builder b(g.name);
  Rebuild copy(g, b);
  for (ValueId v : g.inputs) copy.input(v);
  for (const Parameter& p : g.parameters) {
    const std::string& name = g.value(p.value).name;
    const auto it = wanted.find(name);
    if (it == wanted.end()) {
      copy.get(p.value);
      continue;
    }
    const auto reader = std::ranges::find_if(
        g.nodes, [&](const Node& n) { return std::ranges::find(n.inputs, p.value) != n.inputs.end(); });
    if (reader == g.nodes.end()) {
      copy.get(p.value);
      continue;
    }
    layer_of(*reader);  // names what cannot be quantised
    const QuantizedForm form = quantized_form(g, *reader, it->second->format);
    copy.set(p.value, b.param(name, form.numbers.shape, {Init::Kind::uniform, 127}, form.numbers.dtype));
    b.param(name + ".scale", form.scale, scale_init(p.init, it->second->format.bits));
  }
  for (const Node& node : g.nodes) {
    const QuantizedLayer* layer = layer_of(node);
    if (layer == nullptr) {
      copy.copy(node);
      continue;
    }
    const ValueId scale = *b.graph().find_parameter(layer->weight + ".scale");
    std::vector<Var> in{copy.get(node.inputs[0]), copy.get(node.inputs[1]), {&b, scale}};
    if (node.inputs.size() > 2) in.push_back(copy.get(node.inputs[2]));
    copy.set(node.output, b.add(quantized_form(g, node, layer->format).op, in));
  }
  for (const NamedValue& o : g.outputs) b.output(o.name, copy.get(o.value));
  for (const NamedValue& t : g.taps) b.tap(t.name, copy.get(t.value));
  return b.finish();
}

Json to_json(std::span<const QuantizedLayer> layers) {
  Json list = Json::array();
  for (const QuantizedLayer& l : layers) {
    list.push_back({{"weight", l.weight},
                    {"bits", l.format.bits},
                    {"group", l.format.group},
                    {"activations", l.format.activations},
                    {"asymmetric", l.format.asymmetric}});
  }
  return {{"layers", list}};
}

std::vector<QuantizedLayer> layers_from_json(const Json& options, const std::string& what) {
  std::vector<QuantizedLayer> layers;
  for (const Json& l : get_array(options, "layers", what)) {
    QuantizedLayer q{get_string(l, "weight", what), {}};
    q.format.bits = get_int(l, "bits", what);
    q.format.group = get_int(l, "group", what);
    q.format.activations = get_int(l, "activations", what);
    const auto asymmetric = l.find("asymmetric");
    if (asymmetric == l.end() || !asymmetric->is_boolean()) {
      fail(ErrorKind::bad_file, "{}: 'asymmetric' of '{}' must be true or false", what, q.weight);
    }
    q.format.asymmetric = asymmetric->get<bool>();
    layers.push_back(std::move(q));
  }
  return layers;
}

}  // namespace thimble::passes
