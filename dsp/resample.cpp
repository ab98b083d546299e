// Kaiser's window and its design formulas: J. Kaiser, "Nonrecursive digital filter design using the I0-sinh window"
// (1974).
#include "dsp/resample.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/error.h"
#include "dsp/delay.h"

namespace thimble::dsp {
namespace {

constexpr int kMaxRate = 10'000'000;
constexpr std::size_t kMaxTaps = std::size_t{1} << 24;
constexpr double kAttenuation = 106;  // dB; the ripple of a Kaiser filter comes out a little above its design
constexpr double kPass = 0.9;         // of the lower rate's half; the stop band begins at 1

double kaiser(double x, double beta) {  // x in -1..1
  return std::cyl_bessel_i(0.0, beta * std::sqrt(std::max(0.0, 1 - x * x))) / std::cyl_bessel_i(0.0, beta);
}

}  // namespace

Resampler::Resampler(int from, int to) {
  if (from < 1 || to < 1 || from > kMaxRate || to > kMaxRate)
    fail(ErrorKind::bad_input, "resampling from {} Hz to {} Hz: rates of 1 to {} Hz were wanted", from, to, kMaxRate);
  const int common = std::gcd(from, to);
  up_ = static_cast<std::size_t>(to / common);
  down_ = static_cast<std::size_t>(from / common);
  if (up_ == down_) return;
  // All in input samples: the cut lies in the middle of the transition; shrink < 1 when the rate falls.
  const double shrink = std::min(1.0, static_cast<double>(to) / from);
  const double cut = shrink * (1 + kPass) / 2;
  const double beta = 0.1102 * (kAttenuation - 8.7);
  const double half = (kAttenuation - 7.95) / (2.285 * std::numbers::pi * (1 - kPass) * shrink) / 2;
  reach_ = static_cast<std::ptrdiff_t>(std::ceil(half));
  const auto taps = static_cast<std::size_t>(2 * reach_ + 1);
  if (taps * up_ > kMaxTaps) {
    fail(ErrorKind::unsupported,
         "resampling from {} Hz to {} Hz needs a filter of {} taps, the limit is {}; take rates with a simpler ratio",
         from, to, taps * up_, kMaxTaps);
  }
  phases_.resize(taps * up_);
  for (std::size_t p = 0; p < up_; ++p) {
    const double place = static_cast<double>(p) / static_cast<double>(up_);  // of the output after its input sample
    double sum = 0;
    for (std::size_t i = 0; i < taps; ++i) {
      const double t = static_cast<double>(static_cast<std::ptrdiff_t>(i) - reach_) - place;
      double& tap = phases_[p * taps + i];
      tap = std::abs(t) > half ? 0.0 : sinc(cut * t) * kaiser(t / half, beta);
      sum += tap;
    }
    for (std::size_t i = 0; i < taps; ++i) phases_[p * taps + i] /= sum;  // a constant stays exactly constant
  }
}

std::size_t Resampler::length_for(std::size_t samples) const { return (samples * up_ + down_ - 1) / down_; }

std::vector<double> Resampler::run(std::span<const double> x) const {
  if (up_ == down_) return {x.begin(), x.end()};
  std::vector<double> y(length_for(x.size()));
  const std::ptrdiff_t taps = 2 * reach_ + 1, length = static_cast<std::ptrdiff_t>(x.size());
  for (std::size_t n = 0; n < y.size(); ++n) {
    const std::size_t fine = n * down_;
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(fine / up_) - reach_;
    const double* h = phases_.data() + (fine % up_) * static_cast<std::size_t>(taps);
    const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(0, -first), end = std::min(taps, length - first);
    double sum = 0;
    for (std::ptrdiff_t i = begin; i < end; ++i) sum += h[i] * x[static_cast<std::size_t>(first + i)];
    y[n] = sum;
  }
  return y;
}

Signal resample(const Signal& signal, int rate) {
  check_signal(signal, {}, "resampling");
  const Resampler resampler(signal.rate, rate);
  Signal out{rate, {}};
  for (const auto& x : signal.channels) out.channels.push_back(resampler.run(x));
  return out;
}

}  // namespace thimble::dsp
