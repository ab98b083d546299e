// Sample rate conversion by any rational factor: a polyphase filter bank whose prototype is a sinc under a Kaiser
// window. Flat within 0.01 dB to 0.9 of the lower rate's half, 100 dB down from that half on. No delay: sample 0 stays
// sample 0.
#pragma once

#include <span>
#include <vector>

#include "dsp/signal.h"

namespace thimble::dsp {

class Resampler {
 public:
  // Rates in 1..10 MHz. unsupported when their ratio in lowest terms needs a filter of more than 2^24 taps.
  Resampler(int from, int to);

  std::size_t length_for(std::size_t samples) const;  // ceil(samples * to / from)
  std::vector<double> run(std::span<const double> x) const;

 private:
  std::size_t up_ = 1, down_ = 1;  // in lowest terms
  std::ptrdiff_t reach_ = 0;       // input samples that an output sample looks to each side
  std::vector<double> phases_;     // (up_, 2 * reach_ + 1)
};

Signal resample(const Signal& signal, int rate);

}  // namespace thimble::dsp
