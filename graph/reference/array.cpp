#include "graph/reference/array.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/error.h"

namespace thimble::graph::reference {
namespace {

// Calls f with a value of the C++ type that stores `dtype`.
template <class F>
void with_storage(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::f64: return f(double{});
    case DType::bf16: return f(bf16{});
    case DType::f16: return f(f16{});
    case DType::i32: return f(std::int32_t{});
    case DType::i64: return f(std::int64_t{});
    case DType::i8: return f(std::int8_t{});
    case DType::u8:
    case DType::boolean: return f(std::uint8_t{});
  }
  fail(ErrorKind::internal, "unknown dtype");
}

template <class T>
double widen(T v) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(v);
  } else {
    return static_cast<double>(to_f32(v));
  }
}

template <class T>
T narrow(double v) {
  if constexpr (std::is_same_v<T, bf16>) {
    return to_bf16(static_cast<float>(v));
  } else if constexpr (std::is_same_v<T, f16>) {
    return to_f16(static_cast<float>(v));
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(v);
  } else {
    // As a double the largest int64 is 2^63, which does not fit: hence >=.
    if (std::isnan(v)) return 0;
    if (v <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
    if (v >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(v);
  }
}

}  // namespace

Array load(const TensorView& view, DType as) {
  Array out({as, view.type.shape});
  with_storage(view.type.dtype, [&]<class T>(T) {
    std::ranges::transform(view.as<T>(), out.data.begin(), [](T v) { return widen(v); });
  });
  if (as == DType::boolean) std::ranges::for_each(out.data, [](double& v) { v = v != 0; });
  return out;
}

void store(const Array& array, const MutableTensorView& view) {
  with_storage(view.type.dtype, [&]<class T>(T) {
    auto* out = reinterpret_cast<T*>(view.data);
    std::ranges::transform(array.data, out, [](double v) { return narrow<T>(v); });
  });
}

double as_dtype(DType dtype, double value) {
  if (dtype == DType::f32 || dtype == DType::f64) return value;
  if (dtype == DType::boolean) return value != 0;
  double out = 0;
  with_storage(dtype, [&]<class T>(T) { out = widen(narrow<T>(value)); });
  return out;
}

std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to) {
  const std::vector<std::int64_t> own = strides_of(from);
  std::vector<std::int64_t> strides(to.size(), 0);
  const std::size_t missing = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) strides[missing + i] = from[i] == 1 ? 0 : own[i];
  return strides;
}

std::vector<double> expand(const Array& x, const Shape& shape) {
  if (x.type.shape == shape) return x.data;
  std::vector<double> out(static_cast<std::size_t>(element_count(shape)));
  walk(shape, broadcast_strides(x.type.shape, shape),
       [&](std::size_t i, std::size_t offset) { out[i] = x.data[offset]; });
  return out;
}

}  // namespace thimble::graph::reference
