// Least-squares synthesis: D. Griffin, J. Lim, "Signal estimation from modified short-time Fourier transform" (1984).
#include "dsp/stft.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace thimble::dsp {

std::vector<double> hann_window(std::size_t size) {
  std::vector<double> w(size);
  for (std::size_t t = 0; t < size; ++t)
    w[t] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(t) / static_cast<double>(size));
  return w;
}

Stft::Stft(std::size_t size, std::size_t hop) : fft_(size), hop_(hop), window_(hann_window(size)) {
  if (size < 2 || hop < 1 || hop >= size) {
    fail(ErrorKind::bad_input, "frames of {} samples every {}: wanted are at least 2 and a hop of 1 to size - 1", size,
         hop);
  }
}

void Stft::frame(std::span<const double> x, std::span<Complex> out, Scratch& scratch) const {
  if (x.size() != size()) fail(ErrorKind::bad_input, "a frame of {} samples, {} were wanted", x.size(), size());
  for (std::size_t t = 0; t < size(); ++t) scratch.block[t] = x[t] * window_[t];
  fft_.forward(scratch.block, out, scratch.fft);
}

void Stft::analyse_into(std::span<const double> x, Spectrogram& out, std::size_t channel, Scratch& scratch) const {
  const auto length = static_cast<std::ptrdiff_t>(x.size()), n = static_cast<std::ptrdiff_t>(size());
  for (std::size_t f = 0; f < out.frames; ++f) {
    const std::ptrdiff_t start = frame_start(f);
    for (std::ptrdiff_t t = 0; t < n; ++t) {
      const std::ptrdiff_t at = start + t;
      scratch.block[static_cast<std::size_t>(t)] =
          at < 0 || at >= length ? 0.0 : x[static_cast<std::size_t>(at)] * window_[static_cast<std::size_t>(t)];
    }
    fft_.forward(scratch.block, out.frame(channel, f), scratch.fft);
  }
}

Spectrogram Stft::analyse(const Signal& signal) const {
  check_signal(signal, {}, "short-time Fourier transform");
  Spectrogram out(signal.channels.size(), frames_for(signal.frames()), bins());
  Scratch scratch = make_scratch();
  for (std::size_t c = 0; c < out.channels; ++c) analyse_into(signal.channels[c], out, c, scratch);
  return out;
}

Spectrogram Stft::analyse(std::span<const double> x) const {
  Spectrogram out(1, frames_for(x.size()), bins());
  Scratch scratch = make_scratch();
  analyse_into(x, out, 0, scratch);
  return out;
}

std::vector<double> Stft::synthesise(const Spectrogram& spectra, std::size_t channel, std::size_t samples) const {
  if (spectra.bins != bins() || channel >= spectra.channels || spectra.frames != frames_for(samples)) {
    fail(ErrorKind::bad_input,
         "channel {} of spectra ({}, {}, {}) cannot become {} samples: {} frames of {} bins were wanted", channel,
         spectra.channels, spectra.frames, spectra.bins, samples, frames_for(samples), bins());
  }
  std::vector<double> sum(samples), weight(samples);
  Scratch scratch = make_scratch();
  const auto length = static_cast<std::ptrdiff_t>(samples);
  for (std::size_t f = 0; f < spectra.frames; ++f) {
    fft_.inverse(spectra.frame(channel, f), scratch.block, scratch.fft);
    for (std::size_t t = 0; t < size(); ++t) {
      const std::ptrdiff_t at = frame_start(f) + static_cast<std::ptrdiff_t>(t);
      if (at < 0 || at >= length) continue;
      sum[static_cast<std::size_t>(at)] += scratch.block[t] * window_[t];
      weight[static_cast<std::size_t>(at)] += window_[t] * window_[t];
    }
  }
  for (std::size_t t = 0; t < samples; ++t) sum[t] /= weight[t];
  return sum;
}

}  // namespace thimble::dsp
