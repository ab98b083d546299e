// Numbers and scales of quantised weights, as recipes.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/index.h"
#include "base/rng.h"
#include "passes/quantize.h"

namespace thimble::passes {

using namespace graph;

namespace {

// Of a weight (O, I) or (O, I, kh, kw), as rows of K numbers.
struct Sizes {
  std::int64_t N, taps, K, group, groups;
  Sizes(const Shape& weight, const QuantLinear& f)
      : N(weight.at(0)),
        taps(element_count({weight.begin() + 2, weight.end()})),
        K(weight.at(1) * taps),
        group(f.group == 0 ? std::max<std::int64_t>(K, 1) : f.group),
        groups(f.group == 0 ? 1 : (K + f.group - 1) / f.group) {}
};

// Largest and least numbers that are used: absmax is symmetric, a search may use the one below.
struct Range {
  float low, high;
};
Range range_of(std::int64_t bits) { return bits == 4 ? Range{-8, 7} : Range{-127, 127}; }

float rounded(float w, float inverse, Range r) { return std::clamp(std::nearbyint(w * inverse), r.low, r.high); }

// Sum over one row's group of importance * (w - s q)^2.
double error_of(const float* w, const float* importance, std::int64_t n, float s, Range r) {
  const float inverse = s > 0 ? 1 / s : 0;
  double sum = 0;
  for (std::int64_t k = 0; k < n; ++k) {
    const float e = w[k] - s * rounded(w[k], inverse, r);
    sum += static_cast<double>(importance ? importance[k] * e * e : e * e);
  }
  return sum;
}

// The range is cut by steps of 1/40 down to half. Small enough to be exhaustive, and the error is flat at its least.
float searched(const float* w, const float* importance, std::int64_t n, float absmax_scale, Range r) {
  constexpr int kSteps = 20;
  float best = absmax_scale;
  double least = error_of(w, importance, n, absmax_scale, r);
  for (int i = 1; i <= kSteps; ++i) {
    const float s = absmax_scale * (1 - static_cast<float>(i) / 40);
    const double e = error_of(w, importance, n, s, r);
    if (e < least) least = e, best = s;
  }
  return best;
}

Tensor scales(const Tensor& weight, const QuantLinear& f, bool search, const std::vector<float>* importance) {
  const Sizes z(weight.shape(), f);
  const Tensor values = weight.to(DType::f32);
  const float* w = values.as<float>().data();
  std::vector<float> each;  // importance of every number of a row
  if (importance != nullptr) {
    for (const float v : *importance) each.insert(each.end(), index(z.taps), v);
  }
  Tensor out(TensorType{DType::f32, {z.N, z.groups}});
  const auto scale = out.mutable_as<float>();
  const float most = f.bits == 4 ? 7 : 127;
  for (std::int64_t n = 0; n < z.N; ++n) {
    for (std::int64_t g = 0; g < z.groups; ++g) {
      const std::int64_t begin = g * z.group, count = std::min(z.K, begin + z.group) - begin;
      const float* row = w + n * z.K + begin;
      float largest = 0;
      for (std::int64_t k = 0; k < count; ++k) largest = std::max(largest, std::fabs(row[k]));
      float& s = scale[index(n * z.groups + g)];
      s = largest / most;
      if (!std::isfinite(s)) fail(ErrorKind::bad_input, "a weight is not finite: it cannot be quantised");
      if (search && s > 0) s = searched(row, importance ? each.data() + begin : nullptr, count, s, range_of(f.bits));
    }
  }
  return out;
}

Tensor numbers(const Tensor& weight, const Tensor& scale, const QuantLinear& f) {
  const Sizes z(weight.shape(), f);
  const Tensor values = weight.to(DType::f32);
  const auto w = values.as<float>(), s = scale.as<float>();
  const bool nibbles = f.bits == 4;
  // A convolution of one pixel is a linear layer.
  Shape shape = z.taps > 1 ? weight.shape() : Shape{z.N, z.K};
  if (nibbles) shape.back() /= 2;
  Tensor out(TensorType{nibbles ? DType::u8 : DType::i8, shape});
  auto* bytes = reinterpret_cast<std::uint8_t*>(out.mutable_data());
  const Range r = range_of(f.bits);
  for (std::int64_t n = 0; n < z.N; ++n) {
    for (std::int64_t k = 0; k < z.K; ++k) {
      const float step = s[index(n * z.groups + k / z.group)];
      const auto q = static_cast<int>(rounded(w[index(n * z.K + k)], step > 0 ? 1 / step : 0, r));
      if (nibbles) {
        bytes[(n * z.K + k) / 2] |= static_cast<std::uint8_t>((q & 15) << (k % 2 * 4));
      } else {
        bytes[n * z.K + k] = static_cast<std::uint8_t>(q);
      }
    }
  }
  return out;
}

}  // namespace

Weights derive_weights(const Weights& from, std::span<const QuantizedLayer> layers, const ScaleSearch& search) {
  Weights to;
  std::map<std::string_view, const QuantizedLayer*> wanted;
  for (const QuantizedLayer& l : layers) wanted.emplace(l.weight, &l);
  for (const std::string& name : from.names()) {
    if (!wanted.contains(name)) to.set(name, from.at(name));
  }
  for (const auto& [name, layer] : wanted) {
    const QuantLinear f = layer->format;
    const auto found = search.importance.find(name);
    const auto importance = found == search.importance.end() ? nullptr : found->second;
    const Tensor weight = from.at(name);
    if (importance && static_cast<std::int64_t>(importance->size()) != weight.shape().at(1)) {
      fail(ErrorKind::internal, "importance of '{}': {} values for {} inputs", name, importance->size(),
           weight.shape()[1]);
    }
    const std::string scale_name = std::string(name) + ".scale";
    to.derive(scale_name,
              FunctionRecipe{{}, [=, on = search.search](auto) { return scales(weight, f, on, importance.get()); }});
    to.derive(std::string(name),
              FunctionRecipe{{scale_name}, [=](std::span<const Tensor> s) { return numbers(weight, s[0], f); }});
  }
  return to;
}

Tensor dequantized(const Weights& quantized, const QuantizedLayer& layer) {
  const Tensor q = quantized.at(layer.weight), s = quantized.at(layer.weight + ".scale");
  const bool nibbles = layer.format.bits == 4;
  Shape shape = q.shape();
  if (nibbles) shape.back() *= 2;
  const Sizes z(shape, layer.format);
  Tensor out(TensorType{DType::f32, shape});
  const auto values = out.mutable_as<float>();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(q.data());
  for (std::int64_t i = 0; i < z.N * z.K; ++i) {
    int v = static_cast<std::int8_t>(bytes[nibbles ? i / 2 : i]);
    if (nibbles) v = ((bytes[i / 2] >> (i % 2 * 4) & 15) ^ 8) - 8;
    values[index(i)] = static_cast<float>(v) * s.as<float>()[index(i / z.K * z.groups + i % z.K / z.group)];
  }
  return out;
}

Weights with_outliers(const Weights& from, std::span<const QuantizedLayer> layers, double share, double factor,
                      std::uint64_t seed) {
  Weights to;
  for (const std::string& name : from.names()) to.set(name, from.at(name));
  std::uint64_t stream = 0;
  for (const QuantizedLayer& l : layers) {
    Tensor weight = from.at(l.weight).to(DType::f32);
    const std::int64_t N = weight.shape().at(0), K = weight.shape().at(1);
    const std::int64_t taps = weight.type().elements() / std::max<std::int64_t>(N * K, 1);
    Rng rng(seed, stream++);
    const auto count = std::max<std::int64_t>(1, std::llround(share * static_cast<double>(K)));
    std::vector<bool> picked(index(K), false);
    for (std::int64_t left = std::min(count, K); left > 0;) {
      const auto k = static_cast<std::size_t>(rng.below(static_cast<std::uint32_t>(K)));
      if (picked[k]) continue;
      picked[k] = true;
      --left;
    }
    const auto values = weight.mutable_as<float>();
    for (std::int64_t i = 0; i < N * K * taps; ++i) {
      if (picked[index(i / taps % K)]) values[index(i)] *= static_cast<float>(factor);
    }
    to.set(l.weight, std::move(weight));
  }
  return to;
}

}  // namespace thimble::passes
