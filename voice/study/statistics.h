// What the tables of a study say with which certainty: shares, paired differences, tests. Plain numbers in, plain
// numbers out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace thimble::voice {

struct Interval {
  double low = 0, high = 0;
};

// Of a share hits / trials, Wilson's score interval (1927) for 95 %. trials > 0.
Interval wilson(std::size_t hits, std::size_t trials);

// Two methods on the same trials.
struct Pair {
  bool a = false, b = false;  // was right
  std::size_t cluster = 0;    // trials of one cluster may depend on each other
};

struct PairedDifference {
  double difference = 0;  // share of a minus share of b
  Interval interval;      // 95 %, percentile bootstrap over whole clusters
  std::size_t a_only = 0, b_only = 0;
  double p = 1;  // exact two-sided McNemar test: binomial over the trials on which they differ
};
PairedDifference compare(std::span<const Pair> pairs, int resamples = 4000, std::uint64_t seed = 1);

// Two-sided binomial test of k heads in n throws of a fair coin; 1 for n = 0.
double fair_coin_test(std::size_t k, std::size_t n);

// The value below which a share of q of them lies, straight lines between; values not empty, q in [0, 1].
double quantile(std::vector<double> values, double q);

// Area under the ROC curve: how often a positive scores above a negative, ties half. Neither empty.
double roc_area(std::span<const double> positives, std::span<const double> negatives);

}  // namespace thimble::voice
