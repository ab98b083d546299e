// Linear convolution with a fixed impulse response by overlap-add: for rendering rooms and long filters.
#pragma once

#include <span>
#include <vector>

#include "dsp/fft.h"

namespace thimble::dsp {

// y = x * h, x.size() + h.size() - 1 samples; empty when either is. Short cases are summed directly.
std::vector<double> convolve(std::span<const double> x, std::span<const double> h);

// Adds x * h to `out` from sample 0 on; what would fall past its end is dropped.
class Convolver {
 public:
  explicit Convolver(std::span<const double> impulse_response);  // at least one sample

  std::size_t length() const { return length_; }
  void add(std::span<const double> x, std::span<double> out);

 private:
  std::size_t length_;  // of the impulse response
  RealFft fft_;
  std::vector<Complex> response_, spectrum_, scratch_;
  std::vector<double> block_;
};

}  // namespace thimble::dsp
