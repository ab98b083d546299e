// Attribute access and element types.
#include "gauge/model/model.h"

#include <algorithm>

namespace thimble::gauge {
namespace {

template <class T>
const T* find(const ModelOp& op, std::string_view key) {
  const auto it = op.attributes.find(key);
  return it == op.attributes.end() ? nullptr : std::get_if<T>(&it->second);
}

}  // namespace

ElementType element_type(std::string_view name) {
  static constexpr ElementType kTypes[] = {{"f32", 32, DType::f32},   {"f16", 16, DType::f16},
                                           {"bf16", 16, DType::bf16}, {"f64", 64, DType::f64},
                                           {"i8", 8, DType::i8},      {"u8", 8, DType::u8},
                                           {"i16", 16, {}},           {"u16", 16, {}},
                                           {"i32", 32, DType::i32},   {"u32", 32, {}},
                                           {"i64", 64, DType::i64},   {"u64", 64, {}},
                                           {"c64", 64, {}},           {"bool", 8, DType::boolean},
                                           {"string", 0, {}}};
  const auto* it = std::ranges::find(kTypes, name, &ElementType::name);
  return it == std::end(kTypes) ? ElementType{name, 0, {}} : *it;
}

std::int64_t ModelTensor::elements() const {
  graph::Shape known = shape;
  for (std::int64_t& d : known) d = d < 0 ? 1 : d;
  return graph::element_count(known);
}

std::int64_t ModelOp::integer(std::string_view key, std::int64_t fallback) const {
  const auto* v = find<std::int64_t>(*this, key);
  return v ? *v : fallback;
}

double ModelOp::number(std::string_view key, double fallback) const {
  const auto* v = find<double>(*this, key);
  return v ? *v : fallback;
}

std::string_view ModelOp::text(std::string_view key, std::string_view fallback) const {
  const auto* v = find<std::string>(*this, key);
  return v ? std::string_view(*v) : fallback;
}

std::vector<std::int64_t> ModelOp::integers(std::string_view key, std::vector<std::int64_t> fallback) const {
  const auto* v = find<std::vector<std::int64_t>>(*this, key);
  return v ? *v : fallback;
}

std::vector<double> ModelOp::numbers(std::string_view key) const {
  const auto* v = find<std::vector<double>>(*this, key);
  return v ? *v : std::vector<double>{};
}

}  // namespace thimble::gauge
