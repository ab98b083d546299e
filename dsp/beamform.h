// Beamformers with fixed weights in the frequency domain: delay-and-sum, superdirective (the least diffuse noise), and
// MVDR for a measured noise covariance. The output is y = sum_m conj(w_m) X_m, and 1 times a plane wave from the
// direction. Not with the covariance of frames that hold the speech itself: coherent echoes make MVDR cancel what it
// should keep.
#pragma once

#include <span>
#include <vector>

#include "dsp/geometry.h"
#include "dsp/stft.h"

namespace thimble::dsp {

// For one frequency; all spans over microphones, matrices row-major (M, M).
void delay_and_sum_weights(std::span<const Complex> steering, std::span<Complex> out);
// w = (R + loading * mean(diag R) I)^-1 a / (a^H ... a). bad_input where R with its loading is not positive definite.
void mvdr_weights(std::span<const Complex> noise_covariance, std::span<const Complex> steering, double loading,
                  std::span<Complex> out);
// Coherence of a spherically diffuse field: sin(x)/x with x = 2 pi f distance / c.
void diffuse_coherence(const MicArray& array, double frequency, std::span<Complex> out, double speed = kSpeedOfSound);

// (bins, microphones) for frames of fft_size.
struct BeamWeights {
  std::size_t bins = 0, mics = 0;
  std::vector<Complex> data;

  std::span<Complex> at(std::size_t bin) { return std::span(data).subspan(bin * mics, mics); }
  std::span<const Complex> at(std::size_t bin) const { return std::span(data).subspan(bin * mics, mics); }
};
BeamWeights delay_and_sum(const MicArray& array, const Direction& d, int rate, std::size_t fft_size,
                          double speed = kSpeedOfSound);
// loading > 0 trades directivity at low frequencies against the microphones' own noise; 1e-2 is usual.
BeamWeights superdirective(const MicArray& array, const Direction& d, int rate, std::size_t fft_size,
                           double loading = 1e-2, double speed = kSpeedOfSound);

// One frame: `out` holds `bins` numbers. bad_input where channels or bins differ.
void apply_beam(const BeamWeights& weights, const Spectrogram& spectra, std::size_t frame, std::span<Complex> out);
Spectrogram apply_beam(const BeamWeights& weights, const Spectrogram& spectra);  // (1, T, F)

// In dB: gain over a diffuse field, and over noise that is independent between microphones.
double directivity_index_db(const MicArray& array, const Direction& d, double frequency,
                            std::span<const Complex> weights, double speed = kSpeedOfSound);
double white_noise_gain_db(std::span<const Complex> steering, std::span<const Complex> weights);

}  // namespace thimble::dsp
