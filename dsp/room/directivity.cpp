#include "dsp/room/directivity.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/error.h"

namespace thimble::dsp::room {
namespace {

bool ascending(const std::vector<double>& v) {
  for (std::size_t i = 1; i < v.size(); ++i) {
    if (!(v[i] > v[i - 1])) return false;
  }
  return true;
}

// Slope at the first of three points, kept from turning the curve (one-sided three-point formula).
double end_slope(double h0, double h1, double d0, double d1) {
  const double slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
  if (slope * d0 <= 0) return 0;
  if (d0 * d1 <= 0 && std::abs(slope) > 3 * std::abs(d0)) return 3 * d0;
  return slope;
}

std::vector<double> monotone_slopes(std::span<const double> x, std::span<const double> y) {
  const std::size_t n = x.size();
  std::vector<double> h(n - 1), d(n - 1), slopes(n);
  for (std::size_t i = 0; i + 1 < n; ++i) {
    h[i] = x[i + 1] - x[i];
    d[i] = (y[i + 1] - y[i]) / h[i];
  }
  if (n == 2) return {d[0], d[0]};
  slopes.front() = end_slope(h[0], h[1], d[0], d[1]);
  slopes.back() = end_slope(h[n - 2], h[n - 3], d[n - 2], d[n - 3]);
  for (std::size_t i = 1; i + 1 < n; ++i) {
    if (d[i - 1] * d[i] <= 0) continue;
    const double w1 = 2 * h[i] + h[i - 1], w2 = h[i] + 2 * h[i - 1];
    slopes[i] = (w1 + w2) / (w1 / d[i - 1] + w2 / d[i]);
  }
  return slopes;
}

}  // namespace

PatternTable::PatternTable(std::vector<double> angles, std::vector<double> frequencies, std::vector<double> gains_db)
    : angles_(std::move(angles)), frequencies_(std::move(frequencies)), gains_(std::move(gains_db)) {
  const std::size_t n = angles_.size();
  if (n < 2 || !ascending(angles_) || !(angles_.front() >= 0 && angles_.back() <= 180))
    fail(ErrorKind::bad_input, "directivity: a table wants two or more ascending angles in 0..180 degrees");
  if (frequencies_.empty() || !ascending(frequencies_) || !(frequencies_.front() > 0 && frequencies_.back() < 1e6))
    fail(ErrorKind::bad_input, "directivity: a table wants ascending frequencies in Hz, above 0 and under 1e6");
  if (gains_.size() != n * frequencies_.size())
    fail(ErrorKind::bad_input, "directivity: {} gains for {} frequencies by {} angles", gains_.size(),
         frequencies_.size(), n);
  for (const double g : gains_) {
    if (!(g >= -200 && g <= 60)) fail(ErrorKind::bad_input, "directivity: a gain of {} dB is outside -200..60", g);
  }
  for (std::size_t f = 0; f < frequencies_.size(); ++f) {
    const auto slopes = monotone_slopes(angles_, std::span(gains_).subspan(f * n, n));
    slopes_.insert(slopes_.end(), slopes.begin(), slopes.end());
  }
}

double PatternTable::row_db(std::size_t row, double angle) const {
  const std::size_t n = angles_.size();
  const double* y = gains_.data() + row * n;
  const double* m = slopes_.data() + row * n;
  if (angle <= angles_.front()) return y[0];
  if (angle >= angles_.back()) return y[n - 1];
  const auto i =
      static_cast<std::size_t>(std::upper_bound(angles_.begin(), angles_.end(), angle) - angles_.begin()) - 1;
  const double h = angles_[i + 1] - angles_[i], t = (angle - angles_[i]) / h, u = 1 - t;
  return u * u * ((1 + 2 * t) * y[i] + t * h * m[i]) + t * t * ((1 + 2 * u) * y[i + 1] - u * h * m[i + 1]);
}

double PatternTable::gain_db(double angle, double frequency) const {
  if (frequency <= frequencies_.front()) return row_db(0, angle);
  if (frequency >= frequencies_.back()) return row_db(frequencies_.size() - 1, angle);
  const auto i = static_cast<std::size_t>(std::upper_bound(frequencies_.begin(), frequencies_.end(), frequency) -
                                          frequencies_.begin() - 1);
  const double t = std::log(frequency / frequencies_[i]) / std::log(frequencies_[i + 1] / frequencies_[i]);
  const double low = row_db(i, angle);
  return t == 0 ? low : low + t * (row_db(i + 1, angle) - low);
}

double PatternTable::band_gain_db(double angle, double low, double centre, double high) const {
  double power = 0;
  int inside = 0;
  for (std::size_t f = 0; f < frequencies_.size(); ++f) {
    if (frequencies_[f] < low || frequencies_[f] >= high) continue;
    power += std::pow(10, row_db(f, angle) / 10);
    ++inside;
  }
  return inside >= 2 ? 10 * std::log10(power / inside) : gain_db(angle, centre);
}

Directivity Directivity::cardioid_family(double p) {
  if (!(p >= 0 && p <= 1)) fail(ErrorKind::bad_input, "directivity: a cardioid's p of {} is outside [0, 1]", p);
  Directivity out;
  out.p_ = p;
  return out;
}

Directivity Directivity::table(std::shared_ptr<const PatternTable> table) {
  if (!table) fail(ErrorKind::bad_input, "directivity: a table pattern without a table");
  Directivity out;
  out.table_ = std::move(table);
  return out;
}

double Directivity::gain(double angle_degrees, double frequency) const {
  if (table_) return std::pow(10, table_->gain_db(angle_degrees, frequency) / 20);
  return p_ + (1 - p_) * std::cos(angle_degrees * std::numbers::pi / 180);
}

double Directivity::mean_power(double frequency) const {
  constexpr int kSteps = 720;  // Simpson's rule over the half circle
  double sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double angle = 180.0 * i / kSteps, g = gain(angle, frequency);
    sum += (i == 0 || i == kSteps ? 1 : i % 2 ? 4 : 2) * g * g * std::sin(angle * std::numbers::pi / 180);
  }
  return sum * std::numbers::pi / kSteps / 6;
}

Directivity directivity_by_name(std::string_view name) {
  if (name == "omni") return {};
  if (name == "figure8") return Directivity::figure_of_eight();
  if (name == "hypercardioid") return Directivity::hypercardioid();
  if (name == "cardioid") return Directivity::cardioid();
  if (name == "subcardioid") return Directivity::subcardioid();
  if (name == "voice") return Directivity::voice();
  if (name == "voice-thirds") return Directivity::voice_third_octaves();
  fail(ErrorKind::bad_input,
       "directivity: '{}' is not known; there are omni figure8 hypercardioid cardioid subcardioid voice voice-thirds",
       name);
}

}  // namespace thimble::dsp::room
