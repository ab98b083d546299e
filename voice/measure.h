// One utterance's spectra to an Observation: which frames are speech, where the voice comes from, how strong it is by
// every estimator. Inside the folder; others use voice/analyse.h. Powers are mean squares a sample.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dsp/srp_phat.h"
#include "dsp/stft.h"
#include "voice/observation.h"
#include "voice/settings.h"

namespace thimble::voice {

constexpr int kLeastRate = 8000, kMostRate = 192000;  // Hz
constexpr double kOffset = 2e-3;                      // a constant part above it is worth a word
constexpr double kFullScale = 0.999;                  // so many samples in a row from here on are clipped:
constexpr int kClippedRun = 3;

// Spatial covariance (M, M) by bin, mean over frames.
struct Covariances {
  std::size_t mics = 0;
  std::vector<dsp::Complex> data;  // (bins, M, M)

  std::span<dsp::Complex> at(std::size_t bin) { return std::span(data).subspan(bin * mics * mics, mics * mics); }
  std::span<const dsp::Complex> at(std::size_t bin) const {
    return std::span(data).subspan(bin * mics * mics, mics * mics);
  }
};
Covariances mean_covariances(const dsp::Spectrogram& frames, std::span<const std::size_t> chosen);

// Bins whose frequency lies in [low, high).
struct BinRange {
  std::size_t first = 0, end = 0;
};
BinRange bins_between(double low, double high, int rate, std::size_t fft_size);

// Level of one frame in dB, 200 Hz to 4 kHz, mean over microphones; -300 for nothing at all.
double frame_level_db(std::span<const dsp::Complex> spectrum_of_all, std::size_t mics, int rate, std::size_t fft_size);

struct FrameChoice {
  std::vector<std::size_t> active, noise, rising;  // rising: the share of `active` that gives the direction
  bool noise_known = false;                        // `noise` is quieter than speech by a clear margin
};
FrameChoice choose_frames(std::span<const double> levels_db, const Settings& settings);

// Power of the plane wave from the front direction, a component of covariance R(f) by estimator.
//   A: least squares of R = P_wave a a^H + P_diffuse Gamma in both powers, neither negative; returns P_wave.
double plane_wave_power(std::span<const dsp::Complex> covariance, std::span<const dsp::Complex> steering,
                        std::span<const dsp::Complex> diffuse);

class Meter {
 public:
  Meter(dsp::MicArray array, int rate, const Settings& settings);

  const dsp::Stft& stft() const { return stft_; }
  const dsp::MicArray& array() const { return array_; }
  int rate() const { return rate_; }
  double hop_seconds() const { return static_cast<double>(stft_.hop()) / rate_; }

  // frames (M, T, F) with a level each; samples: the channels they came from. Everything but device, utterance, start,
  // clipped and offset. bad_input for too little speech.
  Observation measure(const dsp::Spectrogram& frames, std::span<const double> levels_db,
                      std::span<const std::span<const double>> samples);

  // The direction finder, reset before each use.
  dsp::SrpPhat& finder() { return finder_; }
  // Highest peaks of the finder's map; of a line of microphones only those on its front side.
  std::vector<dsp::DirectionPeak> peaks(std::size_t count);

 private:
  double refine_elevation(const Covariances& speech, double azimuth) const;
  void fill_powers(const Covariances& speech, const Covariances& noise, const dsp::Direction& d,
                   Observation& out) const;

  dsp::MicArray array_;
  int rate_;
  Settings settings_;
  dsp::Stft stft_;
  dsp::SrpPhat finder_;
  std::vector<dsp::Complex> fields_;  // coherence of a diffuse field, (bins, M, M)
  double axis_ = 0;                   // of a line of microphones
  bool line_ = false;
};

// Estimator C (voice/onset.cpp): direct power by band of the onsets in `samples`, all zero without onsets. Echoes that
// arrive within an onset's frame are found one after another and taken out together with the direct path by least
// squares.
BandPowers onset_powers(std::span<const std::span<const double>> samples, const dsp::MicArray& array, int rate,
                        const dsp::Direction& direct, const BandPowers& noise, const PowerSettings& settings);

}  // namespace thimble::voice
