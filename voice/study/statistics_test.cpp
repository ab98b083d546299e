#include "voice/study/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace thimble::voice {
namespace {

TEST(Statistics, WilsonIntervals) {
  // Closed forms: at 0 of n the upper end is z^2 / (n + z^2).
  const double z2 = 1.959963984540054 * 1.959963984540054;
  EXPECT_NEAR(wilson(0, 10).high, z2 / (10 + z2), 1e-12);
  EXPECT_EQ(wilson(0, 10).low, 0);
  EXPECT_NEAR(wilson(50, 100).low, 0.5 - std::sqrt(z2 / (4 * (100 + z2))), 1e-12);
  EXPECT_NEAR(wilson(50, 100).high + wilson(50, 100).low, 1, 1e-12);
}

TEST(Statistics, FairCoin) {
  EXPECT_DOUBLE_EQ(fair_coin_test(0, 0), 1);
  EXPECT_NEAR(fair_coin_test(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(fair_coin_test(9, 10), 2.0 * 11 / 1024, 1e-12);
  EXPECT_NEAR(fair_coin_test(3, 6), 1, 1e-12);
}

std::vector<Pair> pairs(std::size_t both, std::size_t a_only, std::size_t b_only, std::size_t neither) {
  std::vector<Pair> all;
  const auto add = [&](std::size_t n, bool a, bool b) {
    for (std::size_t i = 0; i < n; ++i) all.push_back({a, b, all.size()});
  };
  add(both, true, true);
  add(a_only, true, false);
  add(b_only, false, true);
  add(neither, false, false);
  return all;
}

TEST(Statistics, PairedDifference) {
  const auto d = compare(pairs(500, 120, 40, 340), 8000);
  EXPECT_DOUBLE_EQ(d.difference, 0.08);
  EXPECT_EQ(d.a_only, 120u);
  EXPECT_EQ(d.b_only, 40u);
  EXPECT_LT(d.p, 1e-9);
  // With every trial its own cluster the bootstrap's width is the normal one of the trinomial.
  const double sigma = std::sqrt((0.16 - 0.08 * 0.08) / 1000);
  EXPECT_NEAR(d.interval.low, 0.08 - 1.96 * sigma, 0.15 * sigma);
  EXPECT_NEAR(d.interval.high, 0.08 + 1.96 * sigma, 0.15 * sigma);
}

TEST(Statistics, ClustersWidenTheInterval) {
  // Ten trials that always go together carry the evidence of one.
  auto alone = pairs(0, 300, 200, 500), together = alone;
  for (std::size_t i = 0; i < together.size(); ++i) together[i].cluster = i / 10;
  const auto a = compare(alone, 2000), b = compare(together, 2000);
  EXPECT_DOUBLE_EQ(a.difference, b.difference);
  EXPECT_NEAR((b.interval.high - b.interval.low) / (a.interval.high - a.interval.low), std::sqrt(10.0), 0.35);
}

TEST(Statistics, EqualMethodsDifferByNothing) {
  const auto d = compare(pairs(30, 0, 0, 20));
  EXPECT_EQ(d.difference, 0);
  EXPECT_EQ(d.interval.low, 0);
  EXPECT_EQ(d.interval.high, 0);
  EXPECT_EQ(d.p, 1);
}

TEST(Statistics, QuantilesAndCurves) {
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2}, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile({0, 10}, 0.9), 9);
  EXPECT_DOUBLE_EQ(quantile({7}, 0.1), 7);
  const double up[] = {2, 3}, down[] = {1, 2};
  EXPECT_DOUBLE_EQ(roc_area(up, down), (1 + 0.5 + 1 + 1) / 4);
}

}  // namespace
}  // namespace thimble::voice
