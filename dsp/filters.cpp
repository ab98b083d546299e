// Analogue Butterworth prototypes and the bilinear transform, as in any textbook of digital filters.
#include "dsp/filters.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/error.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr int kMaxOrder = 16;

void check_edge(double edge, int rate) {
  if (rate < 1 || !(edge > 0 && edge < rate / 2.0))
    fail(ErrorKind::bad_input, "a filter edge of {} Hz at {} Hz: wanted is above 0 and below half the rate", edge,
         rate);
}

void check_order(int order) {
  if (order < 1 || order > kMaxOrder)
    fail(ErrorKind::bad_input, "a filter of order {}, 1 to {} were wanted", order, kMaxOrder);
}

double prewarp(double frequency, int rate) { return std::tan(kPi * frequency / rate); }  // s = (z - 1) / (z + 1)

// Left half-plane poles of order n on the unit circle, upper half only; a real pole comes last.
std::vector<Complex> upper_poles(int order) {
  std::vector<Complex> poles;
  for (int k = 0; k < (order + 1) / 2; ++k) {
    const bool real = 2 * k + 1 == order;
    poles.push_back(real ? Complex{-1, 0} : std::polar(1.0, kPi * (2.0 * k + order + 1) / (2.0 * order)));
  }
  return poles;
}

// Two z-plane poles become a denominator; the numerator is (1 + n1 z^-1 + n2 z^-2), scaled to |H| = 1 at `reference`
// (radians a sample).
Biquad section(Complex pole_a, Complex pole_b, double n1, double n2, double reference) {
  Biquad s{1, n1, n2, -(pole_a + pole_b).real(), (pole_a * pole_b).real()};
  const Complex z1 = std::polar(1.0, -reference), z2 = z1 * z1;
  const double gain = std::abs((1.0 + s.a1 * z1 + s.a2 * z2) / (1.0 + n1 * z1 + n2 * z2));
  s.b0 *= gain;
  s.b1 *= gain;
  s.b2 *= gain;
  return s;
}

Complex bilinear(Complex s) { return (1.0 + s) / (1.0 - s); }

BiquadCascade low_or_high(int order, double edge, int rate, bool high) {
  check_order(order);
  check_edge(edge, rate);
  const double warped = prewarp(edge, rate);
  const double zero = high ? -1 : 1;  // coefficient of z^-1 in one numerator factor
  const double reference = high ? kPi : 0;
  std::vector<Biquad> sections;
  for (const Complex p : upper_poles(order)) {
    const Complex z = bilinear(high ? warped / p : warped * p);
    if (p.imag() == 0) {
      sections.push_back(section(z, 0, zero, 0, reference));
    } else {
      sections.push_back(section(z, std::conj(z), 2 * zero, 1, reference));
    }
  }
  return BiquadCascade(std::move(sections));
}

}  // namespace

BiquadCascade::BiquadCascade(std::vector<Biquad> sections)
    : sections_(std::move(sections)), states_(sections_.size()) {}

void BiquadCascade::reset() { std::fill(states_.begin(), states_.end(), State{}); }

void BiquadCascade::run(std::span<double> x) noexcept {
  for (std::size_t i = 0; i < sections_.size(); ++i) {
    const Biquad q = sections_[i];
    State s = states_[i];
    for (double& v : x) {
      const double in = v;
      v = q.b0 * in + s.s1;
      s.s1 = q.b1 * in - q.a1 * v + s.s2;
      s.s2 = q.b2 * in - q.a2 * v;
    }
    states_[i] = s;
  }
}

Complex BiquadCascade::response(double frequency, int rate) const {
  const Complex z1 = std::polar(1.0, -2 * kPi * frequency / rate), z2 = z1 * z1;
  Complex h = 1;
  for (const Biquad& q : sections_) h *= (q.b0 + q.b1 * z1 + q.b2 * z2) / (1.0 + q.a1 * z1 + q.a2 * z2);
  return h;
}

BiquadCascade butterworth_lowpass(int order, double edge, int rate) { return low_or_high(order, edge, rate, false); }
BiquadCascade butterworth_highpass(int order, double edge, int rate) { return low_or_high(order, edge, rate, true); }

BiquadCascade butterworth_bandpass(int order, double low, double high, int rate) {
  check_order(order);
  check_edge(low, rate);
  check_edge(high, rate);
  if (!(low < high)) fail(ErrorKind::bad_input, "a band from {} Hz to {} Hz", low, high);
  const double from = prewarp(low, rate), to = prewarp(high, rate);
  const double width = to - from, square = from * to;
  const double reference = 2 * std::atan(std::sqrt(square));
  std::vector<Biquad> sections;
  // s -> (s^2 + w^2) / (width s) makes two poles of one.
  for (const Complex p : upper_poles(order)) {
    const Complex middle = p * width / 2.0, apart = std::sqrt(middle * middle - square);
    const Complex a = bilinear(middle + apart), b = bilinear(middle - apart);
    if (p.imag() == 0) {
      sections.push_back(section(a, b, 0, -1, reference));
    } else {
      sections.push_back(section(a, std::conj(a), 0, -1, reference));
      sections.push_back(section(b, std::conj(b), 0, -1, reference));
    }
  }
  return BiquadCascade(std::move(sections));
}

Band band_at(BandWidth width, int index) {
  const double step = width == BandWidth::octave ? 0.3 : 0.1;  // in powers of ten
  return {1000 * std::pow(10, step * index), 1000 * std::pow(10, step * (index - 0.5)),
          1000 * std::pow(10, step * (index + 0.5))};
}

std::vector<Band> bands_between(BandWidth width, double from, double to) {
  if (!(from > 0.01 && from <= to && to < 1e7)) fail(ErrorKind::bad_input, "bands from {} Hz to {} Hz", from, to);
  constexpr double kNominal = 1.03;  // nominal centres (125, 8000) are rounded by up to 2.5 %
  std::vector<Band> bands;
  const double steps_per_decade = width == BandWidth::octave ? 1 / 0.3 : 10;
  for (int i = static_cast<int>(std::floor(std::log10(from / 1000) * steps_per_decade)) - 1;; ++i) {
    const Band band = band_at(width, i);
    if (band.centre > to * kNominal) return bands;
    if (band.centre * kNominal >= from) bands.push_back(band);
  }
}

BiquadCascade band_filter(const Band& band, int rate) { return butterworth_bandpass(3, band.low, band.high, rate); }

double a_weighting_db(double frequency) {
  // Pole frequencies of the standard's Annex E; the gain makes 1 kHz zero.
  const auto gain = [](double f) {
    constexpr double kF1 = 20.598997, kF2 = 107.65265, kF3 = 737.86223, kF4 = 12194.217;
    const double s = f * f;
    return kF4 * kF4 * s * s / ((s + kF1 * kF1) * std::sqrt((s + kF2 * kF2) * (s + kF3 * kF3)) * (s + kF4 * kF4));
  };
  return 20 * std::log10(gain(frequency) / gain(1000));
}

std::vector<double> a_weighted(std::span<const double> x, int rate) {
  if (rate < 1) fail(ErrorKind::bad_input, "A-weighting at {} Hz", rate);
  if (x.empty()) return {};
  // Room for the weighting's own ringing: its lowest poles decay within a tenth of a second.
  const std::size_t size = good_fft_size(x.size() + static_cast<std::size_t>(rate) / 4 + 1);
  auto bins = rfft(x, size);
  for (std::size_t k = 0; k < bins.size(); ++k)
    bins[k] *= std::pow(10, a_weighting_db(static_cast<double>(k) * rate / static_cast<double>(size)) / 20);
  auto y = irfft(bins, size);
  y.resize(x.size());
  return y;
}

OctaveBank::OctaveBank(std::vector<double> centres, int rate, Low low)
    : centres_(std::move(centres)), rate_(rate), low_(low) {
  if (centres_.empty()) fail(ErrorKind::bad_input, "a filter bank without bands");
  for (std::size_t b = 0; b < centres_.size(); ++b) {
    if (!(centres_[b] > 0 && centres_[b] <= rate / 2.0))
      fail(ErrorKind::bad_input, "a band centre of {} Hz at {} Hz: wanted is above 0 and up to half the rate",
           centres_[b], rate);
    if (b > 0 && !(centres_[b] > centres_[b - 1]))
      fail(ErrorKind::bad_input, "band centres must ascend, {} Hz comes after {} Hz", centres_[b], centres_[b - 1]);
  }
}

double OctaveBank::weight(std::size_t band, double frequency) const {
  // Rises from 0 at `from` to 1 at `to`.
  const auto slope = [&](double from, double to) {
    return 0.5 - 0.5 * std::cos(kPi * std::clamp((frequency - from) / (to - from), 0.0, 1.0));
  };
  const double centre = centres_[band];
  if (frequency < centre) {
    if (band > 0) return slope(centres_[band - 1], centre);
    return low_ == Low::shelf ? 1 : slope(centre / 2, centre);
  }
  return band + 1 == centres_.size() ? 1 : 1 - slope(centre, centres_[band + 1]);
}

std::vector<std::vector<double>> OctaveBank::split(std::span<const double> x) const {
  std::vector<std::vector<double>> out(bands(), std::vector<double>(x.size()));
  if (x.empty()) return out;
  const RealFft fft(good_fft_size(x.size() + static_cast<std::size_t>(rate_) / 4 + 1));
  auto scratch = fft.make_scratch();
  std::vector<double> block(fft.size());
  std::copy(x.begin(), x.end(), block.begin());
  std::vector<Complex> all(fft.bins()), part(fft.bins());
  fft.forward(block, all, scratch);
  for (std::size_t b = 0; b < bands(); ++b) {
    for (std::size_t k = 0; k < all.size(); ++k)
      part[k] = all[k] * weight(b, static_cast<double>(k) * rate_ / static_cast<double>(fft.size()));
    fft.inverse(part, block, scratch);
    std::copy_n(block.begin(), x.size(), out[b].begin());
  }
  return out;
}

std::vector<double> OctaveBank::impulse_response(std::span<const double> gains, std::size_t size) const {
  if (gains.size() != bands()) fail(ErrorKind::bad_input, "{} gains for {} bands", gains.size(), bands());
  std::vector<Complex> bins(size / 2 + 1);
  for (std::size_t k = 0; k < bins.size(); ++k)
    for (std::size_t b = 0; b < bands(); ++b)
      bins[k] += gains[b] * weight(b, static_cast<double>(k) * rate_ / static_cast<double>(size));
  std::vector<double> h = irfft(bins, size);
  std::rotate(h.begin(), h.end() - static_cast<std::ptrdiff_t>(size / 2), h.end());
  return h;
}

}  // namespace thimble::dsp
