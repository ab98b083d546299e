// Estimator C: the first part of a sound that starts after a pause holds the direct path and at most a few echoes.
// Their directions are found one after another (each time cancelling those known), and the direct path's power is what
// a least-squares split over all of them leaves it: in the manner of align-and-cancel (VoLoc, AoA factorisation).
#include <algorithm>
#include <cmath>
#include <numbers>

#include "dsp/hermitian.h"
#include "voice/measure.h"

namespace thimble::voice {
namespace {

using dsp::Complex;

// Starts of short frames that rise after a pause, in samples; at most `most`.
std::vector<std::size_t> find_onsets(std::span<const std::span<const double>> samples, int rate, std::size_t frame,
                                     double rise_db) {
  const std::size_t length = samples.front().size(), hop = std::max<std::size_t>(1, frame / 4);
  std::vector<double> level;  // mean square over microphones of the samples' differences: weighs high frequencies up
  for (std::size_t t = 0; t + frame <= length; t += hop) {
    double sum = 0;
    for (const auto& x : samples)
      for (std::size_t i = t + 1; i < t + frame; ++i) sum += (x[i] - x[i - 1]) * (x[i] - x[i - 1]);
    level.push_back(sum);
  }
  std::vector<std::size_t> onsets;
  if (level.empty()) return onsets;
  const double floor = 1e-3 * *std::max_element(level.begin(), level.end());  // 30 dB under the loudest
  const auto back = std::max<std::size_t>(8, static_cast<std::size_t>(0.03 * rate) / hop);
  const double rise = std::pow(10.0, rise_db / 10);
  for (std::size_t t = back; t < level.size(); ++t) {
    if (level[t] < floor) continue;
    double before = 0;  // the loudest of the 30 ms before, but for the frames that overlap this one
    for (std::size_t p = t - back; p + 4 <= t; ++p) before = std::max(before, level[p]);
    if (level[t] < rise * before) continue;
    // The sound began in the last quarter of that frame; half a frame later it begins before the middle of the window.
    const std::size_t start = t * hop + frame / 2;
    if (start + frame <= length) onsets.push_back(start);
    t += back;  // what follows is this sound, not a new one
  }
  return onsets;
}

// Direct power of one bin: the first diagonal element of (A^H A + e I)^-1 A^H R A (A^H A + e I)^-1.
double first_path_power(std::span<const Complex> r, const std::vector<std::vector<Complex>>& paths) {
  const std::size_t k = paths.size(), n = paths[0].size();
  constexpr double kLoading = 0.05;  // of the microphones: keeps echoes from next to the direct path from taking it
  std::vector<Complex> gram(k * k), first(k);
  for (std::size_t i = 0; i < k; ++i) {
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t m = 0; m < n; ++m) gram[i * k + j] += std::conj(paths[i][m]) * paths[j][m];
    if (i > 0) gram[i * k + i] += kLoading * static_cast<double>(n);
  }
  first[0] = 1;
  const std::vector<Complex> row = dsp::hermitian_solve(gram, first);
  std::vector<Complex> w(n);  // weights that pass the direct path and cancel the others
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t m = 0; m < n; ++m) w[m] += row[i] * paths[i][m];
  Complex gain = 0;
  for (std::size_t m = 0; m < n; ++m) gain += std::conj(w[m]) * paths[0][m];
  double power = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) power += (std::conj(w[i]) * r[i * n + j] * w[j]).real();
  return std::max(0.0, power / std::norm(gain));
}

// Takes the component along `axis` (length 1, or 0: nothing) out of x.
void take_out(std::span<const Complex> axis, std::span<Complex> x) {
  Complex inner = 0;
  for (std::size_t m = 0; m < x.size(); ++m) inner += std::conj(axis[m]) * x[m];
  for (std::size_t m = 0; m < x.size(); ++m) x[m] -= inner * axis[m];
}

}  // namespace

BandPowers onset_powers(std::span<const std::span<const double>> samples, const dsp::MicArray& array, int rate,
                        const dsp::Direction& direct, const BandPowers& noise, const PowerSettings& settings) {
  BandPowers out{};
  // Twice the wanted time under a Hann window: its middle half carries the power.
  const std::size_t size = 2 * std::max<std::size_t>(8, static_cast<std::size_t>(settings.onset_seconds * rate));
  const std::vector<std::size_t> onsets = find_onsets(samples, rate, size, settings.onset_rise_db);
  if (onsets.empty()) return out;

  const std::size_t mics = array.size();
  const dsp::Stft stft(size, size / 2);
  dsp::Spectrogram frames(mics, onsets.size(), stft.bins());
  auto scratch = stft.make_scratch();
  std::vector<std::size_t> all;
  for (std::size_t t = 0; t < onsets.size(); ++t) {
    for (std::size_t m = 0; m < mics; ++m) stft.frame(samples[m].subspan(onsets[t], size), frames.frame(m, t), scratch);
    all.push_back(t);
  }
  const Covariances r = mean_covariances(frames, all);
  const auto frequency = [&](std::size_t k) { return static_cast<double>(k) * rate / static_cast<double>(size); };

  // Echo directions: where the sound that the known paths do not explain is strongest, each bin whitened.
  constexpr std::size_t kGrid = 72, kBinStep = 2;
  const auto grid_direction = [](std::size_t g) {
    return dsp::Direction{2 * std::numbers::pi * static_cast<double>(g) / kGrid, 0};
  };
  const int echoes = std::clamp(static_cast<int>(mics) - 2, 0, settings.echoes);
  std::vector<dsp::Direction> paths = {direct};
  const BinRange range = bins_between(500, std::min(6000.0, 0.46 * rate), rate, size);
  std::vector<std::vector<Complex>> candidates;  // by bin: (grid, M), known paths projected out
  std::vector<Complex> a(mics);
  for (std::size_t k = range.first; k < range.end && echoes > 0; k += kBinStep) {
    candidates.emplace_back(kGrid * mics);
    for (std::size_t g = 0; g < kGrid; ++g)
      dsp::steering_vector(array, grid_direction(g), frequency(k),
                           std::span(candidates.back()).subspan(g * mics, mics));
  }
  std::vector<std::vector<std::vector<Complex>>> known(candidates.size());  // by bin: orthonormal axes of the paths
  for (int echo = 0; echo < echoes; ++echo) {
    std::vector<double> map(kGrid, 0.0);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::size_t k = range.first + i * kBinStep;
      dsp::steering_vector(array, paths.back(), frequency(k), a);
      std::vector<Complex> axis = a;
      for (const auto& before : known[i]) take_out(before, axis);
      double length_square = 0, total = 0;
      for (const Complex v : axis) length_square += std::norm(v);
      for (std::size_t m = 0; m < mics; ++m) total += r.at(k)[m * mics + m].real();
      const double scale = length_square > 1e-6 ? 1 / std::sqrt(length_square) : 0;
      for (Complex& v : axis) v *= scale;
      known[i].push_back(axis);
      for (std::size_t g = 0; g < kGrid; ++g) {
        const auto candidate = std::span(candidates[i]).subspan(g * mics, mics);
        take_out(axis, candidate);
        double power = 0, left = 0;
        for (std::size_t m = 0; m < mics; ++m) {
          Complex sum = 0;
          for (std::size_t n = 0; n < mics; ++n) sum += r.at(k)[m * mics + n] * candidate[n];
          power += (std::conj(candidate[m]) * sum).real();
          left += std::norm(candidate[m]);
        }
        if (total > 0 && left > 0.05 * static_cast<double>(mics)) map[g] += power / (left * total);
      }
    }
    paths.push_back(grid_direction(static_cast<std::size_t>(std::max_element(map.begin(), map.end()) - map.begin())));
  }

  std::vector<std::vector<Complex>> steering;
  double window = 0;
  for (const double w : dsp::hann_window(size)) window += w * w;
  const double scale = 2 / (static_cast<double>(size) * window);
  for (std::size_t b = 0; b < kBands; ++b) {
    if (kBandEdges[b + 1] > 0.48 * rate) continue;
    const BinRange bins = bins_between(kBandEdges[b], kBandEdges[b + 1], rate, size);
    for (std::size_t k = bins.first; k < bins.end; ++k) {
      steering.clear();
      for (const dsp::Direction& p : paths) {
        dsp::steering_vector(array, p, frequency(k), a);
        steering.push_back(a);
      }
      out[b] += first_path_power(r.at(k), steering) * scale;
    }
    out[b] = std::max(0.0, out[b] - noise[b] / static_cast<double>(mics));
  }
  return out;
}

}  // namespace thimble::voice
