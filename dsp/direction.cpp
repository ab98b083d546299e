#include "dsp/direction.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace thimble::dsp {

DirectionFinder::DirectionFinder(MicArray array, int rate, std::size_t fft_size, DirectionGrid grid, FinderBand band)
    : array_(std::move(array)),
      grid_(std::move(grid)),
      band_(band),
      rate_(rate),
      fft_size_(fft_size),
      map_(grid_.size()) {
  if (array_.size() < 2) fail(ErrorKind::bad_input, "directions need 2 microphones, the array has {}", array_.size());
  if (rate < 1 || fft_size < 4 || !(band.speed > 0))
    fail(ErrorKind::bad_input, "direction finding at {} Hz in frames of {}, speed of sound {}", rate, fft_size,
         band.speed);
  const double width = static_cast<double>(rate) / static_cast<double>(fft_size);
  const std::size_t end = (fft_size + 1) / 2;  // rate/2 itself has no phase
  for (std::size_t k = 1; k < end; ++k) {
    const double f = static_cast<double>(k) * width;
    if (f < band.low_hz || f > band.high_hz) continue;
    if (band_bins_++ == 0) first_bin_ = k;
  }
  if (band_bins_ == 0)
    fail(ErrorKind::bad_input, "no frequency of {} Hz sound in frames of {} lies from {} to {} Hz", rate, fft_size,
         band.low_hz, band.high_hz);
}

double DirectionFinder::frequency(std::size_t band_bin) const {
  return static_cast<double>(first_bin_ + band_bin) * rate_ / static_cast<double>(fft_size_);
}

void DirectionFinder::reset() {
  clear();
  frames_ = 0;
  heard_ = false;
}

void DirectionFinder::add(const Spectrogram& spectra, std::size_t frame) {
  if (spectra.channels != array_.size())
    fail(ErrorKind::bad_input, "array {} has {} microphones, the sound has {} channels", array_.name, array_.size(),
         spectra.channels);
  if (spectra.bins != fft_size_ / 2 + 1 || frame >= spectra.frames)
    fail(ErrorKind::bad_input, "frame {} of {} with {} bins: {} bins were wanted", frame, spectra.frames, spectra.bins,
         fft_size_ / 2 + 1);
  constexpr double kSilence = 1e-24;  // power of one bin
  double power = 0;
  for (std::size_t c = 0; c < spectra.channels; ++c)
    for (const Complex v : spectra.frame(c, frame).subspan(first_bin_, band_bins_)) power += std::norm(v);
  if (!std::isfinite(power)) fail(ErrorKind::bad_input, "frame {} has NaN or infinite samples", frame);
  heard_ = heard_ || power > kSilence;
  add_frame(spectra, frame);
  ++frames_;
}

void DirectionFinder::add_all(const Spectrogram& spectra) {
  for (std::size_t t = 0; t < spectra.frames; ++t) add(spectra, t);
}

std::span<const double> DirectionFinder::map() {
  if (frames_ == 0) fail(ErrorKind::bad_input, "no frames to find a direction in");
  if (!heard_)
    fail(ErrorKind::bad_input, "silence: {} frames without energy from {} to {} Hz have no direction", frames_,
         band_.low_hz, band_.high_hz);
  fill_map(map_);
  return map_;
}

}  // namespace thimble::dsp
