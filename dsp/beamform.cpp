#include "dsp/beamform.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "dsp/delay.h"
#include "dsp/hermitian.h"

namespace thimble::dsp {
namespace {

Complex inner(std::span<const Complex> a, std::span<const Complex> b) {  // a^H b
  Complex sum = 0;
  for (std::size_t m = 0; m < a.size(); ++m) sum += std::conj(a[m]) * b[m];
  return sum;
}

// Calls design(frequency, steering vector, weights of the bin) for every bin.
template <class Design>
BeamWeights design_all(const MicArray& array, const Direction& d, int rate, std::size_t fft_size, double speed,
                       Design&& design) {
  if (array.size() < 2 || rate < 1 || fft_size < 2 || !(speed > 0))
    fail(ErrorKind::bad_input, "a beam of {} microphones at {} Hz in frames of {}", array.size(), rate, fft_size);
  BeamWeights weights{fft_size / 2 + 1, array.size(), std::vector<Complex>((fft_size / 2 + 1) * array.size())};
  std::vector<Complex> steering(array.size());
  for (std::size_t k = 0; k < weights.bins; ++k) {
    const double f = static_cast<double>(k) * rate / static_cast<double>(fft_size);
    steering_vector(array, d, f, steering, speed);
    design(f, steering, weights.at(k));
  }
  return weights;
}

}  // namespace

void delay_and_sum_weights(std::span<const Complex> steering, std::span<Complex> out) {
  check(out.size() == steering.size(), "one weight a microphone");
  double power = 0;
  for (const Complex a : steering) power += std::norm(a);
  for (std::size_t m = 0; m < out.size(); ++m) out[m] = steering[m] / power;
}

void mvdr_weights(std::span<const Complex> noise_covariance, std::span<const Complex> steering, double loading,
                  std::span<Complex> out) {
  const std::size_t n = steering.size();
  if (noise_covariance.size() != n * n || out.size() != n || !(loading >= 0))
    fail(ErrorKind::bad_input, "MVDR of {} microphones with a covariance of {} numbers, loading {}", n,
         noise_covariance.size(), loading);
  std::vector<Complex> loaded(noise_covariance.begin(), noise_covariance.end());
  double trace = 0;
  for (std::size_t m = 0; m < n; ++m) trace += loaded[m * n + m].real();
  for (std::size_t m = 0; m < n; ++m) loaded[m * n + m] += loading * trace / static_cast<double>(n);
  const std::vector<Complex> x = hermitian_solve(loaded, steering);
  const double scale = inner(steering, x).real();
  if (!(scale > 0)) fail(ErrorKind::bad_input, "MVDR towards a direction without any gain");
  for (std::size_t m = 0; m < n; ++m) out[m] = x[m] / scale;
}

void diffuse_coherence(const MicArray& array, double frequency, std::span<Complex> out, double speed) {
  const std::size_t n = array.size();
  check(out.size() == n * n, "one coherence a pair of microphones");
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      out[i * n + j] = sinc(2 * frequency * norm(array.mics[i] - array.mics[j]) / speed);
}

BeamWeights delay_and_sum(const MicArray& array, const Direction& d, int rate, std::size_t fft_size, double speed) {
  return design_all(array, d, rate, fft_size, speed,
                    [](double, std::span<const Complex> a, std::span<Complex> w) { delay_and_sum_weights(a, w); });
}

BeamWeights superdirective(const MicArray& array, const Direction& d, int rate, std::size_t fft_size, double loading,
                           double speed) {
  if (!(loading > 0)) fail(ErrorKind::bad_input, "a superdirective beam needs loading above 0, {} came", loading);
  std::vector<Complex> field(array.size() * array.size());
  return design_all(array, d, rate, fft_size, speed, [&](double f, std::span<const Complex> a, std::span<Complex> w) {
    diffuse_coherence(array, f, field, speed);
    mvdr_weights(field, a, loading, w);
  });
}

void apply_beam(const BeamWeights& weights, const Spectrogram& spectra, std::size_t frame, std::span<Complex> out) {
  if (spectra.channels != weights.mics || spectra.bins != weights.bins || out.size() != weights.bins)
    fail(ErrorKind::bad_input, "a beam of {} microphones and {} bins cannot take {} channels of {} bins", weights.mics,
         weights.bins, spectra.channels, spectra.bins);
  std::fill(out.begin(), out.end(), Complex{});
  for (std::size_t m = 0; m < weights.mics; ++m) {
    const auto x = spectra.frame(m, frame);
    for (std::size_t k = 0; k < weights.bins; ++k) out[k] += std::conj(weights.data[k * weights.mics + m]) * x[k];
  }
}

Spectrogram apply_beam(const BeamWeights& weights, const Spectrogram& spectra) {
  Spectrogram out(1, spectra.frames, spectra.bins);
  for (std::size_t t = 0; t < spectra.frames; ++t) apply_beam(weights, spectra, t, out.frame(0, t));
  return out;
}

double directivity_index_db(const MicArray& array, const Direction& d, double frequency,
                            std::span<const Complex> weights, double speed) {
  const std::size_t n = array.size();
  check(weights.size() == n, "one weight a microphone");
  std::vector<Complex> a(n), field(n * n);
  steering_vector(array, d, frequency, a, speed);
  diffuse_coherence(array, frequency, field, speed);
  Complex noise = 0;
  for (std::size_t i = 0; i < n; ++i)
    noise += std::conj(weights[i]) * inner(std::span(field).subspan(i * n, n), weights);
  return 10 * std::log10(std::norm(inner(weights, a)) / noise.real());
}

double white_noise_gain_db(std::span<const Complex> steering, std::span<const Complex> weights) {
  check(weights.size() == steering.size(), "one weight a microphone");
  return 10 * std::log10(std::norm(inner(weights, steering)) / inner(weights, weights).real());
}

}  // namespace thimble::dsp
