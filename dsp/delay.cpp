#include "dsp/delay.h"

#include <cmath>
#include <numbers>

#include "base/error.h"
#include "dsp/convolve.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;

// Calls use(offset, tap) for offset 0..taps-1; tap `offset` belongs to sample round(delay) - taps/2 + offset.
// sin(pi (t - delay)) only changes sign from sample to sample, and the window's cosine turns by a fixed angle.
template <class Use>
void for_taps(double delay, std::size_t taps, Use&& use) {
  const double nearest = std::round(delay), half = static_cast<double>(taps / 2);
  const double step = 2 * kPi / (2 * half + 2);
  double x = nearest - half - delay;  // time from the delay's own place, in samples
  double sine = std::sin(kPi * x);
  double c = std::cos(step * x), s = std::sin(step * x);
  const double turn_c = std::cos(step), turn_s = std::sin(step);
  for (std::size_t i = 0; i < taps; ++i) {
    const double ideal = std::abs(x) < 1e-9 ? 1.0 : sine / (kPi * x);
    use(i, ideal * (0.5 + 0.5 * c));
    const double turned = c * turn_c - s * turn_s;
    s = s * turn_c + c * turn_s;
    c = turned;
    sine = -sine;
    x += 1;
  }
}

}  // namespace

double sinc(double x) { return std::abs(x) < 1e-9 ? 1.0 : std::sin(kPi * x) / (kPi * x); }

FractionalDelay fractional_delay(double delay, std::size_t taps) {
  if (!std::isfinite(delay) || std::abs(delay) > 1e9 || taps % 2 == 0)
    fail(ErrorKind::bad_input, "a delay of {} samples with {} taps: wanted are a finite delay and an odd count", delay,
         taps);
  FractionalDelay out{std::lround(delay) - static_cast<std::ptrdiff_t>(taps / 2), std::vector<double>(taps)};
  for_taps(delay, taps, [&](std::size_t i, double tap) { out.taps[i] = tap; });
  return out;
}

void add_delayed_impulse(std::span<double> out, double delay, double gain, std::size_t taps) noexcept {
  const auto length = static_cast<double>(out.size()), half = static_cast<double>(taps / 2 + 1);
  if (!(delay > -half && delay < length + half)) return;
  const std::ptrdiff_t first = std::lround(delay) - static_cast<std::ptrdiff_t>(taps / 2);
  for_taps(delay, taps, [&](std::size_t i, double tap) {
    const std::ptrdiff_t at = first + static_cast<std::ptrdiff_t>(i);
    if (at >= 0 && at < static_cast<std::ptrdiff_t>(out.size())) out[static_cast<std::size_t>(at)] += gain * tap;
  });
}

std::vector<double> delay_signal(std::span<const double> x, double delay, std::size_t taps) {
  const FractionalDelay d = fractional_delay(delay, taps);
  const std::vector<double> all = convolve(x, d.taps);
  std::vector<double> y(x.size());
  for (std::size_t t = 0; t < y.size(); ++t) {
    const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(t) - d.first;
    if (from >= 0 && from < static_cast<std::ptrdiff_t>(all.size())) y[t] = all[static_cast<std::size_t>(from)];
  }
  return y;
}

}  // namespace thimble::dsp
