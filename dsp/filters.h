// Filters of acoustics: biquads, octave and third-octave bands, A-weighting, and a bank of octave bands that sums back
// to its input exactly. Frequencies are in Hz. Not here: resampling (dsp/resample.h), delays (dsp/delay.h).
#pragma once

#include <span>
#include <vector>

#include "dsp/fft.h"

namespace thimble::dsp {

// H(z) = (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2).
struct Biquad {
  double b0 = 1, b1 = 0, b2 = 0, a1 = 0, a2 = 0;
};

// A cascade with its state: run() may be called block by block. Transposed direct form II.
class BiquadCascade {
 public:
  explicit BiquadCascade(std::vector<Biquad> sections);

  const std::vector<Biquad>& sections() const { return sections_; }
  void reset();
  void run(std::span<double> x) noexcept;  // in place
  Complex response(double frequency, int rate) const;

 private:
  struct State {
    double s1 = 0, s2 = 0;
  };
  std::vector<Biquad> sections_;
  std::vector<State> states_;
};

// Butterworth filters by the bilinear transform, exactly -3.01 dB at the edges. A band-pass of order n has 2n poles.
// Edges lie in (0, rate/2), orders in 1..16.
BiquadCascade butterworth_lowpass(int order, double edge, int rate);
BiquadCascade butterworth_highpass(int order, double edge, int rate);
BiquadCascade butterworth_bandpass(int order, double low, double high, int rate);

// Exact band centres 1000 G^k with G = 10^0.3 (octaves, base ten of IEC 61260-1) or 10^0.1 (third-octaves), and edges
// half a step to each side.
struct Band {
  double centre = 0, low = 0, high = 0;
};
enum class BandWidth { octave, third_octave };
Band band_at(BandWidth width, int index);  // index 0: 1 kHz
// All bands whose nominal centre is in [from, to]: bands_between(octave, 125, 8000) are the seven usual ones.
std::vector<Band> bands_between(BandWidth width, double from, double to);

// Butterworth band-pass of six poles between the band's edges; the upper edge must lie below rate/2.
BiquadCascade band_filter(const Band& band, int rate);

// A-weighting of IEC 61672-1 in dB: 0 at 1 kHz, minus infinity at 0 Hz.
double a_weighting_db(double frequency);
// x under that weighting, exact at every frequency and without phase; the same length.
std::vector<double> a_weighted(std::span<const double> x, int rate);

// Octave bands by weights over frequency that add up to one, so that the bands sum to the input (perfect
// reconstruction), without phase: raised cosines in frequency that fall from one centre to the next (D. Schroeder,
// "Physically based real-time auralization of interactive virtual environments", 2011). The highest band takes all
// above its centre.
class OctaveBank {
 public:
  // What the lowest band does below its centre: take all (perfect reconstruction), or fall to nothing at half of it.
  enum class Low { shelf, band };

  // `centres` ascending in (0, rate/2], at least one.
  OctaveBank(std::vector<double> centres, int rate, Low low = Low::shelf);

  const std::vector<double>& centres() const { return centres_; }
  std::size_t bands() const { return centres_.size(); }
  double weight(std::size_t band, double frequency) const;

  // One signal a band, each as long as x; x counts as surrounded by silence.
  std::vector<std::vector<double>> split(std::span<const double> x) const;
  // The zero-phase impulse response of sum_b gains[b] * band b on a circle of `size` points: tap `size/2` is time 0.
  // For walls and talkers that depend on frequency.
  std::vector<double> impulse_response(std::span<const double> gains, std::size_t size) const;

 private:
  std::vector<double> centres_;
  int rate_;
  Low low_;
};

}  // namespace thimble::dsp
