// Steps that are loops of their own rather than calls of kernels: rare types, rare shapes.
#include "runtime/plain.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "runtime/steps.h"

namespace thimble::runtime {
namespace {

template <class T>
double load(const std::byte* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
    return to_f32(v);
  } else {
    return static_cast<double>(v);
  }
}

double load(DType type, const std::byte* p) {
  switch (type) {
    case DType::f32: return load<float>(p);
    case DType::bf16: return load<bf16>(p);
    case DType::f16: return load<f16>(p);
    case DType::f64: return load<double>(p);
    case DType::i32: return load<std::int32_t>(p);
    case DType::i64: return load<std::int64_t>(p);
    case DType::i8: return load<std::int8_t>(p);
    case DType::u8:
    case DType::boolean: return load<std::uint8_t>(p);
  }
  return 0;
}

template <class T>
void store(std::byte* p, double v) {
  T out{};
  if constexpr (std::is_same_v<T, bf16>) {
    out = to_bf16(static_cast<float>(v));
  } else if constexpr (std::is_same_v<T, f16>) {
    out = to_f16(static_cast<float>(v));
  } else if constexpr (std::is_floating_point_v<T>) {
    out = static_cast<T>(v);
  } else if (v <= static_cast<double>(std::numeric_limits<T>::min())) {
    out = std::numeric_limits<T>::min();
  } else if (v >= static_cast<double>(std::numeric_limits<T>::max())) {
    out = std::numeric_limits<T>::max();
  } else if (v == v) {  // NaN gives 0
    out = static_cast<T>(v);
  }
  std::memcpy(p, &out, sizeof(T));
}

void store(DType type, std::byte* p, double v) {
  switch (type) {
    case DType::f32: return store<float>(p, v);
    case DType::bf16: return store<bf16>(p, v);
    case DType::f16: return store<f16>(p, v);
    case DType::f64: return store<double>(p, v);
    case DType::i32: return store<std::int32_t>(p, v);
    case DType::i64: return store<std::int64_t>(p, v);
    case DType::i8: return store<std::int8_t>(p, v);
    case DType::u8: return store<std::uint8_t>(p, v);
    case DType::boolean: return store<std::uint8_t>(p, v != 0);
  }
}

using Function = double (*)(double, double);
constexpr double kRoot2OverPi = 0.7978845608028654;

}  // namespace

double plain_copy(double x, double) { return x; }

Function plain_function(graph::UnaryKind kind) {
  using enum graph::UnaryKind;
  switch (kind) {
    case neg: return [](double x, double) { return -x; };
    case abs: return [](double x, double) { return std::fabs(x); };
    case sign: return [](double x, double) { return x > 0 ? 1 : x < 0 ? -1 : x; };
    case exp: return [](double x, double) { return std::exp(x); };
    case log: return [](double x, double) { return std::log(x); };
    case sqrt: return [](double x, double) { return std::sqrt(x); };
    case rsqrt: return [](double x, double) { return 1 / std::sqrt(x); };
    case reciprocal: return [](double x, double) { return 1 / x; };
    case square: return [](double x, double) { return x * x; };
    case sin: return [](double x, double) { return std::sin(x); };
    case cos: return [](double x, double) { return std::cos(x); };
    case tanh: return [](double x, double) { return std::tanh(x); };
    case sigmoid: return [](double x, double) { return 1 / (1 + std::exp(-x)); };
    case relu: return [](double x, double) { return x < 0 ? 0 : x; };
    case silu: return [](double x, double) { return x / (1 + std::exp(-x)); };
    case gelu: return [](double x, double) { return 0.5 * x * std::erfc(-x / std::numbers::sqrt2); };
    case gelu_tanh:
      return [](double x, double) { return 0.5 * x * (1 + std::tanh(kRoot2OverPi * (x + 0.044715 * x * x * x))); };
    case softplus: return [](double x, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); };
    case hard_swish: return [](double x, double) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; };
    case floor: return [](double x, double) { return std::floor(x); };
    case round: return [](double x, double) { return std::nearbyint(x); };
    case logical_not: return [](double x, double) { return x == 0 ? 1.0 : 0.0; };
  }
  return nullptr;
}

Function plain_function(graph::BinaryKind kind) {
  using enum graph::BinaryKind;
  switch (kind) {
    case add: return [](double a, double b) { return a + b; };
    case sub: return [](double a, double b) { return a - b; };
    case mul: return [](double a, double b) { return a * b; };
    case div: return [](double a, double b) { return a / b; };
    case max: return [](double a, double b) { return std::isnan(a) || a > b ? a : b; };
    case min: return [](double a, double b) { return std::isnan(a) || a < b ? a : b; };
    case pow: return [](double a, double b) { return std::pow(a, b); };
    case equal: return [](double a, double b) { return a == b ? 1.0 : 0.0; };
    case less: return [](double a, double b) { return a < b ? 1.0 : 0.0; };
    case greater: return [](double a, double b) { return a > b ? 1.0 : 0.0; };
  }
  return nullptr;
}

void PlainStep::run(const StepContext& c) const noexcept {
  const auto* a = c.in<std::byte>(0);
  const auto* b = c.in<std::byte>(1);
  auto* y = static_cast<std::byte*>(c.out());
  const auto a_size = static_cast<std::int64_t>(size_of(a_type)), b_size = static_cast<std::int64_t>(size_of(b_type));
  const auto y_size = static_cast<std::int64_t>(size_of(y_type));
  std::int64_t n = 1;
  for (int i = 0; i < rank; ++i) n *= shape[i];
  c.pool.parallel_for(n, 4096, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t rest = i, at_a = 0, at_b = 0;
      for (int axis = rank; axis-- > 0;) {
        at_a += rest % shape[axis] * a_strides[axis];
        at_b += rest % shape[axis] * b_strides[axis];
        rest /= shape[axis];
      }
      store(y_type, y + i * y_size, function(load(a_type, a + at_a * a_size), b ? load(b_type, b + at_b * b_size) : 0));
    }
  });
}

void SinusoidalStep::run(const StepContext& c) const noexcept {
  const auto* t = c.in<float>(0);
  const auto* frequencies = c.in<double>(1);
  auto* y = static_cast<std::byte*>(c.out());
  const std::size_t size = size_of(type);
  constexpr double kTurn = 2 * std::numbers::pi;
  c.pool.parallel_for(rows * half, 512, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / half, column = i % half;
      const double angle = static_cast<double>(t[row]) * frequencies[column];
      const auto reduced = static_cast<float>(angle - kTurn * std::nearbyint(angle / kTurn));
      std::byte* at = y + static_cast<std::size_t>(row * 2 * half + column) * size;
      runtime::store(type, at, std::cos(reduced));
      runtime::store(type, at + static_cast<std::size_t>(half) * size, std::sin(reduced));
    }
  });
}

namespace {

constexpr std::int64_t kTileRows = 8, kTileColumns = 64;

void widen(DType type, const std::byte* p, std::int64_t stride, std::int64_t n, float* out) {
  if (type == DType::f32) {
    const auto* v = reinterpret_cast<const float*>(p);
    for (std::int64_t i = 0; i < n; ++i) out[i] = v[i * stride];
  } else {
    const auto* v = reinterpret_cast<const bf16*>(p);
    for (std::int64_t i = 0; i < n; ++i) out[i] = to_f32(v[i * stride]);
  }
}

}  // namespace

void MatMulStep::run(const StepContext& c) const noexcept {
  const auto* a = c.in<std::byte>(0);
  const auto* b = c.in<std::byte>(1);
  auto* y = static_cast<std::byte*>(c.out());
  const auto size = static_cast<std::int64_t>(size_of(type));
  const std::int64_t row_tiles = (M + kTileRows - 1) / kTileRows;
  std::int64_t batches = 1;
  for (int i = 0; i < rank; ++i) batches *= batch[i];
  c.pool.parallel_for(batches * row_tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
    float acc[kTileRows][kTileColumns], column[kTileColumns], row[kTileRows];
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t item = task / row_tiles, m0 = task % row_tiles * kTileRows;
      const std::int64_t rows = std::min(kTileRows, M - m0);
      std::int64_t rest = item, a0 = m0 * a_row, b0 = 0;
      for (int i = rank; i-- > 0;) {
        a0 += rest % batch[i] * a_batch[i];
        b0 += rest % batch[i] * b_batch[i];
        rest /= batch[i];
      }
      for (std::int64_t n0 = 0; n0 < N; n0 += kTileColumns) {
        const std::int64_t columns = std::min(kTileColumns, N - n0);
        std::memset(acc, 0, sizeof(acc));
        std::memset(column, 0, sizeof(column));
        for (std::int64_t k = 0; k < K; ++k) {
          widen(type, b + (b0 + n0 * b_column + k * b_k) * size, b_column, columns, column);
          widen(type, a + (a0 + k * a_k) * size, a_row, rows, row);
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t j = 0; j < kTileColumns; ++j) acc[r][j] += row[r] * column[j];
          }
        }
        for (std::int64_t r = 0; r < rows; ++r) {
          std::byte* out = y + ((item * M + m0 + r) * N + n0) * size;
          convert(DType::f32, acc[r], type, out, static_cast<std::size_t>(columns));
        }
      }
    }
  });
}

}  // namespace thimble::runtime
