#include "graph/weights.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/error.h"
#include "base/rng.h"

namespace thimble::graph {
namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> counter{1};
  return counter.fetch_add(1);
}

// Bytes before, along and after an axis, so that slices and joins are plain copies.
struct AxisBytes {
  std::size_t outer = 1, axis = 1, inner = 1;
  AxisBytes(const TensorType& type, std::int64_t at) {
    if (at < 0 || at >= static_cast<std::int64_t>(type.shape.size())) {
      fail(ErrorKind::bad_input, "recipe: axis {} is out of range for {}", at, to_string(type));
    }
    for (std::size_t i = 0; i < type.shape.size(); ++i) {
      auto& part = static_cast<std::int64_t>(i) < at ? outer : static_cast<std::int64_t>(i) == at ? axis : inner;
      part *= static_cast<std::size_t>(type.shape[i]);
    }
    inner *= size_of(type.dtype);
  }
};

// Numbers of quantised weights, all equally likely: a byte of two int4, or an int8 within init.scale.
Tensor draw_integers(const TensorType& type, const Init& init, std::uint64_t seed, std::uint64_t stream) {
  Tensor out(type);
  Rng rng(seed, stream);
  const auto limit = static_cast<std::int64_t>(init.kind == Init::Kind::uniform ? init.scale : 0);
  for (std::byte& b : out.mutable_as<std::byte>()) {
    const auto value = static_cast<std::int64_t>(rng.below(static_cast<std::uint32_t>(2 * limit + 1))) - limit;
    b = static_cast<std::byte>(type.dtype == DType::u8 ? rng.below(256) : static_cast<std::uint64_t>(value));
  }
  return out;
}

Tensor draw(const Shape& shape, const Init& init, std::uint64_t seed, std::uint64_t stream) {
  if (init.kind == Init::Kind::ones) return Tensor::filled(shape, 1);
  if (init.kind == Init::Kind::constant) return Tensor::filled(shape, static_cast<float>(init.scale));
  Tensor out(TensorType{DType::f32, shape});
  auto values = out.mutable_as<float>();
  if (init.kind == Init::Kind::normal) {
    fill_normal(values, seed, stream);
    for (float& v : values) v *= static_cast<float>(init.scale);
  } else if (init.kind == Init::Kind::uniform) {
    Rng rng(seed, stream);
    for (float& v : values) v = static_cast<float>(rng.uniform(-init.scale, init.scale));
  }
  return out;
}

Tensor evaluate(const Weights& w, const SliceRecipe& r) {
  const Tensor& source = w.at(r.source);
  const AxisBytes s(source.type(), r.axis);
  if (r.begin < 0 || r.end < r.begin || r.end > static_cast<std::int64_t>(s.axis)) {
    fail(ErrorKind::bad_input, "recipe: {}:{} is not inside axis {} of '{}'", r.begin, r.end, r.axis, r.source);
  }
  TensorType type = source.type();
  type.shape[static_cast<std::size_t>(r.axis)] = r.end - r.begin;
  Tensor out(type);
  const std::size_t chunk = static_cast<std::size_t>(r.end - r.begin) * s.inner;
  for (std::size_t o = 0; o < s.outer; ++o) {
    std::memcpy(out.mutable_data() + o * chunk,
                source.data() + (o * s.axis + static_cast<std::size_t>(r.begin)) * s.inner, chunk);
  }
  return out;
}

Tensor evaluate(const Weights& w, const ConcatRecipe& r) {
  if (r.sources.empty()) fail(ErrorKind::bad_input, "recipe: concat of nothing");
  const auto axis = static_cast<std::size_t>(r.axis);
  TensorType type = w.at(r.sources[0]).type();
  AxisBytes(type, r.axis);
  type.shape[axis] = 0;
  for (const std::string& name : r.sources) {
    TensorType part = w.at(name).type();
    AxisBytes(part, r.axis);
    const std::int64_t size = part.shape[axis];
    part.shape[axis] = type.shape[axis];
    if (part != type)
      fail(ErrorKind::bad_input, "recipe: '{}' and '{}' do not join along axis {}", r.sources[0], name, r.axis);
    type.shape[axis] += size;
  }
  Tensor out(type);
  const AxisBytes d(type, r.axis);
  std::size_t at = 0;
  for (const std::string& name : r.sources) {
    const Tensor& source = w.at(name);
    const AxisBytes s(source.type(), r.axis);
    for (std::size_t o = 0; o < s.outer; ++o) {
      std::memcpy(out.mutable_data() + (o * d.axis + at) * d.inner, source.data() + o * s.axis * s.inner,
                  s.axis * s.inner);
    }
    at += s.axis;
  }
  return out;
}

Tensor evaluate(const Weights& w, const ScaleRecipe& r) {
  Tensor out(TensorType{DType::f32, w.at(r.source).shape()});
  const Tensor source = w.at(r.source).to(DType::f32);
  auto from = source.as<float>();
  auto to = out.mutable_as<float>();
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i] * static_cast<float>(r.factor);
  return out;
}

Tensor evaluate(const Weights&, const InitRecipe& r) { return draw(r.shape, r.init, r.seed, 0); }

Tensor evaluate(const Weights& w, const LowRankAddRecipe& r) {
  const Tensor base = w.at(r.source).to(DType::f32), down = w.at(r.down).to(DType::f32), up = w.at(r.up).to(DType::f32);
  const Shape &b = base.shape(), &d = down.shape(), &u = up.shape();
  if (b.size() != 2 || d.size() != 2 || u.size() != 2 || u[0] != b[0] || d[1] != b[1] || u[1] != d[0]) {
    fail(ErrorKind::bad_input, "recipe: up {} times down {} does not fit '{}' {}", to_string(u), to_string(d), r.source,
         to_string(b));
  }
  Tensor out = Tensor::of(b, base.as<float>());
  auto o = out.mutable_as<float>();
  auto dv = down.as<float>(), uv = up.as<float>();
  const auto rows = static_cast<std::size_t>(b[0]), columns = static_cast<std::size_t>(b[1]),
             rank = static_cast<std::size_t>(d[0]);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < rank; ++k) {
      const float f = static_cast<float>(r.factor) * uv[i * rank + k];
      for (std::size_t j = 0; j < columns; ++j) o[i * columns + j] += f * dv[k * columns + j];
    }
  }
  return out;
}

Tensor evaluate(const Weights& w, const FunctionRecipe& r) {
  std::vector<Tensor> sources;
  for (const std::string& name : r.sources) sources.push_back(w.at(name));
  return r.make(sources);
}

}  // namespace

Weights::Weights() : id_(next_id()) {}

void Weights::set(std::string name, Tensor tensor) {
  recipes_.erase(name);
  tensors_.insert_or_assign(std::move(name), std::move(tensor));
}

void Weights::derive(std::string name, Recipe recipe) {
  tensors_.erase(name);
  recipes_.insert_or_assign(std::move(name), std::move(recipe));
}

bool Weights::contains(std::string_view name) const { return tensors_.contains(name) || recipes_.contains(name); }

void Weights::erase(std::string_view name) {
  if (auto it = tensors_.find(name); it != tensors_.end()) tensors_.erase(it);
  if (auto it = recipes_.find(name); it != recipes_.end()) recipes_.erase(it);
}

const Tensor& Weights::at(std::string_view name) const {
  if (auto it = tensors_.find(name); it != tensors_.end()) return it->second;
  const auto it = recipes_.find(name);
  if (it == recipes_.end()) fail(ErrorKind::bad_file, "there is no weight named '{}'", name);
  // Taken out first: a recipe that leads back to itself finds nothing and says so.
  auto recipe = recipes_.extract(it);
  Tensor value;
  try {
    value = std::visit([&](const auto& r) { return evaluate(*this, r); }, recipe.mapped());
  } catch (...) {
    recipes_.insert(std::move(recipe));
    throw;
  }
  return tensors_.insert_or_assign(std::string(name), std::move(value)).first->second;
}

std::vector<std::string> Weights::names() const {
  std::vector<std::string> out;
  for (auto& [name, t] : tensors_) out.push_back(name);
  for (auto& [name, r] : recipes_) out.push_back(name);
  std::sort(out.begin(), out.end());
  return out;
}

void Weights::check_covers(const Graph& graph, std::string_view what) const {
  for (const Parameter& p : graph.parameters) {
    const Value& v = graph.value(p.value);
    if (!contains(v.name)) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' is missing, {} was wanted", what, v.name, to_string(v.type));
    }
    const Tensor& t = at(v.name);
    if (t.shape() != v.type.shape) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' has shape {}, {} was wanted", what, v.name, to_string(t.shape()),
           to_string(v.type.shape));
    }
    const DType came = t.type().dtype;
    if (is_float(v.type.dtype) ? !is_float(came) : came != v.type.dtype) {
      fail(ErrorKind::bad_file, "{}: tensor '{}' is {}, {} was wanted", what, v.name, to_string(t.type()),
           to_string(v.type));
    }
  }
}

Weights initialise(const Graph& graph, std::uint64_t seed) {
  Weights weights;
  std::uint64_t stream = 0;
  for (const Parameter& p : graph.parameters) {
    const TensorType& type = graph.type(p.value);
    const bool bytes = type.dtype == DType::i8 || type.dtype == DType::u8;
    weights.set(graph.value(p.value).name,
                bytes ? draw_integers(type, p.init, seed, stream) : draw(type.shape, p.init, seed, stream));
    ++stream;
  }
  return weights;
}

}  // namespace thimble::graph
