// Short-time Fourier transform with a periodic Hann window, any size and hop, and its exact inverse.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsp/fft.h"
#include "dsp/signal.h"

namespace thimble::dsp {

// 0.5 - 0.5 cos(2 pi t / size).
std::vector<double> hann_window(std::size_t size);

// Complex spectra (C, T, F): channels, frames, bins.
struct Spectrogram {
  std::size_t channels = 0, frames = 0, bins = 0;
  std::vector<Complex> data;

  Spectrogram() = default;
  Spectrogram(std::size_t c, std::size_t t, std::size_t f) : channels(c), frames(t), bins(f), data(c * t * f) {}
  std::span<Complex> frame(std::size_t c, std::size_t t) {
    return std::span(data).subspan((c * frames + t) * bins, bins);
  }
  std::span<const Complex> frame(std::size_t c, std::size_t t) const {
    return std::span(data).subspan((c * frames + t) * bins, bins);
  }
};

// Immutable; may be shared by threads that each have their Scratch.
class Stft {
 public:
  Stft(std::size_t size, std::size_t hop);  // size >= 2, 1 <= hop < size

  std::size_t size() const { return fft_.size(); }
  std::size_t hop() const { return hop_; }
  std::size_t bins() const { return fft_.bins(); }

  // Frame t spans samples t*hop - (size - hop) .. t*hop + hop - 1, so that every sample lies in all the frames it can;
  // what is before and after the signal counts as zeros.
  std::size_t frames_for(std::size_t samples) const { return samples == 0 ? 0 : (samples - 1 + size()) / hop_; }
  std::ptrdiff_t frame_start(std::size_t t) const {
    return static_cast<std::ptrdiff_t>(t * hop_) - static_cast<std::ptrdiff_t>(size() - hop_);
  }

  Spectrogram analyse(const Signal& signal) const;
  Spectrogram analyse(std::span<const double> x) const;
  // The signal of `samples` samples whose windowed frames are nearest in squares: equal to the analysed one to rounding
  // (hops over half the size divide by small window sums and lose digits).
  std::vector<double> synthesise(const Spectrogram& spectra, std::size_t channel, std::size_t samples) const;

  struct Scratch {
    std::vector<double> block;
    std::vector<Complex> fft;
  };
  Scratch make_scratch() const { return {std::vector<double>(size()), fft_.make_scratch()}; }
  // One frame of size() samples, for live use. Allocates nothing.
  void frame(std::span<const double> x, std::span<Complex> out, Scratch& scratch) const;

 private:
  void analyse_into(std::span<const double> x, Spectrogram& out, std::size_t channel, Scratch& scratch) const;

  RealFft fft_;
  std::size_t hop_;
  std::vector<double> window_;
};

}  // namespace thimble::dsp
