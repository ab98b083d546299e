// Fractional delays by a windowed sinc: the ideal delay's impulse response sinc(t - delay) under a Hann window.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace thimble::dsp {

double sinc(double x);  // sin(pi x) / (pi x), 1 at 0

// Taps of sinc(t - delay) under a Hann window centred on `delay`, for t = first .. first + taps - 1 where
// first = round(delay) - taps/2. taps is odd. With 81 taps a sinusoid errs by under 2e-4 of its amplitude up to 0.4 of
// the sample rate, and by under 2e-3 at 0.45.
struct FractionalDelay {
  std::ptrdiff_t first = 0;
  std::vector<double> taps;
};
FractionalDelay fractional_delay(double delay, std::size_t taps = 81);

// Adds gain * sinc-delayed impulse to `out` (sample 0 is time 0); parts before 0 and past the end are dropped.
// Allocates nothing: the inner loop of image sources.
void add_delayed_impulse(std::span<double> out, double delay, double gain, std::size_t taps = 81) noexcept;

// x delayed by any number of samples (negative: advanced), the same length; what leaves at the ends is dropped.
std::vector<double> delay_signal(std::span<const double> x, double delay, std::size_t taps = 81);

}  // namespace thimble::dsp
