// Elementwise kernels against double libm and plain loops: every row this machine can run, all tails, any alignment.
#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>

#include "kernels/simd/test_support.h"

namespace thimble::kernels {
namespace {

using testing::assign;
using testing::Buffer;
using testing::fill_random;
using testing::ulps;
using testing::value_of;

std::vector<const ElementwiseKernels*> rows_of(DType type) {
  std::vector<const ElementwiseKernels*> out;
  for (const auto* row : elementwise_kernels()) {
    if (row->type == type && supports(cpu(), row->isa)) out.push_back(row);
  }
  return out;
}

double gelu_tanh_exact(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

struct UnaryCase {
  UnaryOp op;
  const char* name;
  double (*exact)(double);
  double max_ulps;  // of f32, over all finite inputs in [low, high]
  float low, high;
  double x_part = 0;  // the error may also reach max_ulps of x_part * |x| (where a function leaves a line)
};

const UnaryCase kCases[] = {
    {UnaryOp::neg, "neg", [](double x) { return -x; }, 0, -1e38f, 1e38f},
    {UnaryOp::abs, "abs", [](double x) { return std::abs(x); }, 0, -1e38f, 1e38f},
    {UnaryOp::sign, "sign", [](double x) { return x > 0   ? 1.0
                                                  : x < 0 ? -1.0
                                                          : x; }, 0, -1e38f, 1e38f},
    {UnaryOp::square, "square", [](double x) { return x * x; }, 0.5, -1e18f, 1e18f},
    {UnaryOp::sqrt, "sqrt", [](double x) { return std::sqrt(x); }, 0.5, 0, 3e38f},
    {UnaryOp::rsqrt, "rsqrt", [](double x) { return 1 / std::sqrt(x); }, 1.5, 1e-37f, 3e38f},
    {UnaryOp::reciprocal, "reciprocal", [](double x) { return 1 / x; }, 0.5, -1e37f, 1e37f},
    {UnaryOp::exp, "exp", [](double x) { return x < -87.3365402 ? 0.0 : std::exp(x); }, 1.1, -100, 88.7228f},
    {UnaryOp::log, "log", [](double x) { return std::log(x); }, 1.0, 0, 3.4e38f},
    {UnaryOp::sin, "sin", [](double x) { return std::sin(x); }, 1.5, -8192, 8192},
    {UnaryOp::cos, "cos", [](double x) { return std::cos(x); }, 1.5, -8192, 8192},
    {UnaryOp::sin, "sin, far", [](double x) { return std::sin(x); }, 1.5, 8193, 1e9f},
    {UnaryOp::tanh, "tanh", [](double x) { return std::tanh(x); }, 1.5, -100, 100},
    {UnaryOp::erf, "erf", [](double x) { return std::erf(x); }, 4.5, -10, 10},
    {UnaryOp::sigmoid, "sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, 2.5, -87, 100},
    {UnaryOp::relu, "relu", [](double x) { return x > 0 ? x : 0; }, 0, -1e38f, 1e38f},
    {UnaryOp::silu, "silu", [](double x) { return x / (1 + std::exp(-x)); }, 3, -87, 1e4f},
    {UnaryOp::gelu, "gelu", [](double x) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }, 1.5, -20, 1e4f, 1.0},
    {UnaryOp::gelu_tanh, "gelu_tanh", gelu_tanh_exact, 2, -20, 1e4f, 1.0},
    {UnaryOp::softplus, "softplus", [](double x) { return std::log1p(std::exp(x)); }, 2.5, -87, 80},
    {UnaryOp::elu, "elu", [](double x) { return x < 0 ? 0.75 * std::expm1(x) : x; }, 2.5, -100, 1e4f},
    {UnaryOp::leaky_relu, "leaky_relu", [](double x) { return x < 0 ? 0.75 * x : x; }, 0.5, -1e4f, 1e4f},
    {UnaryOp::hard_swish, "hard_swish", [](double x) { return x * std::min(6.0, std::max(0.0, x + 3)) / 6; }, 1.5,
     -1e4f, 1e4f, 0.5},
    {UnaryOp::hard_sigmoid, "hard_sigmoid", [](double x) { return std::min(6.0, std::max(0.0, x + 3)) / 6; }, 1.5,
     -1e4f, 1e4f, 0.2},
    {UnaryOp::floor, "floor", [](double x) { return std::floor(x); }, 0, -1e9f, 1e9f},
    {UnaryOp::ceil, "ceil", [](double x) { return std::ceil(x); }, 0, -1e9f, 1e9f},
    {UnaryOp::round, "round", [](double x) { return std::nearbyint(x); }, 0, -1e9f, 1e9f},
    {UnaryOp::clamp, "clamp", [](double x) { return std::min(2.5, std::max(0.75, x)); }, 0, -1e9f, 1e9f},
};
constexpr UnaryParams kParams{0.75f, 2.5f};

// All binades of both signs, 64 mantissas in each, spread by an odd step.
std::vector<float> every_binade(float low, float high) {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < 0x7f800000u; bits += 0x1fff3) {
    const float v = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    for (float s : {v, -v}) {
      if (s >= low && s <= high) x.push_back(s);
    }
  }
  for (int i = 0; i <= 4000; ++i) {  // and evenly where it matters
    const float v = -20 + 0.01f * static_cast<float>(i);
    if (v >= low && v <= high) x.push_back(v);
  }
  return x;
}

TEST(Elementwise, UnaryErrorsStayWithinTheStatedUlps) {
  ThreadPool pool(1);
  for (const auto* row : rows_of(DType::f32)) {
    for (const UnaryCase& c : kCases) {
      const std::vector<float> x = every_binade(c.low, c.high);
      std::vector<float> y(x.size());
      unary(*row, c.op, x.data(), y.data(), static_cast<std::int64_t>(x.size()), kParams, pool);
      double worst = 0;
      float where = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double expected = c.exact(x[i]);
        double d = ulps(y[i], expected);
        if (c.x_part > 0) {
          const double line = std::max(std::abs(expected), c.x_part * std::abs(static_cast<double>(x[i])));
          d = std::abs(y[i] - expected) / std::max(1e-38, line * 0x1p-23);
        }
        if (d > worst) {
          worst = d;
          where = x[i];
        }
      }
      EXPECT_LE(worst, c.max_ulps) << row->name << " " << c.name << " at " << where;
    }
  }
}

TEST(Elementwise, UnaryEveryLengthAndAlignment) {
  ThreadPool pool(1);
  for (DType type : {DType::f32, DType::bf16}) {
    for (const auto* row : rows_of(type)) {
      for (const UnaryCase& c : kCases) {
        if (c.low > 0.5f) continue;
        for (std::int64_t n = 1; n <= 50; ++n) {
          const auto run = [&]<class T>(T) {
            Buffer<T> x(n, n % 5), y(n, n % 3);
            for (std::int64_t i = 0; i < n; ++i)
              assign(x[i], c.low == 0 || c.low > 0 ? 0.1 + 0.13 * i : -3.1 + 0.27 * i);
            unary(*row, c.op, x.data(), y.data(), n, kParams, pool);
            for (std::int64_t i = 0; i < n; ++i) {
              const double expected = c.exact(value_of(x[i]));
              const double size = std::max(std::abs(expected) + 0.1, c.x_part * std::abs(value_of(x[i])));
              ASSERT_NEAR(value_of(y[i]), expected, (testing::rounding<T> + 4e-7) * size)
                  << row->name << " " << c.name << " n " << n << " i " << i;
            }
            ASSERT_TRUE(y.guards_hold()) << row->name << " " << c.name << " n " << n;
          };
          type == DType::f32 ? run(float{}) : run(bf16{});
        }
      }
    }
  }
}

TEST(Elementwise, SpecialValues) {
  ThreadPool pool(1);
  const float inf = HUGE_VALF, nan = std::nanf("");
  const auto one = [&](const ElementwiseKernels& row, UnaryOp op, float x) {
    std::array<float, 37> in, out;
    in.fill(x);
    unary(row, op, in.data(), out.data(), 37, kParams, pool);
    for (float v : out) EXPECT_EQ(std::bit_cast<std::uint32_t>(v), std::bit_cast<std::uint32_t>(out[0]));
    return out[0];
  };
  for (const auto* row : rows_of(DType::f32)) {
    EXPECT_EQ(one(*row, UnaryOp::exp, inf), inf);
    EXPECT_EQ(one(*row, UnaryOp::exp, -inf), 0);
    EXPECT_EQ(one(*row, UnaryOp::exp, 88.73f), inf);
    EXPECT_EQ(one(*row, UnaryOp::log, 0), -inf);
    EXPECT_EQ(one(*row, UnaryOp::log, inf), inf);
    EXPECT_TRUE(std::isnan(one(*row, UnaryOp::log, -1)));
    EXPECT_EQ(one(*row, UnaryOp::sigmoid, -inf), 0);
    EXPECT_EQ(one(*row, UnaryOp::silu, -inf), 0);
    EXPECT_EQ(one(*row, UnaryOp::gelu_tanh, -inf), 0);
    EXPECT_EQ(one(*row, UnaryOp::tanh, -inf), -1);
    EXPECT_EQ(one(*row, UnaryOp::softplus, inf), inf);
    EXPECT_EQ(one(*row, UnaryOp::round, 2.5f), 2);
    EXPECT_EQ(one(*row, UnaryOp::round, -3.5f), -4);
    for (int op = 0; op < kUnaryOps; ++op) {
      EXPECT_TRUE(std::isnan(one(*row, static_cast<UnaryOp>(op), nan))) << row->name << " op " << op;
    }
  }
}

double exact_binary(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
    case BinaryOp::max: return std::max(a, b);
    case BinaryOp::min: return std::min(a, b);
    case BinaryOp::pow: return std::pow(a, b);
    case BinaryOp::eq: return a == b;
    case BinaryOp::ne: return a != b;
    case BinaryOp::lt: return a < b;
    case BinaryOp::le: return a <= b;
    case BinaryOp::gt: return a > b;
    case BinaryOp::ge: return a >= b;
  }
  return 0;
}

// One broadcast: shapes aligned at the right.
struct Broadcast {
  std::vector<std::int64_t> a, b, y;
};

template <class T>
void check_binary(const ElementwiseKernels& row, BinaryOp op, const Broadcast& c, ThreadPool& pool,
                  std::int64_t shift) {
  const auto count = [](const std::vector<std::int64_t>& s) {
    std::int64_t n = 1;
    for (auto d : s) n *= d;
    return n;
  };
  Buffer<T> a(count(c.a), shift), b(count(c.b), shift / 2);
  for (std::int64_t i = 0; i < a.size(); ++i) assign(a[i], 0.25 * static_cast<double>(i * 7 % 23) + 0.5);
  for (std::int64_t i = 0; i < b.size(); ++i) assign(b[i], 0.25 * static_cast<double>(i * 5 % 13) + 0.75);
  const std::int64_t n = count(c.y);
  Buffer<T> y(n, shift);
  Buffer<std::uint8_t> truth(n, shift);
  BinaryArgs args;
  args.rank = static_cast<int>(c.y.size());
  std::copy(c.y.begin(), c.y.end(), args.shape);
  args.a = a.data();
  args.b = b.data();
  args.y = is_comparison(op) ? static_cast<void*>(truth.data()) : y.data();
  broadcast_strides(static_cast<int>(c.a.size()), c.a.data(), args.rank, args.shape, args.a_strides);
  broadcast_strides(static_cast<int>(c.b.size()), c.b.data(), args.rank, args.shape, args.b_strides);
  binary(row, op, args, pool);
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t rest = i, ia = 0, ib = 0;
    for (int k = args.rank - 1; k >= 0; --k) {
      ia += rest % args.shape[k] * args.a_strides[k];
      ib += rest % args.shape[k] * args.b_strides[k];
      rest /= args.shape[k];
    }
    const double expected = exact_binary(op, value_of(a[ia]), value_of(b[ib]));
    const double got = is_comparison(op) ? truth[i] : value_of(y[i]);
    ASSERT_NEAR(got, expected, (testing::rounding<T> + 1e-7) * std::abs(expected))
        << row.name << " op " << static_cast<int>(op) << " at " << i;
  }
  ASSERT_TRUE(y.guards_hold() && truth.guards_hold());
}

TEST(Elementwise, BinaryBroadcasts) {
  ThreadPool pool(2);
  const Broadcast cases[] = {
      {{3, 50}, {3, 50}, {3, 50}},               // same shape
      {{3, 50}, {1}, {3, 50}},                   // scalar
      {{1}, {2, 41}, {2, 41}},                   // scalar on the left
      {{2, 3, 37}, {37}, {2, 3, 37}},            // last axis
      {{2, 33, 40}, {2, 1, 40}, {2, 33, 40}},    // one row per batch
      {{2, 200, 24}, {2, 1, 24}, {2, 200, 24}},  // a short row per batch, more rows than are taken together
      {{24}, {3, 7, 24}, {3, 7, 24}},            // on the left
      {{2, 5, 70}, {2, 5, 1}, {2, 5, 70}},       // one value per row
      {{4, 1, 3}, {1, 7, 3}, {4, 7, 3}},         // short rows
      {{5, 1}, {1, 6}, {5, 6}},                  // outer product
      {{2, 1, 3, 1, 2}, {1, 4, 1, 2, 1}, {2, 4, 3, 2, 2}},
      {{}, {}, {}},
      {{40000}, {1}, {40000}},  // several pieces
      {{2, 20000}, {20000}, {2, 20000}},
  };
  for (DType type : {DType::f32, DType::bf16}) {
    for (const auto* row : rows_of(type)) {
      for (const Broadcast& c : cases) {
        for (int op = 0; op < kBinaryOps; ++op) {
          if (c.y.size() == 1 && op > static_cast<int>(BinaryOp::mul)) continue;  // the large ones: threading only
          const auto kind = static_cast<BinaryOp>(op);
          type == DType::f32 ? check_binary<float>(*row, kind, c, pool, op)
                             : check_binary<bf16>(*row, kind, c, pool, op);
        }
      }
      for (std::int64_t n = 1; n <= 50; ++n) {
        for (const Broadcast& c : {Broadcast{{n}, {n}, {n}}, Broadcast{{n}, {1}, {n}}, Broadcast{{1}, {n}, {n}}}) {
          for (BinaryOp op : {BinaryOp::sub, BinaryOp::pow, BinaryOp::le}) {
            type == DType::f32 ? check_binary<float>(*row, op, c, pool, n % 7)
                               : check_binary<bf16>(*row, op, c, pool, n % 7);
          }
        }
      }
    }
  }
}

TEST(Elementwise, TransposedOperandAndInPlace) {
  ThreadPool pool(1);
  for (const auto* row : rows_of(DType::f32)) {
    Buffer<float> a(35 * 40), b(35 * 40);
    fill_random(a, 1);
    fill_random(b, 2);
    std::vector<float> before(a.data(), a.data() + a.size());
    BinaryArgs args{.rank = 2,
                    .shape = {35, 40},
                    .a = a.data(),
                    .b = b.data(),
                    .y = a.data(),
                    .a_strides = {40, 1},
                    .b_strides = {1, 35}};
    binary(*row, BinaryOp::sub, args, pool);
    for (int i = 0; i < 35; ++i) {
      for (int j = 0; j < 40; ++j) ASSERT_EQ(a[i * 40 + j], before[i * 40 + j] - b[j * 35 + i]);
    }
  }
}

TEST(Elementwise, MaxAndMinKeepNan) {
  ThreadPool pool(1);
  const float nan = std::nanf("");
  for (const auto* row : rows_of(DType::f32)) {
    for (BinaryOp op : {BinaryOp::max, BinaryOp::min}) {
      float a[3] = {nan, 1, nan}, b[3] = {1, nan, nan}, y[3];
      BinaryArgs args{.rank = 1, .shape = {3}, .a = a, .b = b, .y = y, .a_strides = {1}, .b_strides = {1}};
      binary(*row, op, args, pool);
      for (float v : y) EXPECT_TRUE(std::isnan(v)) << row->name;
    }
  }
}

TEST(Elementwise, Integers) {
  ThreadPool pool(1);
  const auto* row = pick_elementwise(DType::i32, best_isa());
  ASSERT_NE(row, nullptr);
  const std::int32_t a[5] = {7, -7, INT32_MIN, 3, -1}, b[5] = {2, 2, -1, 0, -3};
  std::int32_t y[5];
  BinaryArgs args{.rank = 1, .shape = {5}, .a = a, .b = b, .y = y, .a_strides = {1}, .b_strides = {1}};
  binary(*row, BinaryOp::div, args, pool);
  EXPECT_EQ(std::vector<std::int32_t>(y, y + 5), (std::vector<std::int32_t>{3, -3, INT32_MIN, 0, 0}));
  binary(*row, BinaryOp::pow, args, pool);
  EXPECT_EQ(std::vector<std::int32_t>(y, y + 5), (std::vector<std::int32_t>{49, 49, 0, 1, -1}));
  unary(*row, UnaryOp::abs, a, y, 5, {}, pool);
  EXPECT_EQ(std::vector<std::int32_t>(y, y + 5), (std::vector<std::int32_t>{7, 7, INT32_MIN, 3, 1}));
}

TEST(Elementwise, Where) {
  ThreadPool pool(2);
  const auto run = [&]<class T>(T) {
    const std::uint8_t c[6] = {1, 0, 2, 0, 0, 1};
    std::vector<T> a(5), y(30);
    for (int j = 0; j < 5; ++j) a[j] = static_cast<T>(j + 1);
    const T b = 77;
    WhereArgs args{.rank = 2,
                   .shape = {6, 5},
                   .condition = c,
                   .a = a.data(),
                   .b = &b,
                   .y = y.data(),
                   .condition_strides = {1, 0},
                   .a_strides = {0, 1},
                   .b_strides = {0, 0},
                   .element_size = sizeof(T)};
    where(args, pool);
    for (int i = 0; i < 6; ++i) {
      for (int j = 0; j < 5; ++j) EXPECT_EQ(y[i * 5 + j], c[i] ? a[j] : b);
    }
  };
  run(std::uint8_t{});
  run(std::uint16_t{});
  run(std::uint32_t{});
  run(std::uint64_t{});
}

TEST(Elementwise, GluAndScaleAdd) {
  ThreadPool pool(2);
  const auto run = [&]<class T>(T, const ElementwiseKernels& row) {
    for (std::int64_t n : {1, 7, 16, 33, 50}) {
      const std::int64_t rows = 5;
      Buffer<T> x(rows * 2 * n, 1), y(rows * n, 3), gate(2 * n), residual(rows * n, 1);
      fill_random(x, 1);
      fill_random(gate, 2);
      fill_random(residual, 3);
      for (UnaryOp act :
           {UnaryOp::sigmoid, UnaryOp::relu, UnaryOp::silu, UnaryOp::gelu, UnaryOp::gelu_tanh, UnaryOp::tanh}) {
        GluArgs args{.rows = rows,
                     .channels = n,
                     .value = x.data(),
                     .gate = x.data() + n,
                     .y = y.data(),
                     .value_stride = 2 * n,
                     .gate_stride = 2 * n,
                     .y_stride = n,
                     .activation = act};
        glu(row, args, pool);
        const auto* c =
            std::find_if(std::begin(kCases), std::end(kCases), [&](const UnaryCase& k) { return k.op == act; });
        for (std::int64_t r = 0; r < rows; ++r) {
          for (std::int64_t i = 0; i < n; ++i) {
            const double value = value_of(x[r * 2 * n + i]), gate = value_of(x[r * 2 * n + n + i]);
            const double expected = value * c->exact(gate), size = std::max(1.0, std::abs(gate)) * std::abs(value);
            ASSERT_NEAR(value_of(y[r * n + i]), expected, testing::rounding<T> * std::abs(expected) + 4e-7 * size);
          }
        }
      }
      ScaleAddArgs args{.rows = rows,
                        .channels = n,
                        .x = x.data(),
                        .residual = residual.data(),
                        .gate = gate.data(),
                        .y = y.data(),
                        .x_stride = 2 * n,
                        .residual_stride = n,
                        .y_stride = n,
                        .gate_stride = n,
                        .rows_per_batch = 3,
                        .factor = 0.5f};
      scale_add(row, args, pool);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t i = 0; i < n; ++i) {
          const double term = 0.5 * value_of(x[r * 2 * n + i]) * value_of(gate[r / 3 * n + i]);
          const double expected = value_of(residual[r * n + i]) + term;
          ASSERT_NEAR(value_of(y[r * n + i]), expected,
                      testing::rounding<T> * (std::abs(expected) + 2 * std::abs(term)));
        }
      }
      ASSERT_TRUE(y.guards_hold());
    }
  };
  for (const auto* row : rows_of(DType::f32)) run(float{}, *row);
  for (const auto* row : rows_of(DType::bf16)) run(bf16{}, *row);
}

TEST(Elementwise, CastsMatchBase) {
  ThreadPool pool(2);
  for (const auto* row : rows_of(DType::f32)) {
    const std::vector<float> x = every_binade(-HUGE_VALF, HUGE_VALF);
    const auto n = static_cast<std::int64_t>(x.size());
    std::vector<bf16> b(x.size());
    std::vector<f16> h(x.size());
    std::vector<float> back(x.size());
    std::vector<std::uint8_t> truth(x.size());
    cast(*row, DType::f32, x.data(), DType::bf16, b.data(), n, pool);
    cast(*row, DType::f32, x.data(), DType::f16, h.data(), n, pool);
    cast(*row, DType::f16, h.data(), DType::f32, back.data(), n, pool);
    cast(*row, DType::f32, x.data(), DType::boolean, truth.data(), n, pool);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(b[i].bits, to_bf16(x[i]).bits) << row->name << " " << x[i];
      ASSERT_EQ(h[i].bits, to_f16(x[i]).bits) << row->name << " " << x[i];
      ASSERT_EQ(back[i], to_f32(h[i])) << row->name;
      ASSERT_EQ(truth[i], x[i] != 0);
    }
    const std::vector<float> edge = {3e9f,          -3e9f,          std::nanf(""), 1.9f, -1.9f,
                                     2147483520.0f, -2147483648.0f, HUGE_VALF,     0};
    std::vector<std::int32_t> i32(edge.size());
    cast(*row, DType::f32, edge.data(), DType::i32, i32.data(), 9, pool);
    EXPECT_EQ(i32, (std::vector<std::int32_t>{INT32_MAX, INT32_MIN, 0, 1, -1, 2147483520, INT32_MIN, INT32_MAX, 0}))
        << row->name;
    const std::vector<std::uint8_t> bytes = {0, 1, 2, 255, 0, 1, 1};
    std::vector<float> f(7);
    cast(*row, DType::u8, bytes.data(), DType::f32, f.data(), 7, pool);
    EXPECT_EQ(f, (std::vector<float>{0, 1, 2, 255, 0, 1, 1}));
  }
  EXPECT_FALSE(can_cast(DType::f64, DType::f32));
  EXPECT_TRUE(can_cast(DType::boolean, DType::i32));
}

TEST(Elementwise, ThreadsDoNotChangeResults) {
  ThreadPool one(1), two(2), three(3);
  for (const auto* row : rows_of(DType::f32)) {
    Buffer<float> x(100003), y1(100003), y2(100003);
    fill_random(x, 5, 3);
    unary(*row, UnaryOp::gelu, x.data(), y1.data(), x.size(), {}, one);
    for (ThreadPool* pool : {&two, &three}) {
      unary(*row, UnaryOp::gelu, x.data(), y2.data(), x.size(), {}, *pool);
      ASSERT_EQ(std::memcmp(y1.data(), y2.data(), 4 * 100003), 0);
    }
  }
}

TEST(Elementwise, PickRespectsTheCap) {
  EXPECT_EQ(pick_elementwise(DType::f32, Isa::scalar)->isa, Isa::scalar);
  EXPECT_EQ(pick_elementwise(DType::i8, Isa::amx), nullptr);
  EXPECT_LE(pick_elementwise(DType::bf16, best_isa())->isa, best_isa());
}

}  // namespace
}  // namespace thimble::kernels
