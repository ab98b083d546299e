#include "voice/study/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/rng.h"

namespace thimble::voice {
namespace {

constexpr double kNormal95 = 1.959963984540054;

}  // namespace

Interval wilson(std::size_t hits, std::size_t trials) {
  check(trials > 0 && hits <= trials, "a share of no trials");
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(hits) / n, z2 = kNormal95 * kNormal95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

double fair_coin_test(std::size_t k, std::size_t n) {
  if (n == 0) return 1;
  const std::size_t few = std::min(k, n - k);
  double tail = 0;
  for (std::size_t i = 0; i <= few; ++i) {
    const auto x = static_cast<double>(i), m = static_cast<double>(n);
    tail += std::exp(std::lgamma(m + 1) - std::lgamma(x + 1) - std::lgamma(m - x + 1) - m * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

PairedDifference compare(std::span<const Pair> pairs, int resamples, std::uint64_t seed) {
  check(!pairs.empty() && resamples > 0, "a comparison of no trials");
  PairedDifference out;
  struct Cluster {
    double difference = 0, trials = 0;
  };
  std::map<std::size_t, Cluster> by_cluster;
  for (const Pair& p : pairs) {
    out.a_only += p.a && !p.b;
    out.b_only += p.b && !p.a;
    Cluster& cluster = by_cluster[p.cluster];
    cluster.difference += static_cast<double>(p.a) - static_cast<double>(p.b);
    cluster.trials += 1;
  }
  out.difference =
      (static_cast<double>(out.a_only) - static_cast<double>(out.b_only)) / static_cast<double>(pairs.size());
  out.p = fair_coin_test(out.a_only, out.a_only + out.b_only);

  std::vector<Cluster> clusters;
  for (const auto& [key, cluster] : by_cluster) clusters.push_back(cluster);
  std::vector<double> drawn;
  Rng rng(seed);
  for (int r = 0; r < resamples; ++r) {
    Cluster sum;
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      const Cluster& c = clusters[rng.below(clusters.size())];
      sum.difference += c.difference;
      sum.trials += c.trials;
    }
    drawn.push_back(sum.difference / sum.trials);
  }
  out.interval = {quantile(drawn, 0.025), quantile(drawn, 0.975)};
  return out;
}

double quantile(std::vector<double> values, double q) {
  check(!values.empty() && q >= 0 && q <= 1, "a quantile of no values");
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

double roc_area(std::span<const double> positives, std::span<const double> negatives) {
  check(!positives.empty() && !negatives.empty(), "a curve of one kind");
  double wins = 0;
  for (double p : positives) {
    for (double n : negatives) wins += p > n ? 1 : p == n ? 0.5 : 0;
  }
  return wins / (static_cast<double>(positives.size()) * static_cast<double>(negatives.size()));
}

}  // namespace thimble::voice
