// Types, sparsity, clustering and quantisation of a model's constants.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "gauge/analysis/analysis.h"

namespace thimble::gauge {
namespace {

constexpr double kZero = 1e-9;
constexpr std::int64_t kLeastClustered = 4096;
constexpr std::size_t kMostValues = 256;

double number_at(const ModelTensor& t, std::size_t i) {
  if (t.type.bits == 32) return double{load<float>(t.bytes, 4 * i)};
  const auto bits = load<std::uint16_t>(t.bytes, 2 * i);
  return double{t.type.dtype == DType::f16 ? to_f32(f16{bits}) : to_f32(bf16{bits})};
}

void look_at(Analysis& a, const ModelTensor& t) {
  const bool floating = t.type.dtype == DType::f32 || t.type.dtype == DType::f16 || t.type.dtype == DType::bf16;
  const std::int64_t n = t.elements();
  if (!floating || n < 1) return;
  const bool large = n >= kLeastClustered;
  std::unordered_set<std::uint64_t> values;
  bool few = large;
  for (std::int64_t i = 0; i < n; ++i) {
    const double v = number_at(t, static_cast<std::size_t>(i));
    a.near_zero += std::fabs(v) < kZero ? 1 : 0;
    if (few) {
      values.insert(std::bit_cast<std::uint64_t>(v));
      few = values.size() <= kMostValues;
    }
  }
  a.weight_elements += n;
  a.clustered_candidates += large ? 1 : 0;
  a.clustered_tensors += large && few ? 1 : 0;
}

bool is_integer(std::string_view type) {
  return type == "i8" || type == "u8" || type == "i4" || type == "u4" || type == "i2" || type == "i16" || type == "u16";
}

}  // namespace

void describe_weights(Analysis& a, const Model& model) {
  std::int64_t quantised_activations = 0, all_activations = 0;
  for (const ModelGraph& g : model.graphs) {
    for (std::size_t i = 0; i < g.tensors.size(); ++i) {
      const ModelTensor& t = g.tensors[i];
      if (g.outer[i] >= 0 || t.type.name.empty() || (!t.constant && !t.bytes.empty())) continue;
      TypeShare& s = (t.constant ? a.weights : a.activations)[std::string(t.type.name)];
      ++s.tensors;
      s.elements += t.elements();
      s.bytes += t.constant ? t.bytes.size() : 0;
      if (!t.constant) {
        ++all_activations;
        quantised_activations += is_integer(t.type.name) && !t.quantisation.empty() ? 1 : 0;
        continue;
      }
      a.parameters += t.elements();
      if (t.sparse_elements) {
        ++a.sparse_tensors;
        a.sparse_stored += static_cast<std::int64_t>(*t.sparse_elements);
        a.sparse_elements += t.elements();
      }
      look_at(a, t);
    }
  }
  std::uint64_t total = 0, narrow = 0, half = 0;
  std::string narrow_type;
  for (const auto& [type, s] : a.weights) {
    if (type == "i32" || type == "i64" || type == "bool") continue;  // shapes, indices and biases
    total += s.bytes;
    if (is_integer(type)) {
      if (s.bytes > narrow / 2) narrow_type = type;
      narrow += s.bytes;
    }
    half += type == "f16" || type == "bf16" ? s.bytes : 0;
    a.quantisation_evidence.push_back(fmt::format("{} bytes of {} weights", s.bytes, type));
  }
  const auto has = [&](const char* type) { return a.operators.contains(type); };
  if (total == 0) {
    a.quantisation = "none";
  } else if (narrow * 2 > total) {
    if (has("DynamicQuantizeLinear") || has("MatMulInteger") || has("ConvInteger")) {
      a.quantisation = "dynamic " + narrow_type;
      a.quantisation_evidence.push_back("activations are quantised at run time (DynamicQuantizeLinear)");
    } else if (quantised_activations * 2 > all_activations || has("QLinearConv") || has("QuantizeLinear")) {
      a.quantisation = "full " + narrow_type;
      a.quantisation_evidence.push_back(
          fmt::format("{} of {} activations are integers with a scale", quantised_activations, all_activations));
    } else {
      a.quantisation = narrow_type + " weights";
    }
  } else if (half * 2 > total) {
    a.quantisation = "f16 weights";
    if (has("DEQUANTIZE")) a.quantisation_evidence.push_back("DEQUANTIZE reads f16: storage, not integer arithmetic");
  } else {
    a.quantisation = narrow > 0 ? "mixed" : "none";
  }
}

}  // namespace thimble::gauge
