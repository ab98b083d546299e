// The delay between two signals by generalised cross-correlation with the phase transform (C. Knapp, G. Carter, 1976).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsp/fft.h"

namespace thimble::dsp {

struct GccOptions {
  double max_delay = 100;      // samples to each side
  int upsample = 4;            // lags a sample, 1..64
  double low = 0, high = 0.5;  // band in cycles a sample
};

struct GccPeak {
  double delay = 0;  // samples; positive: y is later than x
  double value = 0;  // mean cosine of the phases left over, 1 for a pure delay
};

// For signals of one length. Not for several threads at once.
class GccPhat {
 public:
  explicit GccPhat(std::size_t length, GccOptions options = {});

  // bad_input for other lengths, NaN and silence. Allocates nothing.
  GccPeak estimate(std::span<const double> x, std::span<const double> y);
  // Of the last estimate: lag_count() values, from -max_delay on in steps of 1/upsample.
  std::span<const double> correlation() const { return correlation_; }
  double lag(std::size_t i) const;

 private:
  double refine(double delay) const;

  std::size_t length_;
  GccOptions options_;
  RealFft forward_, inverse_;
  std::size_t first_bin_ = 0, end_bin_ = 0;
  std::vector<Complex> a_, b_, padded_, scratch_;
  std::vector<double> block_, lags_, correlation_;
  std::ptrdiff_t reach_ = 0;  // lags to each side
};

}  // namespace thimble::dsp
