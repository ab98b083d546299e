#include "dsp/gcc_phat.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace thimble::dsp {
namespace {

// Long enough that a delayed signal does not come in again at the other end.
std::size_t transform_size(std::size_t length, const GccOptions& o) {
  if (length < 2 || !(o.max_delay >= 1 && o.max_delay < static_cast<double>(length)) || o.upsample < 1 ||
      o.upsample > 64 || !(o.low >= 0 && o.low < o.high && o.high <= 0.5)) {
    fail(ErrorKind::bad_input,
         "a delay between signals of {} samples, up to {} samples, {} lags a sample, band {} to {}: wanted are a delay "
         "of 1 "
         "to the length, 1 to 64 lags, and a band inside 0 to 0.5",
         length, o.max_delay, o.upsample, o.low, o.high);
  }
  return good_fft_size((length + static_cast<std::size_t>(std::ceil(o.max_delay)) + 1) / 2) * 2;
}

}  // namespace

GccPhat::GccPhat(std::size_t length, GccOptions options)
    : length_(length),
      options_(options),
      forward_(transform_size(length, options)),
      inverse_(forward_.size() * static_cast<std::size_t>(options.upsample)),
      a_(forward_.bins()),
      b_(forward_.bins()),
      padded_(inverse_.bins()),
      scratch_(std::max(forward_.scratch_size(), inverse_.scratch_size())),
      block_(forward_.size()),
      lags_(inverse_.size()),
      reach_(static_cast<std::ptrdiff_t>(std::ceil(options.max_delay)) * options.upsample) {
  correlation_.resize(static_cast<std::size_t>(2 * reach_ + 1));
  const auto n = static_cast<double>(forward_.size());
  first_bin_ = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(options.low * n)));
  end_bin_ = std::min(forward_.size() / 2, static_cast<std::size_t>(std::floor(options.high * n)) + 1);
  if (first_bin_ >= end_bin_)
    fail(ErrorKind::bad_input, "no frequency of {} points lies from {} to {} of the rate", forward_.size(), options.low,
         options.high);
}

double GccPhat::lag(std::size_t i) const {
  return static_cast<double>(static_cast<std::ptrdiff_t>(i) - reach_) / options_.upsample;
}

GccPeak GccPhat::estimate(std::span<const double> x, std::span<const double> y) {
  if (x.size() != length_ || y.size() != length_)
    fail(ErrorKind::bad_input, "signals of {} and {} samples, {} were wanted", x.size(), y.size(), length_);
  const auto transform = [&](std::span<const double> in, std::vector<Complex>& out) {
    std::copy(in.begin(), in.end(), block_.begin());
    std::fill(block_.begin() + static_cast<std::ptrdiff_t>(length_), block_.end(), 0.0);
    forward_.forward(block_, out, scratch_);
  };
  transform(x, a_);
  transform(y, b_);
  std::fill(padded_.begin(), padded_.end(), Complex{});
  constexpr double kNothing = 1e-14;
  std::size_t used = 0;
  for (std::size_t k = first_bin_; k < end_bin_; ++k) {
    const Complex cross = std::conj(a_[k]) * b_[k];
    const double size = std::sqrt(std::norm(cross));
    if (!std::isfinite(size)) fail(ErrorKind::bad_input, "a signal with NaN or infinite samples has no delay");
    if (size <= kNothing * kNothing) continue;
    padded_[k] = cross / size;
    ++used;
  }
  if (used == 0) fail(ErrorKind::bad_input, "silence has no delay: no frequency of the band is in both signals");
  // Every used bin counts twice (its conjugate), and the inverse transform divides by its size.
  const double scale = static_cast<double>(inverse_.size()) / (2.0 * static_cast<double>(used));
  for (std::size_t k = first_bin_; k < end_bin_; ++k) padded_[k] *= scale;
  inverse_.inverse(padded_, lags_, scratch_);
  for (std::ptrdiff_t i = -reach_; i <= reach_; ++i) {
    const std::ptrdiff_t at = i < 0 ? i + static_cast<std::ptrdiff_t>(inverse_.size()) : i;
    correlation_[static_cast<std::size_t>(i + reach_)] = lags_[static_cast<std::size_t>(at)];
  }
  const auto top = std::max_element(correlation_.begin(), correlation_.end());
  GccPeak peak{lag(static_cast<std::size_t>(top - correlation_.begin())), *top};
  peak.delay = refine(peak.delay);
  double sum = 0;
  const double turn = 2 * std::numbers::pi * peak.delay / static_cast<double>(forward_.size());
  for (std::size_t k = first_bin_; k < end_bin_; ++k)
    sum += (padded_[k] * std::polar(1.0, turn * static_cast<double>(k))).real();
  peak.value = 2 * sum / static_cast<double>(inverse_.size());
  return peak;
}

// Newton's steps on the correlation itself, a trigonometric sum, to its maximum between two lags.
double GccPhat::refine(double delay) const {
  const double start = delay, step_limit = 1.0 / options_.upsample;
  const double unit = 2 * std::numbers::pi / static_cast<double>(forward_.size());
  for (int round = 0; round < 4; ++round) {
    double slope = 0, bend = 0;
    for (std::size_t k = first_bin_; k < end_bin_; ++k) {
      const double w = unit * static_cast<double>(k);
      const Complex v = padded_[k] * std::polar(1.0, w * delay);
      slope -= w * v.imag();
      bend -= w * w * v.real();
    }
    if (!(bend < 0)) return start;
    delay -= slope / bend;
    if (!(std::abs(delay - start) <= step_limit)) return start;
  }
  return delay;
}

}  // namespace thimble::dsp
