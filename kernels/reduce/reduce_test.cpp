// Reductions against double loops and copies against index arithmetic: every row this machine can run.
#include "kernels/reduce/reduce.h"

#include <gtest/gtest.h>

#include <numeric>

#include "kernels/simd/test_support.h"

namespace thimble::kernels {
namespace {

using testing::assign;
using testing::Buffer;
using testing::fill_random;
using testing::value_of;

template <class F>
void for_rows(F f) {
  for (const auto* row : reduce_kernels()) {
    if (!supports(cpu(), row->isa)) continue;
    row->type == DType::f32 ? f(float{}, *row) : f(bf16{}, *row);
  }
}

struct Case {
  std::vector<std::int64_t> shape;
  std::vector<int> axes;
};

template <class T>
void check_reduce(const ReduceKernels& kernels, const Case& c, ReduceOp op, ThreadPool& pool) {
  ReduceArgs args{.rank = static_cast<int>(c.shape.size()), .op = op};
  std::copy(c.shape.begin(), c.shape.end(), args.shape);
  for (int a : c.axes) args.reduced[a] = true;
  std::int64_t n = 1, results = 1;
  for (int k = 0; k < args.rank; ++k) {
    n *= args.shape[k];
    if (!args.reduced[k]) results *= args.shape[k];
  }
  Buffer<T> x(n, n % 5), y(results, 1);
  fill_random(x, static_cast<std::uint64_t>(n), op == ReduceOp::prod ? 0.02 : 1, op == ReduceOp::prod ? 1 : 0.3);
  args.x = x.data();
  args.y = y.data();
  reduce(kernels, args, pool);

  const double start = op == ReduceOp::prod ? 1 : op == ReduceOp::max ? -HUGE_VAL : op == ReduceOp::min ? HUGE_VAL : 0;
  std::vector<double> expected(results, start), size(results, 0);
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t rest = i, out = 0, step = 1;
    for (int k = args.rank - 1; k >= 0; --k) {
      if (!args.reduced[k]) {
        out += rest % args.shape[k] * step;
        step *= args.shape[k];
      }
      rest /= args.shape[k];
    }
    const double v = value_of(x[i]);
    double& e = expected[out];
    size[out] += std::abs(v);
    e = op == ReduceOp::prod  ? e * v
        : op == ReduceOp::max ? std::max(e, v)
        : op == ReduceOp::min ? std::min(e, v)
                              : e + v;
  }
  for (std::int64_t i = 0; i < results; ++i) {
    double slack = 0;
    if (op == ReduceOp::sum) slack = 2e-6 * size[i];
    if (op == ReduceOp::prod) slack = 6e-8 * static_cast<double>(n / results) * std::abs(expected[i]);
    if (op == ReduceOp::mean) {
      expected[i] /= static_cast<double>(n / results);
      slack = 2e-6 * size[i] / static_cast<double>(n / results);
    }
    ASSERT_NEAR(value_of(y[i]), expected[i], slack + testing::rounding<T> * std::abs(expected[i]))
        << kernels.name << " op " << static_cast<int>(op) << " result " << i << " of " << results;
  }
  ASSERT_TRUE(y.guards_hold());
}

TEST(Reduce, AnyAxes) {
  ThreadPool pool(2);
  const Case cases[] = {
      {{7}, {0}},
      {{5, 33}, {1}},
      {{5, 33}, {0}},
      {{3, 4, 50}, {1}},
      {{3, 4, 50}, {0, 2}},
      {{2, 3, 4, 5}, {1, 3}},
      {{2, 3, 4, 5}, {0, 2}},
      {{1, 64, 1, 17}, {1, 2}},
      {{4, 9}, {}},
      {{}, {}},
      {{600, 300}, {0}},
      {{2, 1200, 70}, {1}},
      {{3, 700, 5, 2}, {0, 1, 3}},
      {{40000}, {0}},
      {{2, 50000}, {1}},
      {{3, 2, 30000}, {0, 2}},
      {{20, 9000}, {1}},
      {{1100, 3}, {0}},
      {{2, 3, 2, 3, 2, 3, 2, 3}, {0, 3, 5, 6}},
  };
  for_rows([&]<class T>(T, const ReduceKernels& kernels) {
    for (const Case& c : cases) {
      for (ReduceOp op : {ReduceOp::sum, ReduceOp::mean, ReduceOp::max, ReduceOp::min, ReduceOp::prod}) {
        if (op == ReduceOp::prod && c.shape.size() == 1 && c.shape[0] > 1000) continue;
        check_reduce<T>(kernels, c, op, pool);
      }
    }
    for (std::int64_t n = 1; n <= 52; ++n) {
      for (ReduceOp op : {ReduceOp::sum, ReduceOp::max, ReduceOp::prod}) {
        check_reduce<T>(kernels, {{3, n}, {1}}, op, pool);
        check_reduce<T>(kernels, {{3, n}, {0}}, op, pool);
      }
    }
  });
}

// Equal terms round the same way every time: plain f32 sums of so many are off by 1e-5 to 1e-2.
TEST(Reduce, LongSumsKeepTheirDigits) {
  ThreadPool pool(2);
  for_rows([&]<class T>(T, const ReduceKernels& kernels) {
    if (kernels.type != DType::f32) return;
    const std::int64_t n = 4'000'000;
    std::vector<float> x(n, 0.1f);
    float y[2] = {0, 0};
    const double all = static_cast<double>(n) * static_cast<double>(0.1f);
    reduce(kernels, {.rank = 1, .shape = {n}, .reduced = {true}, .x = x.data(), .y = y}, pool);
    EXPECT_NEAR(y[0], all, 2e-6 * all) << kernels.name;
    reduce(kernels, {.rank = 2, .shape = {n / 2, 2}, .reduced = {true, false}, .x = x.data(), .y = y}, pool);
    EXPECT_NEAR(y[1], all / 2, 1e-6 * all) << kernels.name;
  });
}

TEST(Reduce, NanWinsMaxAndMin) {
  ThreadPool pool(1);
  for_rows([&]<class T>(T, const ReduceKernels& kernels) {
    for (ReduceOp op : {ReduceOp::max, ReduceOp::min}) {
      for (int at : {0, 5, 36}) {
        std::vector<T> x(37), y(37);
        assign(x[at], std::nan(""));
        reduce(kernels, {.rank = 1, .shape = {37}, .reduced = {true}, .x = x.data(), .y = y.data(), .op = op}, pool);
        EXPECT_TRUE(std::isnan(value_of(y[0]))) << kernels.name << " " << at;
      }
    }
  });
}

TEST(Reduce, ThreadsDoNotChangeResults) {
  ThreadPool pools[3] = {ThreadPool(1), ThreadPool(2), ThreadPool(3)};
  for_rows([&]<class T>(T, const ReduceKernels& kernels) {
    Buffer<T> x(300 * 700);
    fill_random(x, 3);
    const bool axes[3][2] = {{true, true}, {true, false}, {false, true}};
    for (const auto& axis : axes) {
      std::vector<T> y[3];
      for (int k = 0; k < 3; ++k) {
        y[k].resize(700);
        reduce(kernels,
               {.rank = 2, .shape = {300, 700}, .reduced = {axis[0], axis[1]}, .x = x.data(), .y = y[k].data()},
               pools[k]);
      }
      EXPECT_TRUE(y[0] == y[1] && y[0] == y[2]) << kernels.name;
    }
  });
}

// ---- copies ----

struct CopyCase {
  std::vector<std::int64_t> shape, src, dst;
};

template <class T>
void check_copy(const CopyCase& c, ThreadPool& pool) {
  CopyArgs args{.rank = static_cast<int>(c.shape.size()), .element_size = sizeof(T)};
  std::int64_t n = 1, src_low = 0, src_high = 0, dst_high = 0;
  for (int k = 0; k < args.rank; ++k) {
    args.shape[k] = c.shape[k];
    args.src_strides[k] = c.src[k];
    args.dst_strides[k] = c.dst[k];
    n *= c.shape[k];
    (c.src[k] < 0 ? src_low : src_high) += c.src[k] * (c.shape[k] - 1);
    dst_high += c.dst[k] * (c.shape[k] - 1);
  }
  Buffer<T> src(src_high - src_low + 1, 1), dst(dst_high + 1, 3);
  for (std::int64_t i = 0; i < src.size(); ++i) src[i] = static_cast<T>(i * 2654435761u + 12345);
  std::vector<T> expected(dst.data(), dst.data() + dst.size());
  args.src = src.data() - src_low;
  args.dst = dst.data();
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t rest = i, s = 0, d = 0;
    for (int k = args.rank - 1; k >= 0; --k) {
      s += rest % c.shape[k] * c.src[k];
      d += rest % c.shape[k] * c.dst[k];
      rest /= c.shape[k];
    }
    expected[d] = src[s - src_low];
  }
  copy_strided(args, pool);
  ASSERT_EQ(std::memcmp(expected.data(), dst.data(), sizeof(T) * expected.size()), 0)
      << "element " << sizeof(T) << " rank " << args.rank << " first axis " << (args.rank > 0 ? c.shape[0] : 0);
  ASSERT_TRUE(dst.guards_hold());
}

TEST(Copy, BoxesOfAllKinds) {
  ThreadPool pool(2);
  std::vector<CopyCase> cases = {
      {{5, 7}, {7, 1}, {7, 1}},   // whole
      {{5, 7}, {20, 1}, {7, 1}},  // slice
      {{5, 7}, {7, 1}, {30, 1}},  // into a concat
      {{5, 7}, {1, 5}, {7, 1}},   // transpose
      {{37, 70}, {1, 37}, {70, 1}},
      {{65, 33}, {1, 80}, {40, 1}},
      {{2, 9, 40, 3}, {1080, 3, 27, 1}, {1080, 120, 3, 1}},  // heads before tokens, short rows
      {{2, 9, 40, 4}, {1440, 4, 36, 1}, {1440, 160, 4, 1}},  // rows that become one element
      {{2, 9, 40, 64}, {23040, 64, 576, 1}, {23040, 2560, 64, 1}},
      {{4, 6, 5}, {0, 5, 1}, {30, 5, 1}},  // broadcast
      {{4, 6, 5}, {6, 1, 0}, {30, 5, 1}},
      {{9}, {-1}, {1}},
      {{6, 9}, {9, -1}, {9, 1}},                        // reversed
      {{6, 9}, {36, 2}, {9, 1}},                        // steps
      {{3, 4, 5, 6}, {1, 3, 12, 60}, {120, 30, 6, 1}},  // all axes reversed
      {{2, 3, 2, 3, 2, 3, 2, 3}, {1, 2, 6, 12, 36, 72, 216, 432}, {648, 216, 108, 36, 18, 6, 3, 1}},
      {{}, {}, {}},
      {{0, 3}, {3, 1}, {3, 1}},
      {{100000}, {1}, {1}},
      {{2, 100000}, {100000, 1}, {100001, 1}},
      {{300, 400}, {1, 300}, {400, 1}},
  };
  for (std::int64_t n = 1; n <= 20; ++n) cases.push_back({{n, 21 - n, 3}, {1, n, 700}, {(21 - n), 1, 500}});
  for (const CopyCase& c : cases) {
    check_copy<std::uint8_t>(c, pool);
    check_copy<std::uint16_t>(c, pool);
    check_copy<std::uint32_t>(c, pool);
    check_copy<std::uint64_t>(c, pool);
  }
}

TEST(Copy, FillAndGather) {
  ThreadPool pool(2);
  std::vector<std::uint16_t> v(100001);
  const std::uint16_t value = 0xbeef;
  fill(v.data(), 100001, &value, 2, pool);
  for (auto x : v) ASSERT_EQ(x, value);

  std::vector<float> table(5 * 3);
  std::iota(table.begin(), table.end(), 0.0f);
  const std::int32_t index[4] = {4, 0, -2, 9};
  const std::int64_t wide[4] = {4, 0, -2, std::int64_t{1} << 40};
  std::vector<float> y(12), z(12);
  gather_rows(table.data(), 5, 12, index, 4, y.data(), pool);
  gather_rows(table.data(), 5, 12, wide, 4, z.data(), pool);
  EXPECT_EQ(y, (std::vector<float>{12, 13, 14, 0, 1, 2, 0, 1, 2, 12, 13, 14}));
  EXPECT_EQ(y, z);
}

}  // namespace
}  // namespace thimble::kernels
