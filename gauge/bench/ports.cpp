#include "gauge/bench/ports.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/rng.h"

namespace thimble::gauge {

using namespace graph;

namespace {

constexpr std::uint64_t kSeed = 7;
constexpr double kLeastScale = 1e-3;  // what is small against this is rounding: sigmoids of large negative numbers

bool is_quantised(const BenchPort& p) { return !p.quantisation.empty() && p.type.dtype && !is_float(*p.type.dtype); }

DType stored_type(const BenchPort& p) {
  if (!p.type.dtype || p.type.bits < 8) {
    fail(ErrorKind::unsupported, "'{}' is {}: such inputs and outputs are not benchmarked", p.name, p.type.name);
  }
  return *p.type.dtype;
}

template <class T>
void put(std::vector<std::byte>& bytes, std::size_t i, T v) {
  std::memcpy(bytes.data() + i * sizeof v, &v, sizeof v);
}

void store(BenchPort& p, std::size_t i, double v) {
  if (is_quantised(p)) {
    const double zero = p.quantisation.zero_points.empty() ? 0 : static_cast<double>(p.quantisation.zero_points[0]);
    v = std::nearbyint(v / double{p.quantisation.scales[0]}) + zero;
  }
  switch (stored_type(p)) {
    case DType::f32: return put(p.bytes, i, static_cast<float>(v));
    case DType::f64: return put(p.bytes, i, v);
    case DType::f16: return put(p.bytes, i, to_f16(static_cast<float>(v)));
    case DType::bf16: return put(p.bytes, i, to_bf16(static_cast<float>(v)));
    case DType::i64: return put(p.bytes, i, static_cast<std::int64_t>(v));
    case DType::i32: return put(p.bytes, i, static_cast<std::int32_t>(v));
    case DType::i8: return put(p.bytes, i, static_cast<std::int8_t>(std::clamp(v, -128.0, 127.0)));
    case DType::u8: return put(p.bytes, i, static_cast<std::uint8_t>(std::clamp(v, 0.0, 255.0)));
    case DType::boolean: return put(p.bytes, i, static_cast<std::uint8_t>(v != 0));
  }
}

template <class T>
T take(const BenchPort& p, std::size_t i) {
  T v;
  std::memcpy(&v, p.bytes.data() + i * sizeof v, sizeof v);
  return v;
}

double load(const BenchPort& p, std::size_t i) {
  double v = 0;
  switch (stored_type(p)) {
    case DType::f32: return take<float>(p, i);
    case DType::f64: return take<double>(p, i);
    case DType::f16: return to_f32(take<f16>(p, i));
    case DType::bf16: return to_f32(take<bf16>(p, i));
    case DType::i64: v = static_cast<double>(take<std::int64_t>(p, i)); break;
    case DType::i32: v = take<std::int32_t>(p, i); break;
    case DType::i8: v = take<std::int8_t>(p, i); break;
    case DType::u8: v = take<std::uint8_t>(p, i); break;
    case DType::boolean: v = take<std::uint8_t>(p, i); break;
  }
  if (!is_quantised(p)) return v;
  const double zero = p.quantisation.zero_points.empty() ? 0 : static_cast<double>(p.quantisation.zero_points[0]);
  return double{p.quantisation.scales[0]} * (v - zero);
}

// As the import bound them: an input's sizes are those of the graph's input of that name.
Shape bound_shape(const ModelTensor& t, const ImportOptions& options, const Import* import) {
  if (import != nullptr) {
    if (const auto id = import->graph.find_input(t.name)) return import->graph.type(*id).shape;
  }
  if (const auto it = options.shapes.find(t.name); it != options.shapes.end()) return it->second;
  Shape shape = t.shape;
  for (std::size_t a = 0; a < shape.size(); ++a) {
    if (shape[a] < 0 && a == 0) shape[a] = options.batch.value_or(1);
    if (shape[a] < 0) {
      fail(ErrorKind::bad_input, "input '{}' leaves a size open; give it by --shape {}:1x3x320x320", t.name, t.name);
    }
  }
  return shape;
}

}  // namespace

std::vector<BenchPort> draw_inputs(const Model& model, const ImportOptions& options, const Import* import) {
  std::vector<BenchPort> out;
  const ModelGraph& g = model.graphs.at(0);
  for (const std::int32_t id : g.inputs) {
    const ModelTensor& t = g.tensors.at(static_cast<std::size_t>(id));
    if (t.constant) continue;
    BenchPort p{t.name, t.type, bound_shape(t, options, import), t.quantisation, {}};
    const auto n = static_cast<std::size_t>(element_count(p.shape));
    p.bytes.resize(n * size_of(stored_type(p)));
    const auto fixed = options.values.find(t.name);
    Rng rng(kSeed, out.size());
    const bool real = is_float(*p.type.dtype) || is_quantised(p);
    for (std::size_t i = 0; i < n; ++i) {
      const double drawn = real ? 2 * rng.uniform() - 1 : std::floor(2 * rng.uniform());
      store(p, i, fixed != options.values.end() ? fixed->second : drawn);
    }
    out.push_back(std::move(p));
  }
  return out;
}

std::vector<std::string> output_names(const Model& model) {
  std::vector<std::string> out;
  for (const std::int32_t id : model.graphs.at(0).outputs) {
    out.push_back(model.graphs[0].tensors.at(static_cast<std::size_t>(id)).name);
  }
  return out;
}

Tensor to_tensor(const BenchPort& p) {
  const DType stored = stored_type(p);
  const DType type = is_float(stored) || is_quantised(p) ? DType::f32
                     : stored == DType::boolean          ? DType::boolean
                                                         : DType::i32;
  Tensor t(TensorType{type, p.shape});
  const auto n = static_cast<std::size_t>(element_count(p.shape));
  if (p.bytes.size() != n * size_of(stored)) {
    fail(ErrorKind::bad_input, "'{}' is {} bytes, {} of {} were wanted", p.name, p.bytes.size(),
         graph::to_string(p.shape), to_string(stored));
  }
  for (std::size_t i = 0; i < n; ++i) {
    const double v = load(p, i);
    if (type == DType::f32) {
      t.mutable_as<float>()[i] = static_cast<float>(v);
    } else if (type == DType::i32) {
      t.mutable_as<std::int32_t>()[i] = static_cast<std::int32_t>(std::clamp(v, -2147483648.0, 2147483647.0));
    } else {
      t.mutable_as<std::uint8_t>()[i] = v != 0;
    }
  }
  return t;
}

BenchPort output_port(const ModelTensor& t, Shape shape, std::vector<std::byte> bytes) {
  return {t.name, t.type, std::move(shape), t.quantisation, std::move(bytes)};
}

Difference difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance) {
  if (a.size() != b.size()) fail(ErrorKind::bad_input, "{} outputs against {}", a.size(), b.size());
  Difference d;
  const auto number = [](const Tensor& t, std::size_t i) -> double {
    switch (t.type().dtype) {
      case DType::f32: return t.as<float>()[i];
      case DType::i32: return t.as<std::int32_t>()[i];
      default: return t.as<std::uint8_t>()[i];
    }
  };
  for (std::size_t o = 0; o < a.size(); ++o) {
    if (a[o].shape() != b[o].shape()) {
      fail(ErrorKind::bad_input, "output {} is {} here and {} there", o, to_string(a[o].type()),
           to_string(b[o].type()));
    }
    const auto n = static_cast<std::size_t>(a[o].type().elements());
    double scale = kLeastScale;
    for (std::size_t i = 0; i < n; ++i) {
      if (const double v = std::fabs(number(b[o], i)); std::isfinite(v)) scale = std::max(scale, v);
    }
    std::size_t apart = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double x = number(a[o], i), y = number(b[o], i);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      double r = std::fabs(x - y) / scale;
      if (std::isnan(r)) r = std::numeric_limits<double>::infinity();
      apart += r > tolerance;
      if (r > d.relative) {
        d.relative = r;
        d.output = fmt::format("output {}", o);
      }
    }
    if (n > 0) d.apart_share = std::max(d.apart_share, static_cast<double>(apart) / static_cast<double>(n));
  }
  return d;
}

}  // namespace thimble::gauge
