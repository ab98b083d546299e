#include "voice/measure.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/error.h"
#include "dsp/beamform.h"

namespace thimble::voice {
namespace {

using dsp::Complex;
constexpr double kDegree = std::numbers::pi / 180;
constexpr double kNothing = -300;  // dB

std::size_t frame_samples(double seconds, int rate) {
  return std::max<std::size_t>(4, 2 * static_cast<std::size_t>(std::lround(seconds * rate / 2)));
}

int grid_size(double step_deg) { return std::max(24, static_cast<int>(std::lround(360 / step_deg))); }

dsp::FinderBand finder_band(const DirectionSettings& s, int rate) {
  return {s.low_hz, std::min(s.high_hz, 0.46 * rate)};
}

// w^H R w of one bin.
double quadratic(std::span<const Complex> r, std::span<const Complex> w) {
  double sum = 0;
  const std::size_t n = w.size();
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) sum += (std::conj(w[i]) * r[i * n + j] * w[j]).real();
  return sum;
}

double trace(std::span<const Complex> r, std::size_t n) {
  double sum = 0;
  for (std::size_t m = 0; m < n; ++m) sum += r[m * n + m].real();
  return sum;
}

}  // namespace

Covariances mean_covariances(const dsp::Spectrogram& frames, std::span<const std::size_t> chosen) {
  const std::size_t mics = frames.channels, bins = frames.bins;
  Covariances out{mics, std::vector<Complex>(bins * mics * mics)};
  if (chosen.empty()) return out;
  std::vector<Complex> sum(bins);
  for (std::size_t i = 0; i < mics; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      std::fill(sum.begin(), sum.end(), Complex{});
      for (const std::size_t t : chosen) {
        const auto a = frames.frame(i, t), b = frames.frame(j, t);
        for (std::size_t k = 0; k < bins; ++k) sum[k] += a[k] * std::conj(b[k]);
      }
      const double scale = 1.0 / static_cast<double>(chosen.size());
      for (std::size_t k = 0; k < bins; ++k) {
        out.at(k)[i * mics + j] = sum[k] * scale;
        out.at(k)[j * mics + i] = std::conj(sum[k]) * scale;
      }
    }
  }
  return out;
}

BinRange bins_between(double low, double high, int rate, std::size_t fft_size) {
  const double width = static_cast<double>(rate) / static_cast<double>(fft_size);
  const std::size_t end = fft_size / 2;  // rate/2 itself is left out
  const auto bin = [&](double f) { return std::min(end, static_cast<std::size_t>(std::ceil(f / width))); };
  return {bin(low), bin(high)};
}

double frame_level_db(std::span<const Complex> spectra, std::size_t mics, int rate, std::size_t fft_size) {
  const BinRange range = bins_between(200, 4000, rate, fft_size);
  const std::size_t bins = spectra.size() / mics;
  double power = 0;
  for (std::size_t m = 0; m < mics; ++m)
    for (std::size_t k = range.first; k < range.end; ++k) power += std::norm(spectra[m * bins + k]);
  power /= static_cast<double>(mics * fft_size);
  return power > 1e-30 ? 10 * std::log10(power) : kNothing;
}

FrameChoice choose_frames(std::span<const double> levels, const Settings& settings) {
  constexpr double kMargin = 3;  // dB between noise and what counts as speech
  FrameChoice choice;
  std::vector<double> sorted;
  for (const double level : levels)
    if (level > kNothing) sorted.push_back(level);
  if (sorted.empty()) return choice;
  std::sort(sorted.begin(), sorted.end());
  const double peak = sorted[(sorted.size() - 1) * 98 / 100], quiet = sorted[(sorted.size() - 1) * 5 / 100];
  choice.noise_known = peak - quiet > 2 * kMargin;
  const double gate = std::max(peak - settings.activity.range_db, choice.noise_known ? quiet + kMargin : kNothing);
  for (std::size_t t = 0; t < levels.size(); ++t) {
    if (levels[t] > gate) choice.active.push_back(t);
    if (choice.noise_known && levels[t] > kNothing && levels[t] <= quiet + 1) choice.noise.push_back(t);
  }
  // By how much each active frame rises over the two before it.
  std::vector<std::pair<double, std::size_t>> rises;
  for (const std::size_t t : choice.active) {
    const double before = t == 0 ? levels[t] : t == 1 ? levels[0] : std::max(levels[t - 1], levels[t - 2]);
    rises.emplace_back(before - levels[t], t);
  }
  std::stable_sort(rises.begin(), rises.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  constexpr std::size_t kLeast = 8;
  const auto share = static_cast<std::size_t>(settings.direction.onset_share * static_cast<double>(rises.size()));
  rises.resize(std::min(rises.size(), std::max(kLeast, share)));
  for (const auto& rise : rises) choice.rising.push_back(rise.second);
  return choice;
}

double plane_wave_power(std::span<const Complex> r, std::span<const Complex> a, std::span<const Complex> diffuse) {
  const std::size_t n = a.size();
  const double waves = static_cast<double>(n * n), cross = quadratic(diffuse, a), wave_r = quadratic(r, a);
  double fields = 0, field_r = 0;
  for (std::size_t i = 0; i < n * n; ++i) {
    fields += std::norm(diffuse[i]);
    field_r += (std::conj(diffuse[i]) * r[i]).real();
  }
  const double det = waves * fields - cross * cross;
  double wave = wave_r / waves;
  // Where microphones stand close for the wavelength both parts look alike, and the system says nothing.
  if (det > 1e-6 * waves * fields) {
    const double field = (waves * field_r - cross * wave_r) / det;
    if (field > 0) wave = (fields * wave_r - cross * field_r) / det;
  }
  return std::max(0.0, wave);
}

Meter::Meter(dsp::MicArray array, int rate, const Settings& settings)
    : array_(std::move(array)),
      rate_(rate),
      settings_(settings),
      stft_(frame_samples(settings.activity.frame_seconds, rate),
            std::max<std::size_t>(1, frame_samples(settings.activity.hop_seconds * 2, rate) / 2)),
      finder_(array_, rate, stft_.size(), dsp::DirectionGrid::circle(grid_size(settings.direction.step_deg)),
              finder_band(settings.direction, rate)) {
  const std::size_t pairs = array_.size() * array_.size();
  fields_.resize(stft_.bins() * pairs);
  for (std::size_t k = 0; k < stft_.bins(); ++k)
    dsp::diffuse_coherence(array_, static_cast<double>(k) * rate_ / static_cast<double>(stft_.size()),
                           std::span(fields_).subspan(k * pairs, pairs));
  const dsp::Vec3 along = array_.mics.back() - array_.mics.front();
  axis_ = std::atan2(along.y, along.x);
  line_ = std::all_of(array_.mics.begin(), array_.mics.end(), [&](const dsp::Vec3& m) {
    const dsp::Vec3 d = m - array_.mics.front();
    return std::abs(d.x * along.y - d.y * along.x) < 1e-6;
  });
}

std::vector<dsp::DirectionPeak> Meter::peaks(std::size_t count) {
  std::vector<dsp::DirectionPeak> found = finder_.peaks(line_ ? 4 * count : count);
  if (line_) {  // a line cannot tell its two sides apart: the voice is taken to be ahead (+x)
    std::vector<dsp::DirectionPeak> front;
    for (dsp::DirectionPeak& p : found) {
      const double mirrored = 2 * axis_ - p.direction.azimuth;
      if (std::cos(p.direction.azimuth) < std::cos(mirrored)) p.direction.azimuth = dsp::wrap_angle(mirrored);
      const bool known = std::any_of(front.begin(), front.end(), [&](const dsp::DirectionPeak& q) {
        return std::abs(dsp::wrap_angle(q.direction.azimuth - p.direction.azimuth)) < 3 * finder_.grid().step();
      });
      if (!known && front.size() < count) front.push_back(p);
    }
    found = std::move(front);
  }
  for (dsp::DirectionPeak& p : found) p.direction.azimuth = dsp::wrap_angle(p.direction.azimuth);
  return found;
}

// The height at which the array, steered to this azimuth, finds the coherent part of the sound most in phase.
double Meter::refine_elevation(const Covariances& speech, double azimuth) const {
  const double top = settings_.direction.elevation_max_deg;
  constexpr double kStep = 5;
  const std::size_t mics = array_.size();
  std::vector<double> values;
  std::vector<Complex> a(mics);
  for (double elevation = 0; elevation <= top; elevation += kStep) {
    double value = 0;
    for (std::size_t b = 0; b < finder_.band_bins(); b += 2) {
      dsp::steering_vector(array_, {azimuth, elevation * kDegree}, finder_.frequency(b), a);
      const auto r = speech.at(finder_.first_bin() + b);
      for (std::size_t i = 0; i < mics; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
          const double scale = std::sqrt(r[i * mics + i].real() * r[j * mics + j].real());
          if (scale > 0) value += (std::conj(a[i]) * r[i * mics + j] * a[j]).real() / scale;
        }
      }
    }
    values.push_back(value);
  }
  const auto best = static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  double at = static_cast<double>(best);
  if (best > 0 && best + 1 < values.size()) {
    const double left = values[best - 1], right = values[best + 1], curve = left - 2 * values[best] + right;
    if (curve < 0) at += 0.5 * (left - right) / curve;
  }
  return at * kStep * kDegree;
}

void Meter::fill_powers(const Covariances& speech, const Covariances& noise, const dsp::Direction& d,
                        Observation& out) const {
  const std::size_t mics = array_.size(), size = stft_.size();
  double window = 0;
  for (const double w : dsp::hann_window(size)) window += w * w;
  const double scale = 2 / (static_cast<double>(size) * window);  // |X|^2 of one bin to a mean square
  std::vector<Complex> a(mics), w(mics);
  double low = 0, high = 0;
  const auto frequency = [&](std::size_t k) { return static_cast<double>(k) * rate_ / static_cast<double>(size); };

  const BinRange ratio = bins_between(100, std::min(8000.0, 0.48 * rate_), rate_, size);
  for (std::size_t k = ratio.first; k < ratio.end; ++k) {
    const double power = std::max(0.0, trace(speech.at(k), mics));
    (frequency(k) < 1000 ? low : high) += power;
  }
  out.band_ratio_db = 10 * std::log10((high + 1e-20) / (low + 1e-20));

  out.heard = 0;
  for (std::size_t b = 0; b < kBands; ++b) {
    double raw = 0, beam = 0, coherent = 0, background = 0, passed = 0, bins = 0;
    if (kBandEdges[b + 1] <= 0.48 * rate_) {
      const BinRange range = bins_between(kBandEdges[b], kBandEdges[b + 1], rate_, size);
      for (std::size_t k = range.first; k < range.end; ++k) {
        dsp::steering_vector(array_, d, frequency(k), a);
        const auto field = std::span(fields_).subspan(k * mics * mics, mics * mics);
        if (settings_.power.superdirective)
          dsp::mvdr_weights(field, a, settings_.power.loading, w);
        else
          dsp::delay_and_sum_weights(a, w);
        raw += trace(speech.at(k), mics) / static_cast<double>(mics);
        background += trace(noise.at(k), mics) / static_cast<double>(mics);
        beam += quadratic(speech.at(k), w);
        coherent += plane_wave_power(speech.at(k), a, field);
        passed += quadratic(field, w);
        bins += 1;
      }
    }
    out.raw[b] = std::max(0.0, raw) * scale;
    out.beam[b] = std::max(0.0, beam) * scale;
    out.coherent[b] = coherent * scale;
    out.noise[b] = background * scale;
    out.beam_diffuse[b] = bins > 0 ? std::clamp(passed / bins, 1e-3, 1.0) : 1.0;
    const double least = std::max(out.noise[b] * std::pow(10.0, settings_.power.min_snr_db / 10), 1e-16);
    if (out.raw[b] > least && out.beam[b] > 0) out.heard |= 1u << b;
  }
}

Observation Meter::measure(const dsp::Spectrogram& frames, std::span<const double> levels,
                           std::span<const std::span<const double>> samples) {
  const FrameChoice choice = choose_frames(levels, settings_);
  Observation out;
  out.active_seconds = static_cast<double>(choice.active.size()) * hop_seconds();
  if (out.active_seconds < settings_.activity.min_seconds)
    fail(ErrorKind::bad_input, "{:.2f} s of speech; at least {:.2f} s are needed", out.active_seconds,
         settings_.activity.min_seconds);
  out.noise_known = choice.noise_known;

  Covariances speech = mean_covariances(frames, choice.active);
  const Covariances noise = mean_covariances(frames, choice.noise);
  for (std::size_t i = 0; i < speech.data.size(); ++i) speech.data[i] -= noise.data[i];

  finder_.reset();
  for (const std::size_t t : choice.rising) finder_.add(frames, t);
  const std::vector<dsp::DirectionPeak> found = peaks(2);
  dsp::Direction d = found.front().direction;
  if (settings_.direction.elevation_max_deg > 0) {
    d.elevation = refine_elevation(speech, d.azimuth);
    out.elevation = d.elevation;
  }
  out.azimuth = d.azimuth;
  out.steered_coherence = std::clamp(found.front().value, 0.0, 1.0);
  out.peak_ratio = std::clamp(dsp::peak_ratio(found), 1.0, 100.0);
  // A second peak of half the height, or none, is full confidence; so is no less than a fifth of all phases in line.
  constexpr double kClearCoherence = 0.2;
  out.confidence = std::clamp(2 * (1 - 1 / out.peak_ratio), 0.0, 1.0) *
                   std::clamp(out.steered_coherence / kClearCoherence, 0.0, 1.0);
  fill_powers(speech, noise, d, out);
  if (!samples.empty()) out.onset = onset_powers(samples, array_, rate_, d, out.noise, settings_.power);
  return out;
}

}  // namespace thimble::voice
