// From bands to one response: the filters' sum, and the high-pass. Not for other folders: dsp/room/room.h is the
// interface.
#pragma once

#include <span>
#include <vector>

#include "dsp/fft.h"
#include "dsp/room/bands.h"

namespace thimble::dsp::room {

// Sums band responses of one length, each through its filter of the grid. The FFT is at least twice as long, so that
// what the filters ring before the start does not come back at the end.
class BandJoin {
 public:
  BandJoin(std::size_t length, const BandGrid& grid);
  static std::size_t fft_size(std::size_t length);

  struct Scratch {
    std::vector<double> signal;
    std::vector<Complex> bins, sum, work;
  };
  Scratch make_scratch() const;

  // bands: (band, length); the first `length` samples of `out` are set.
  void run(const float* bands, std::size_t length, std::span<double> out, Scratch& scratch) const noexcept;

 private:
  RealFft fft_;
  std::vector<BandWeights> weights_;
};

// Butterworth of order 2, forward and backward, from the steady state of the signal's ends continued by odd reflection.
// At least 10 samples.
void high_pass(std::span<double> h, double edge, int rate) noexcept;

}  // namespace thimble::dsp::room
