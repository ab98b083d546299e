// Steered response power with the phase transform (J. DiBiase, 2000): every pair of microphones votes for the
// directions that explain the phases between them.
#pragma once

#include <vector>

#include "dsp/direction.h"

namespace thimble::dsp {

// map(): the mean over frames, bins and pairs of cos(measured phase - expected phase), in [-1, 1]; 1 for one plane wave
// without noise. Memory: 8 bytes * grid * band bins * different pairs.
class SrpPhat final : public DirectionFinder {
 public:
  SrpPhat(MicArray array, int rate, std::size_t fft_size, DirectionGrid grid, FinderBand band = {});

 private:
  void clear() override;
  void add_frame(const Spectrogram& spectra, std::size_t frame) override;
  void fill_map(std::span<double> map) override;

  // Pairs with one baseline (or its opposite) share a phase for every direction, and so share a sum: a ring of six has
  // 15 pairs and 9 baselines.
  struct Pair {
    std::size_t first, second, baseline;
  };
  std::vector<Pair> pairs_;
  std::size_t baselines_ = 0;
  std::vector<Complex> sums_;      // (baselines, band bins)
  std::vector<Complex> whitened_;  // (microphones, band bins)
  std::vector<float> table_;       // (baselines, band bins, cosine and sine, grid)
};

}  // namespace thimble::dsp
