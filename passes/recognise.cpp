#include "passes/recognise.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "base/index.h"
#include "passes/rebuild.h"

namespace thimble::passes {

using namespace graph;

namespace {

constexpr std::int64_t kLanes = 16;  // channels that a product's kernels make together
constexpr double kWorthwhile = 1.3;  // times fewer products, or a convolution stays as it is

bool near(double a, double b) { return std::fabs(a - b) <= 1e-5 * std::max(1.0, std::fabs(b)); }

// What takes the place of a value: made from values that stay.
struct Replacement {
  std::vector<ValueId> from;
  std::function<Var(Builder&, Rebuild&)> make;
};

struct Finder {
  const Graph& g;
  Weights& weights;
  std::vector<int> uses;

  const Node* producer(ValueId v) const {
    const std::int32_t n = g.value(v).producer;
    return n < 0 ? nullptr : &g.nodes[index(n)];
  }
  template <class T>
  const T* made_by(ValueId v) const {
    const Node* n = producer(v);
    return n == nullptr ? nullptr : std::get_if<T>(&n->op);
  }
  // The operand of v = kind(x), or -1.
  ValueId unary(ValueId v, UnaryKind kind) const {
    const auto* op = made_by<Unary>(v);
    return op != nullptr && op->kind == kind ? producer(v)->inputs[0] : -1;
  }
  std::optional<double> literal(ValueId v) const {
    const auto* c = made_by<Constant>(v);
    if (c == nullptr || c->dtype != DType::f32 || c->values.size() != 1) return {};
    return c->values[0];
  }
  // v = kind(x, number), either way round for those that commute; the number of the right shape.
  bool with_number(ValueId v, BinaryKind kind, ValueId& x, double& number) const {
    const auto* op = made_by<Binary>(v);
    if (op == nullptr || op->kind != kind) return false;
    const auto& in = producer(v)->inputs;
    for (const std::size_t at : {std::size_t{1}, std::size_t{0}}) {
      if (at == 0 && (kind == BinaryKind::sub || kind == BinaryKind::div)) continue;
      const auto n = literal(in[at]);
      if (!n || g.type(in[1 - at]) != g.type(v)) continue;
      x = in[1 - at];
      number = *n;
      return true;
    }
    return false;
  }
  // v = factor * x, through products with numbers.
  ValueId unscaled(ValueId v, double& factor) const {
    ValueId x = v;
    for (double n = 0;; v = x) {
      if (with_number(v, BinaryKind::mul, x, n)) {
        factor *= n;
      } else if (with_number(v, BinaryKind::div, x, n) && n != 0) {
        factor /= n;
      } else {
        return v;
      }
    }
  }

  // v = factor * clamp(x / 6 + 1/2, 0, 1)?
  ValueId hard_gate(ValueId v, double& factor) const {
    v = unscaled(v, factor);
    double most = 0, shift = 0, slope = 1;
    ValueId low = -1, affine = -1, x = -1;
    if (!with_number(v, BinaryKind::min, low, most) || most <= 0) return -1;
    affine = unary(low, UnaryKind::relu);
    if (affine < 0 || !with_number(affine, BinaryKind::add, x, shift)) return -1;
    x = unscaled(x, slope);
    if (!near(slope / most, 1.0 / 6) || !near(shift / most, 0.5)) return -1;
    factor *= most;
    return x;
  }
  std::optional<Replacement> hard_swish(ValueId v) const {
    double factor = 1;
    const ValueId product = unscaled(v, factor);
    const auto* op = made_by<Binary>(product);
    if (op == nullptr || op->kind != BinaryKind::mul) return {};
    const auto& in = producer(product)->inputs;
    for (const std::size_t at : {0, 1}) {
      double all = factor;
      const ValueId gate = hard_gate(in[at], all);
      const ValueId x = unscaled(in[1 - at], all);
      if (gate < 0 || gate != x || !near(all, 1)) continue;
      return Replacement{{x}, [x](Builder& b, Rebuild& r) { return b.unary(UnaryKind::hard_swish, r.get(x)); }};
    }
    return {};
  }

  std::optional<Replacement> lower_half(ValueId v) const {
    const ValueId relu = unary(v, UnaryKind::neg);
    const ValueId inner = relu < 0 ? -1 : unary(relu, UnaryKind::relu);
    const ValueId x = inner < 0 ? -1 : unary(inner, UnaryKind::neg);
    if (x < 0 || g.type(v).dtype != DType::f32) return {};
    return Replacement{{x}, [x](Builder& b, Rebuild& r) { return b.binary(BinaryKind::min, r.get(x), b.constant(0)); }};
  }

  std::optional<Replacement> softmax(ValueId v) const {
    const auto* div = made_by<Binary>(v);
    if (div == nullptr || div->kind != BinaryKind::div) return {};
    const ValueId e = producer(v)->inputs[0], total = producer(v)->inputs[1];
    const auto* sum = made_by<Reduce>(total);
    if (sum == nullptr || sum->kind != ReduceKind::sum || sum->axes.size() != 1 || producer(total)->inputs[0] != e) {
      return {};
    }
    const ValueId shifted = unary(e, UnaryKind::exp);
    const auto* sub = shifted < 0 ? nullptr : made_by<Binary>(shifted);
    if (sub == nullptr || sub->kind != BinaryKind::sub || g.type(shifted) != g.type(v)) return {};
    const ValueId x = producer(shifted)->inputs[0], top = producer(shifted)->inputs[1];
    const auto* max = made_by<Reduce>(top);
    if (max == nullptr || max->kind != ReduceKind::max || max->axes != sum->axes || producer(top)->inputs[0] != x ||
        g.type(x) != g.type(v) || g.type(total).shape.size() != g.type(v).shape.size() ||
        g.type(top).shape.size() != g.type(v).shape.size()) {
      return {};
    }
    const std::int64_t axis = sum->axes[0];
    return Replacement{{x}, [x, axis](Builder& b, Rebuild& r) { return b.softmax(r.get(x), static_cast<int>(axis)); }};
  }

  // Weights (O, I, kh, kw) for `pixels` results side by side: (pixels O, I, kh, kw + pixels - 1), zero where a result
  // does not look.
  static Tensor side_by_side(const Tensor& w, std::int64_t pixels) {
    const Shape& s = w.shape();
    const bool point = s[3] == 1;  // pixels x I channels instead: (pixels O, pixels I, 1, 1), in blocks
    const std::int64_t wide = point ? pixels * s[1] : s[3] + pixels - 1, rows = point ? 1 : s[1] * s[2];
    const std::int64_t run = point ? s[1] : s[3], step = point ? s[1] : 1;
    Tensor out(
        TensorType{w.type().dtype, point ? Shape{pixels * s[0], wide, 1, 1} : Shape{pixels * s[0], s[1], s[2], wide}});
    const std::size_t size = size_of(w.type().dtype);
    std::byte* to = out.mutable_data();
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t r = 0; r < s[0] * rows; ++r) {
        std::memcpy(to + index((p * s[0] * rows + r) * wide + p * step) * size, w.data() + index(r * run) * size,
                    index(run) * size);
      }
    }
    return out;
  }
  static Tensor repeated(const Tensor& bias, std::int64_t times) {
    Tensor out(TensorType{bias.type().dtype, {times * bias.shape()[0]}});
    for (std::int64_t i = 0; i < times; ++i) {
      std::memcpy(out.mutable_data() + index(i) * bias.type().bytes(), bias.data(), bias.type().bytes());
    }
    return out;
  }
  // The name of a parameter made of `v`, a parameter or a constant; empty when it is neither.
  std::string widened(ValueId v, std::int64_t pixels, bool bias) {
    const auto make = [pixels, bias](const Tensor& t) { return bias ? repeated(t, pixels) : side_by_side(t, pixels); };
    if (g.value(v).kind == ValueKind::parameter) {
      const std::string name = fmt::format("{}.side_by_side{}", g.value(v).name, pixels);
      if (!weights.contains(name)) {
        weights.derive(
            name, FunctionRecipe{{g.value(v).name}, [make](std::span<const Tensor> from) { return make(from[0]); }});
      }
      return name;
    }
    const auto* c = made_by<Constant>(v);
    if (c == nullptr || c->dtype != DType::f32) return {};
    Tensor t(g.type(v));
    for (std::size_t i = 0; i < t.mutable_as<float>().size(); ++i) {
      t.mutable_as<float>()[i] = static_cast<float>(c->values[c->values.size() == 1 ? 0 : i]);
    }
    const std::string name = fmt::format("constant{}.side_by_side{}", v, pixels);
    weights.set(name, make(t));
    return name;
  }

  // How many results side by side a convolution should make; 1: as it is.
  std::int64_t pixels_of(ValueId v) const {
    const auto* conv = made_by<Conv2d>(v);
    if (conv == nullptr || conv->groups != 1 || conv->dilation[1] != 1 || conv->stride[1] != 1) return 1;
    const Shape &y = g.type(v).shape, &w = g.type(producer(v)->inputs[1]).shape;
    if (w[0] > kLanes / 2 || kLanes % w[0] != 0) return 1;
    const std::int64_t pixels = kLanes / w[0];
    if (y[2] % pixels != 0) return 1;
    const double wide = static_cast<double>(w[3] + pixels - 1);
    if (static_cast<double>(pixels * w[3]) >= kWorthwhile * wide) return pixels;
    // With a single tap there are no fewer products, but fewer and fuller vectors to finish, which is most of the work
    // where few channels are summed.
    const bool point = w[2] == 1 && w[3] == 1 && conv->stride[0] == 1 && std::ranges::count(conv->padding, 0) == 4;
    return point && w[1] <= 2 * kLanes ? pixels : 1;
  }

  // A convolution of few channels with what follows it element by element, in the wide shape.
  using Make = std::function<Var(Builder&, Rebuild&)>;
  Make wide(ValueId v, bool root, std::int64_t& pixels, std::vector<ValueId>& from) {
    if (!root && uses[index(v)] != 1) return {};
    if (const auto* u = made_by<Unary>(v)) {
      const Make x = wide(producer(v)->inputs[0], false, pixels, from);
      if (!x) return {};
      return [x, op = *u](Builder& b, Rebuild& r) { return b.add(op, {x(b, r)}); };
    }
    if (const auto* sum = made_by<Binary>(v)) {
      const auto& in = producer(v)->inputs;
      if (sum->kind != BinaryKind::add || g.type(in[0]) != g.type(in[1])) return {};
      for (const std::size_t at : {0, 1}) {
        const Make x = wide(in[at], false, pixels, from);
        if (!x) continue;
        const ValueId other = in[1 - at];
        from.push_back(other);
        return [=, op = *sum](Builder& b, Rebuild& r) {
          const Var y = x(b, r);
          return b.add(op, {y, b.reshape(r.get(other), y.shape())});
        };
      }
      return {};
    }
    return wide_conv(v, pixels, from);
  }

  Make wide_conv(ValueId v, std::int64_t& pixels, std::vector<ValueId>& from) {
    pixels = pixels_of(v);
    if (pixels == 1) return {};
    const auto& in = producer(v)->inputs;
    const std::string weight = widened(in[1], pixels, false);
    const std::string bias = in.size() > 2 ? widened(in[2], pixels, true) : "";
    if (weight.empty() || (in.size() > 2 && bias.empty())) return {};
    Conv2d side = *made_by<Conv2d>(v);
    const Shape& w = g.type(in[1]).shape;
    Shape shape{pixels * w[0], w[1], w[2], w[3] + pixels - 1};
    const ValueId x = in[0];
    from.push_back(x);
    const DType type = g.type(in[1]).dtype, bias_type = in.size() > 2 ? g.type(in[2]).dtype : type;
    Shape input = g.type(x).shape;
    if (w[3] == 1) {  // neighbours become channels, without a copy
      shape = {pixels * w[0], pixels * w[1], 1, 1};
      input = {input[0], input[1], input[2] / pixels, pixels * input[3]};
    } else {
      side.stride[1] = pixels;
    }
    return [=](Builder& b, Rebuild& r) {
      std::vector<Var> operands{b.reshape(r.get(x), input), b.param(weight, shape, {}, type)};
      if (!bias.empty()) operands.push_back(b.param(bias, {shape[0]}, {}, bias_type));
      return b.add(side, operands);
    };
  }

  std::optional<Replacement> few_channels(ValueId v) {
    std::int64_t pixels = 1;
    std::vector<ValueId> from;
    const Make make = wide(v, true, pixels, from);
    if (!make) return {};
    const Shape y = g.type(v).shape;
    return Replacement{from, [make, y](Builder& b, Rebuild& r) { return b.reshape(make(b, r), y); }};
  }

  std::optional<Replacement> find(ValueId v) {
    if (auto r = hard_swish(v)) return r;
    if (auto r = lower_half(v)) return r;
    if (auto r = softmax(v)) return r;
    return few_channels(v);
  }
};

}  // namespace

Graph recognise(const Graph& g, Weights& weights) {
  Finder finder{g, weights, use_counts(g)};
  std::map<ValueId, Replacement> replaced;
  std::vector<bool> needed(g.values.size(), false);
  for (const NamedValue& o : g.outputs) needed[index(o.value)] = true;
  for (const NamedValue& t : g.taps) needed[index(t.value)] = true;
  // From the end, so that the longest chain is found and what only it read is gone.
  for (std::size_t n = g.nodes.size(); n-- > 0;) {
    const ValueId v = g.nodes[n].output;
    if (!needed[index(v)]) continue;
    auto r = finder.find(v);
    for (const ValueId from : r ? r->from : g.nodes[n].inputs) needed[index(from)] = true;
    if (r) replaced.emplace(v, std::move(*r));
  }
  if (replaced.empty()) return g;
  Builder b(g.name);
  Rebuild copy(g, b);
  for (const ValueId v : g.inputs) copy.input(v);
  for (const Node& node : g.nodes) {
    if (!needed[index(node.output)]) continue;
    if (const auto r = replaced.find(node.output); r != replaced.end()) {
      copy.set(node.output, r->second.make(b, copy));
    } else {
      copy.copy(node);
    }
  }
  for (const NamedValue& o : g.outputs) b.output(o.name, copy.get(o.value));
  for (const NamedValue& t : g.taps) b.tap(t.name, copy.get(t.value));
  return b.finish();
}

}  // namespace thimble::passes
