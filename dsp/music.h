// MUSIC (R. Schmidt, 1986) over a band: directions whose steering vectors lie nearest to the signals' subspace of the
// spatial covariance, averaged over bins. The normalised form scales each bin's map to a peak of 1 first, so that no
// single bin decides (D. Salvati et al., 2014).
#pragma once

#include <vector>

#include "dsp/direction.h"

namespace thimble::dsp {

struct MusicOptions {
  std::size_t sources = 1;  // fewer than microphones
  bool normalised = true;
  FinderBand band = {};
};

// map(): mean over bins of 1 / (a^H (I - E E^H) a), a steering vectors with |a_m| = 1, E the `sources` leading
// eigenvectors; at most 1 in the normalised form. Wants many more frames than microphones.
class Music final : public DirectionFinder {
 public:
  Music(MicArray array, int rate, std::size_t fft_size, DirectionGrid grid, MusicOptions options = {});

 private:
  void clear() override;
  void add_frame(const Spectrogram& spectra, std::size_t frame) override;
  void fill_map(std::span<double> map) override;

  MusicOptions options_;
  std::vector<Complex> covariance_;  // (band bins, M, M), sums over frames
  std::vector<Complex> steering_;    // (band bins, grid, M)
  std::vector<double> bin_map_;
};

}  // namespace thimble::dsp
