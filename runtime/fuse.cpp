#include "runtime/fuse.h"

#include <algorithm>

#include "base/index.h"
#include "runtime/layout.h"

namespace thimble::runtime {

using namespace graph;

namespace {

struct Fuser {
  const Graph& g;
  const Facts& f;
  std::vector<bool> taken;  // by node

  const Node& node(int n) const { return g.nodes[index(n)]; }

  // The one living node that reads the unit's result, if it is a T and free; else null.
  template <class T>
  const T* next(const Unit& u, int& n) const {
    n = f.sole_reader(u.output);
    if (n < 0 || taken[index(n)]) return nullptr;
    return std::get_if<T>(&node(n).op);
  }

  void absorb(Unit& u, int n, const char* suffix) {
    taken[index(n)] = true;
    u.nodes.push_back(n);
    u.output = node(n).output;
    u.position = n;
    u.name += suffix;
  }
};

bool is_product(const Fuser& s, const Unit& u) {
  const Node& node = s.node(u.node);
  return std::holds_alternative<Linear>(node.op) || std::holds_alternative<Conv2d>(node.op) ||
         std::holds_alternative<QuantLinear>(node.op) || std::holds_alternative<QuantConv2d>(node.op) ||
         is_linear_matmul(s.g, s.f, node);
}

// A sum or product of the unit's result with another value; the other operand, or -1.
ValueId other_operand(const Fuser& s, const Unit& u, BinaryKind kind, int& n) {
  const auto* b = s.next<Binary>(u, n);
  if (b == nullptr || b->kind != kind || s.g.type(s.node(n).output) != s.g.type(u.output)) return -1;
  const auto& in = s.node(n).inputs;
  return in[0] == u.output ? in[1] : in[0];
}

// resize(nearest, x2) -> conv2d: the convolution reads the small picture.
bool fuse_upsample(Fuser& s, Unit& u) {
  int n = -1;
  const auto* resize = std::get_if<Resize>(&s.node(u.node).op);
  if (resize == nullptr || resize->mode != ResizeMode::nearest || resize->grid == ResizeGrid::align_corners)
    return false;
  const bool whole = s.next<QuantConv2d>(u, n) != nullptr;
  if (!whole && s.next<Conv2d>(u, n) == nullptr) return false;
  const Shape& from = s.g.type(u.x).shape;
  if (resize->height != 2 * from[1] || resize->width != 2 * from[2] || s.node(n).inputs[0] != u.output) return false;
  if (!s.f.fixed[index(s.node(n).inputs[1])]) return false;
  s.absorb(u, n, whole ? "+quant_conv2d" : "+conv2d");
  u.node = n;
  u.upsample = true;
  const std::size_t bias = whole ? 3 : 2;
  if (s.node(n).inputs.size() > bias) u.bias = s.node(n).inputs[bias];
  return true;
}

// conv2d -> pixel_shuffle: with the output channels in the order (i, j, c) the shuffle moves runs instead of elements.
bool fuse_shuffle(Fuser& s, Unit& u) {
  const auto* conv = std::get_if<Conv2d>(&s.node(u.node).op);
  if (conv == nullptr || conv->groups != 1 || u.gate >= 0 || u.residual >= 0 || u.slope >= 0 || u.shuffle > 0)
    return false;
  if (!s.f.fixed[index(s.node(u.node).inputs[1])] ||
      (u.bias >= 0 && (!s.f.fixed[index(u.bias)] || s.g.type(u.bias).shape.size() != 1)))
    return false;
  int n = -1;
  const auto* shuffle = s.next<PixelShuffle>(u, n);
  if (shuffle == nullptr) return false;
  u.shuffle = shuffle->factor;
  s.absorb(u, n, "+pixel_shuffle");
  return true;
}

// product -> add of a fixed vector over the last axis.
bool fuse_bias(Fuser& s, Unit& u) {
  if (!is_product(s, u) || u.shuffle > 0 || u.bias >= 0 || u.activation || u.slope >= 0 || u.most || u.gate >= 0 ||
      u.residual >= 0)
    return false;
  int n = -1;
  const ValueId other = other_operand(s, u, BinaryKind::add, n);
  if (other < 0 || !s.f.fixed[index(other)] || s.g.type(other).shape.empty()) return false;
  const std::int64_t columns = s.g.type(u.output).shape.back();
  if (s.g.type(other).elements() != columns || s.g.type(other).shape.back() != columns) return false;
  u.bias = other;
  s.absorb(u, n, "+bias");
  return true;
}

bool product_activation(UnaryKind kind) {
  using enum UnaryKind;
  return kind == relu || kind == gelu || kind == gelu_tanh || kind == silu || kind == sigmoid || kind == tanh ||
         kind == hard_swish;
}

// Nothing of this kind stands behind the sums yet; behind a gate or residual it comes last.
bool takes_shape(const Fuser& s, const Unit& u) { return is_product(s, u) && !u.activation && u.slope < 0 && !u.most; }

bool fuse_product_activation(Fuser& s, Unit& u) {
  if (!takes_shape(s, u)) return false;
  int n = -1;
  const auto* unary = s.next<Unary>(u, n);
  if (unary == nullptr || !product_activation(unary->kind)) return false;
  u.activation = unary->kind;
  u.act_last = u.gate >= 0 || u.residual >= 0;
  s.absorb(u, n, ("+" + std::string(to_string(unary->kind))).c_str());
  return true;
}

// The one number of a constant.
std::optional<double> literal_of(const Fuser& s, ValueId v) {
  const std::int32_t n = s.g.value(v).producer;
  const auto* c = n < 0 ? nullptr : std::get_if<Constant>(&s.node(n).op);
  if (c == nullptr || c->values.size() != 1) return {};
  return c->values[0];
}

// product -> min(x, number), as behind a ReLU that ends at 6.
bool fuse_limit(Fuser& s, Unit& u) {
  if (!is_product(s, u) || u.most) return false;
  const bool behind = u.gate >= 0 || u.residual >= 0;
  if (behind && !u.act_last && (u.activation || u.slope >= 0)) return false;
  int n = -1;
  const auto* b = s.next<Binary>(u, n);
  if (b == nullptr || b->kind != BinaryKind::min || s.g.type(s.node(n).output) != s.g.type(u.output)) return false;
  const auto& in = s.node(n).inputs;
  const auto limit = literal_of(s, in[0] == u.output ? in[1] : in[0]);
  if (!limit || !(*limit > 0 && *limit < 1e30)) return false;
  u.most = limit;
  u.act_last = behind;
  s.absorb(u, n, "+min");
  return true;
}

// product -> max(x, 0) + slope * min(x, 0), one slope for each channel.
bool fuse_slope(Fuser& s, Unit& u) {
  if (!takes_shape(s, u) || u.shuffle > 0 || s.f.kept[index(u.output)]) return false;
  const auto& readers = s.f.readers[index(u.output)];
  if (readers.size() != 2 || s.taken[index(readers[0])] || s.taken[index(readers[1])]) return false;
  int up = readers[0], low = readers[1];
  if (std::holds_alternative<Binary>(s.node(up).op)) std::swap(up, low);
  const auto* unary = std::get_if<Unary>(&s.node(up).op);
  const auto* least = std::get_if<Binary>(&s.node(low).op);
  if (unary == nullptr || unary->kind != UnaryKind::relu || least == nullptr || least->kind != BinaryKind::min) {
    return false;
  }
  const auto other = [&](int n, ValueId v) {
    const auto& in = s.node(n).inputs;
    return in[0] == v ? in[1] : in[0];
  };
  if (literal_of(s, other(low, u.output)) != 0.0) return false;
  const auto follows = [&](ValueId v, BinaryKind kind) {
    const int n = s.f.sole_reader(v);
    const auto* b = n < 0 || s.taken[index(n)] ? nullptr : std::get_if<Binary>(&s.node(n).op);
    return b != nullptr && b->kind == kind ? n : -1;
  };
  const ValueId below = s.node(low).output, above = s.node(up).output;
  const int product = follows(below, BinaryKind::mul);
  if (product < 0) return false;
  const ValueId slope = other(product, below), scaled = s.node(product).output;
  const int sum = follows(scaled, BinaryKind::add);
  if (sum < 0 || s.f.sole_reader(above) != sum || other(sum, scaled) != above) return false;
  const TensorType &out = s.g.type(s.node(sum).output), &each = s.g.type(slope);
  if (out != s.g.type(u.output) || !s.f.fixed[index(slope)] || each.shape.empty() ||
      each.elements() != out.shape.back() || each.shape.back() != out.shape.back()) {
    return false;
  }
  u.slope = slope;
  u.act_last = u.gate >= 0 || u.residual >= 0;
  for (int n : {up, low, product}) {
    s.taken[index(n)] = true;
    u.nodes.push_back(n);
  }
  s.absorb(u, sum, "+prelu");
  return true;
}

// product -> multiply by one vector per batch, as the gates of adaptive layers (B, 1, C).
bool fuse_gate(Fuser& s, Unit& u) {
  if (!is_product(s, u) || u.shuffle > 0 || u.act_last || u.gate >= 0 || u.residual >= 0) return false;
  int n = -1;
  const ValueId other = other_operand(s, u, BinaryKind::mul, n);
  if (other < 0 || !is_batch_vector(s.g.type(other).shape, s.g.type(u.output).shape)) return false;
  u.gate = other;
  s.absorb(u, n, "+gate");
  return true;
}

bool fuse_residual(Fuser& s, Unit& u) {
  if (!is_product(s, u) || u.shuffle > 0 || u.act_last || u.residual >= 0) return false;
  int n = -1;
  const ValueId other = other_operand(s, u, BinaryKind::add, n);
  if (other < 0 || s.g.type(other).shape != s.g.type(u.output).shape) return false;
  u.residual = other;
  s.absorb(u, n, "+residual");
  return true;
}

bool fuse_modulation(Fuser& s, Unit& u) {
  const Op& op = s.node(u.node).op;
  if ((!std::holds_alternative<LayerNorm>(op) && !std::holds_alternative<RmsNorm>(op)) || u.shift >= 0) return false;
  int n = -1;
  if (s.next<Modulate>(u, n) == nullptr) return false;
  const auto& in = s.node(n).inputs;
  if (in[0] != u.output || s.g.type(in[1]).shape != s.g.type(in[2]).shape) return false;
  u.shift = in[1];
  u.scale = in[2];
  s.absorb(u, n, "+modulate");
  return true;
}

bool fuse_group_norm_activation(Fuser& s, Unit& u) {
  if (!std::holds_alternative<GroupNorm>(s.node(u.node).op) || u.activation) return false;
  int n = -1;
  const auto* unary = s.next<Unary>(u, n);
  if (unary == nullptr || (unary->kind != UnaryKind::silu && unary->kind != UnaryKind::relu)) return false;
  u.activation = unary->kind;
  s.absorb(u, n, unary->kind == UnaryKind::silu ? "+silu" : "+relu");
  return true;
}

// Every reader of `v`, through slices, is the same attention: it takes rows of any stride. That node, or -1.
int sole_attention(const Fuser& s, ValueId v) {
  if (s.f.kept[index(v)] || s.f.readers[index(v)].empty()) return -1;
  int attention = -1;
  for (int reader : s.f.readers[index(v)]) {
    const Op& op = s.node(reader).op;
    int found = -1;
    if (std::holds_alternative<Attention>(op) || std::holds_alternative<LinearAttention>(op)) {
      found = reader;
    } else if (std::holds_alternative<Slice>(op)) {
      found = sole_attention(s, s.node(reader).output);
    }
    if (found < 0 || (attention >= 0 && found != attention)) return -1;
    attention = found;
  }
  return attention;
}

// Linears of one input that feed one attention (queries, keys, values) become one product.
bool fuse_parallel_linears(Fuser& s, Unit& u) {
  const Node& first = s.node(u.node);
  if (!std::holds_alternative<Linear>(first.op) || u.nodes.size() > 1 || !s.f.fixed[index(first.inputs[1])])
    return false;
  const int attention = sole_attention(s, first.output);
  if (attention < 0) return false;
  std::vector<int> found{u.node};
  for (int reader : s.f.readers[index(first.inputs[0])]) {
    const Node& other = s.node(reader);
    if (reader <= u.node || s.taken[index(reader)] || !std::holds_alternative<Linear>(other.op)) continue;
    const bool fixed = std::ranges::all_of(other.inputs.begin() + 1, other.inputs.end(),
                                           [&](ValueId v) { return s.f.fixed[index(v)]; });
    if (fixed && other.inputs[0] == first.inputs[0] && other.inputs.size() == first.inputs.size() &&
        sole_attention(s, other.output) == attention && std::ranges::find(found, reader) == found.end()) {
      found.push_back(reader);
    }
  }
  if (found.size() < 2 || (first.inputs.size() > 2 && !s.f.fixed[index(first.inputs[2])])) return false;
  for (int n : found) s.taken[index(n)] = true;
  u.name = fmt::format("linear x{}", found.size());
  u.merged = u.nodes = found;
  return true;
}

// Tried in this order, again and again, until none applies. The first column is what tests and docs call them.
struct FusionRow {
  const char* name;
  bool (*apply)(Fuser&, Unit&);
};
constexpr FusionRow kFusions[] = {
    {"parallel linears of one attention", fuse_parallel_linears},
    {"doubling into convolution", fuse_upsample},
    {"channel order of a shuffle into convolution", fuse_shuffle},
    {"bias into product", fuse_bias},
    {"slope into product", fuse_slope},
    {"activation into product", fuse_product_activation},
    {"limit into product", fuse_limit},
    {"gate into product", fuse_gate},
    {"residual into product", fuse_residual},
    {"modulation into norm", fuse_modulation},
    {"activation into group norm", fuse_group_norm_activation},
};

}  // namespace

std::vector<ValueId> Unit::reads(const Graph& graph) const {
  std::vector<ValueId> made, read;
  for (int n : nodes) made.push_back(graph.nodes[index(n)].output);
  for (int n : nodes) {
    for (ValueId v : graph.nodes[index(n)].inputs) {
      if (std::ranges::find(made, v) == made.end()) read.push_back(v);
    }
  }
  return read;
}

bool is_linear_matmul(const Graph& g, const Facts& f, const Node& node) {
  const auto* op = std::get_if<MatMul>(&node.op);
  if (op == nullptr || op->transpose_a || !f.fixed[index(node.inputs[1])]) return false;
  const Shape& b = g.type(node.inputs[1]).shape;
  return std::all_of(b.begin(), b.end() - 2, [](std::int64_t d) { return d == 1; });
}

std::vector<Unit> fuse(const Graph& g, const Facts& f) {
  Fuser s{g, f, std::vector<bool>(g.nodes.size(), false)};
  std::vector<Unit> units;
  for (int n = 0; n < static_cast<int>(g.nodes.size()); ++n) {
    const Node& node = s.node(n);
    if (!f.alive[index(n)] || s.taken[index(n)] || f.fixed[index(node.output)] || is_view(g, f, node)) continue;
    Unit u;
    u.node = u.position = n;
    u.nodes = {n};
    u.output = node.output;
    u.name = op_name(node.op);
    if (!node.inputs.empty()) u.x = node.inputs[0];
    if ((std::holds_alternative<Linear>(node.op) || std::holds_alternative<Conv2d>(node.op)) &&
        node.inputs.size() > 2) {
      u.bias = node.inputs[2];
    }
    const bool quantised = std::holds_alternative<QuantLinear>(node.op) || std::holds_alternative<QuantConv2d>(node.op);
    if (quantised && node.inputs.size() > 3) u.bias = node.inputs[3];
    s.taken[index(n)] = true;
    for (bool again = true; again;) {
      again = std::ranges::any_of(kFusions, [&](const FusionRow& row) { return row.apply(s, u); });
    }
    units.push_back(std::move(u));
  }
  std::ranges::stable_sort(units, {}, &Unit::position);
  return units;
}

}  // namespace thimble::runtime
