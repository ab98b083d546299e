// What all direction finders share: frames of spectra go in, a value for each direction of a grid comes out.
//   SrpPhat finder(array_by_name("ring6"), 16000, 512, DirectionGrid::circle(180));
//   finder.add_all(stft.analyse(signal));
//   const DirectionPeak best = finder.peaks()[0];
// Finders: dsp/srp_phat.h, dsp/music.h. Frames without speech are the caller's to leave out.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsp/geometry.h"
#include "dsp/stft.h"

namespace thimble::dsp {

struct FinderBand {
  double low_hz = 500, high_hz = 6000;  // bins whose frequency lies in [low, high]
  double speed = kSpeedOfSound;
};

class DirectionFinder {
 public:
  // bad_input when no bin but 0 and rate/2 lies in the band.
  DirectionFinder(MicArray array, int rate, std::size_t fft_size, DirectionGrid grid, FinderBand band);
  virtual ~DirectionFinder() = default;

  const MicArray& array() const { return array_; }
  const DirectionGrid& grid() const { return grid_; }
  std::size_t first_bin() const { return first_bin_; }
  std::size_t band_bins() const { return band_bins_; }
  double frequency(std::size_t band_bin) const;  // Hz

  // Forgets all frames.
  void reset();
  // Adds one frame of spectra (C, T, F), C microphones, F = fft_size/2 + 1. bad_input for other shapes and for NaN.
  void add(const Spectrogram& spectra, std::size_t frame);
  void add_all(const Spectrogram& spectra);
  std::size_t frames() const { return frames_; }

  // One value a direction over all added frames. bad_input when there are none or all are silent in the band.
  std::span<const double> map();
  std::vector<DirectionPeak> peaks(std::size_t count = 2) { return find_peaks(grid_, map(), count); }

 protected:
  virtual void clear() = 0;
  virtual void add_frame(const Spectrogram& spectra, std::size_t frame) = 0;
  virtual void fill_map(std::span<double> map) = 0;

  const MicArray array_;
  const DirectionGrid grid_;
  const FinderBand band_;

 private:
  int rate_;
  std::size_t fft_size_, first_bin_ = 0, band_bins_ = 0, frames_ = 0;
  bool heard_ = false;  // some frame had energy in the band
  std::vector<double> map_;
};

}  // namespace thimble::dsp
