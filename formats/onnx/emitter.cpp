#include "formats/onnx/emitter.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace thimble::formats {

using graph::Ints;
using graph::Shape;
using graph::ValueId;

namespace {

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

// AttributeProto.AttributeType
enum : std::int64_t { kFloat = 1, kInt = 2, kString = 3, kInts = 7 };

ProtobufWriter attribute(std::string_view name, std::int64_t type) {
  ProtobufWriter p;
  p.text(1, name);
  p.integer(20, type);
  return p;
}

std::string literal_of(DType dtype, const std::vector<double>& values, std::size_t count) {
  std::string bytes(count * size_of(dtype), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const double v = values[values.size() == 1 ? 0 : i];
    char* to = bytes.data() + i * size_of(dtype);
    const auto put = [&](auto value) { std::memcpy(to, &value, sizeof value); };
    switch (dtype) {
      case DType::f32: put(static_cast<float>(v)); break;
      case DType::f64: put(v); break;
      case DType::f16: put(to_f16(static_cast<float>(v))); break;
      case DType::bf16: put(to_bf16(static_cast<float>(v))); break;
      case DType::i32: put(static_cast<std::int32_t>(v)); break;
      case DType::i64: put(static_cast<std::int64_t>(v)); break;
      case DType::i8: put(static_cast<std::int8_t>(v)); break;
      case DType::u8: put(static_cast<std::uint8_t>(v)); break;
      case DType::boolean: put(static_cast<std::uint8_t>(v != 0)); break;
    }
  }
  return bytes;
}

}  // namespace

OnnxAttributes& OnnxAttributes::integer(std::string_view name, std::int64_t value) {
  all_.push_back(attribute(name, kInt));
  all_.back().integer(3, value);
  return *this;
}

OnnxAttributes& OnnxAttributes::integers(std::string_view name, const Ints& values) {
  all_.push_back(attribute(name, kInts));
  for (const std::int64_t v : values) all_.back().integer(8, v);
  return *this;
}

OnnxAttributes& OnnxAttributes::number(std::string_view name, double value) {
  all_.push_back(attribute(name, kFloat));
  all_.back().number(2, static_cast<float>(value));
  return *this;
}

OnnxAttributes& OnnxAttributes::text(std::string_view name, std::string_view value) {
  all_.push_back(attribute(name, kString));
  all_.back().text(4, value);
  return *this;
}

std::int64_t axis_in(Order order, std::int64_t axis, std::size_t rank) {
  if (order == Order::last || axis == 0) return axis;
  return axis + 1 == static_cast<std::int64_t>(rank) ? 1 : axis + 1;
}

Ints to_first(std::size_t rank) {
  Ints perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  std::rotate(perm.begin() + 1, perm.end() - 1, perm.end());
  return perm;
}

Ints to_last(std::size_t rank) {
  Ints perm(rank);
  std::iota(perm.begin(), perm.end(), 0);
  std::rotate(perm.begin() + 1, perm.begin() + 2, perm.end());
  return perm;
}

Shape shape_in(Order order, const Shape& shape) {
  Shape out = shape;
  if (order == Order::first) std::rotate(out.begin() + 1, out.end() - 1, out.end());
  return out;
}

OnnxEmitter::OnnxEmitter(const graph::Graph& g, const OnnxWeights& weights, const OnnxOptions& o)
    : graph(g), options(o), weights_(weights), forms_(g.values.size()) {
  for (const ValueId id : g.inputs) {
    names_.insert(g.value(id).name);
    forms_[at(id)].last = g.value(id).name;
  }
  for (const graph::NamedValue& out : g.outputs) names_.insert(out.name);
  for (const graph::Parameter& p : g.parameters) ids_[g.value(p.value).name] = p.value;
}

const graph::TensorType& OnnxEmitter::type_of(const std::string& parameter) const {
  return graph.type(ids_.at(parameter));
}

std::string OnnxEmitter::unique(std::string name) {
  if (names_.insert(name).second) return name;
  for (int& n = counts_[name];;) {
    std::string numbered = fmt::format("{}_{}", name, ++n);
    if (names_.insert(numbered).second) return numbered;
  }
}

std::string OnnxEmitter::in(ValueId id, Order order) {
  Forms& f = forms_[at(id)];
  if (f.last.empty() && f.first.empty()) {
    check(is_parameter(id), "onnx: a value is read before it is made");
    f.last = parameter(id, Initialiser::Form::as_stored, shape(id));
  }
  const std::size_t rank = shape(id).size();
  if (order == Order::last) {
    if (f.last.empty()) f.last = transpose(f.first, to_last(rank));
    return f.last;
  }
  if (f.first.empty()) f.first = transpose(f.last, to_first(rank));
  return f.first;
}

Order OnnxEmitter::order_of(ValueId id) const { return forms_[at(id)].made; }

Order OnnxEmitter::cheapest(const std::vector<ValueId>& ids) const {
  std::int64_t first = 0, last = 0;  // elements to transpose
  std::size_t rank = 0;
  for (const ValueId id : ids) rank = std::max(rank, shape(id).size());
  if (rank < 3) return Order::last;
  Order made = Order::last;
  for (const ValueId id : ids) {
    const Forms& f = forms_[at(id)];
    if (f.made == Order::first) made = Order::first;
    if (shape(id).size() != rank) continue;
    if (f.first.empty()) first += graph.type(id).elements();
    if (f.last.empty() && !f.first.empty()) last += graph.type(id).elements();
  }
  return first < last || (first == last && made == Order::first) ? Order::first : Order::last;
}

void OnnxEmitter::define(ValueId id, std::string name, Order order) {
  Forms& f = forms_[at(id)];
  f.made = order;
  (order == Order::last ? f.last : f.first) = std::move(name);
}

std::string OnnxEmitter::add(Initialiser what) {
  what.name = unique(what.name);
  initialisers.push_back(std::move(what));
  return initialisers.back().name;
}

DType OnnxEmitter::stored_type(ValueId id) {
  const DType wanted = dtype(id);
  if (!is_float(wanted) || shape(id).size() < 2) return wanted;
  return options.weights ? *options.weights : weights_(graph.value(id).name).type().dtype;
}

std::string OnnxEmitter::parameter(ValueId id, Initialiser::Form form, Shape shape) {
  using Form = Initialiser::Form;
  const std::string& name = graph.value(id).name;
  const auto [known, fresh] =
      parameters_.try_emplace(fmt::format("{} {} {}", static_cast<int>(form), graph::to_string(shape), name));
  if (!fresh) return known->second;
  Initialiser what{.name = name, .shape = std::move(shape), .parameter = name, .form = form, .literal = {}};
  DType type = dtype(id);
  if (form == Form::as_stored || form == Form::transposed) {
    what.stored = stored_type(id);
    what.type = onnx_type(what.stored);
  } else if (form == Form::nibbles_transposed) {
    what.type = OnnxType::i4;
  } else if (form == Form::bytes_of_nibbles_transposed) {
    what.type = OnnxType::i8;
  }
  const DType stored = what.stored;
  const bool narrow = is_float(type) && stored != type && (form == Form::as_stored || form == Form::transposed);
  const std::string made = add(std::move(what));
  return parameters_[known->first] = narrow ? cast(made, type) : made;
}

std::pair<std::string, DType> OnnxEmitter::stored_parameter(ValueId id) {
  const DType stored = stored_type(id);
  if (stored == dtype(id)) return {in(id), stored};
  const std::string& name = graph.value(id).name;
  const auto [known, fresh] = parameters_.try_emplace("stored " + name);
  if (fresh) {
    known->second = add({.name = name,
                         .type = onnx_type(stored),
                         .shape = shape(id),
                         .parameter = name,
                         .form = Initialiser::Form::as_stored,
                         .stored = stored,
                         .literal = {}});
  }
  return {known->second, stored};
}

std::string OnnxEmitter::channels(ValueId id, std::size_t ones) {
  Shape wide{shape(id)[0]};
  wide.resize(1 + ones, 1);
  if (is_parameter(id)) return parameter(id, Initialiser::Form::as_stored, wide);
  return reshape(in(id), wide);
}

std::string OnnxEmitter::node(std::string_view type, std::vector<std::string> inputs, OnnxAttributes attributes,
                              std::string_view domain) {
  const std::string name = unique(scope_.empty() ? std::string(type) : fmt::format("{}/{}", scope_, type));
  list.push_back({std::string(type), std::string(domain), std::move(inputs), {name}, std::move(attributes)});
  return name;
}

std::vector<std::string> OnnxEmitter::nodes(std::string_view type, std::vector<std::string> inputs, std::size_t outputs,
                                            OnnxAttributes attributes) {
  node(type, std::move(inputs), std::move(attributes));
  std::vector<std::string>& names = list.back().outputs;
  const std::string first = names[0];
  while (names.size() < outputs) names.push_back(unique(first));
  return names;
}

std::string OnnxEmitter::reshape(const std::string& x, const Shape& shape) {
  return node("Reshape", {x, integers(shape)}, OnnxAttributes().integer("allowzero", 1));
}

std::string OnnxEmitter::transpose(const std::string& x, const Ints& perm) {
  return node("Transpose", {x}, OnnxAttributes().integers("perm", perm));
}

std::string OnnxEmitter::cast(const std::string& x, DType to) {
  return node("Cast", {x}, OnnxAttributes().integer("to", static_cast<std::int64_t>(onnx_type(to))));
}

std::string OnnxEmitter::integers(const Ints& values) {
  return constant(DType::i64, {static_cast<std::int64_t>(values.size())}, {values.begin(), values.end()});
}

std::string OnnxEmitter::constant(DType dtype, const Shape& shape, const std::vector<double>& values) {
  const auto count = static_cast<std::size_t>(graph::element_count(shape));
  std::string literal = literal_of(dtype, values, count);
  const auto [known, fresh] =
      constants_.try_emplace(fmt::format("{} {} ", static_cast<int>(dtype), graph::to_string(shape)) + literal);
  if (fresh) {
    known->second = add({.name = "constant",
                         .type = onnx_type(dtype),
                         .shape = shape,
                         .parameter = {},
                         .stored = dtype,
                         .literal = std::move(literal)});
  }
  return known->second;
}

void OnnxEmitter::begin(const graph::Node& node) {
  scope_.clear();
  for (const ValueId id : node.inputs) {
    if (!is_parameter(id)) continue;
    const std::string& name = graph.value(id).name;
    scope_ = name.substr(0, name.rfind('.') == std::string::npos ? 0 : name.rfind('.'));
    return;
  }
}

void OnnxEmitter::finish() {
  scope_.clear();
  std::set<std::string> made;
  for (const OnnxNode& n : list) made.insert(n.outputs.begin(), n.outputs.end());
  std::map<std::string, std::string> renamed;
  for (const graph::NamedValue& out : graph.outputs) {
    const std::string name = in(out.value);
    const std::string& as = outputs.emplace_back(graph.find_input(out.name) ? unique(out.name + "_out") : out.name);
    const bool own = made.contains(name) || std::ranges::any_of(list, [&](const OnnxNode& n) {
                       return std::ranges::find(n.outputs, name) != n.outputs.end();
                     });
    if (own && renamed.emplace(name, as).second) continue;
    list.push_back({"Identity", "", {name}, {as}, {}});
  }
  for (OnnxNode& n : list) {
    for (auto* names : {&n.inputs, &n.outputs}) {
      for (std::string& name : *names) {
        if (const auto it = renamed.find(name); it != renamed.end()) name = it->second;
      }
    }
  }
}

}  // namespace thimble::formats
