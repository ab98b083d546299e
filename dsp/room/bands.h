// The octave (or third-octave) bands of a simulation and their zero-phase filters: raised-cosine power slopes about the
// band edges, so that the bands add up to the input exactly (the bank of Antoni 2010, as pyroomacoustics sets it up).
// Not here: class-1 filters and banks for measuring (dsp/filters.h).
#pragma once

#include <cstddef>
#include <vector>

#include "dsp/room/room.h"

namespace thimble::dsp::room {

// Gains at bins first, first + 1, ... of a real FFT; 0 at the others.
struct BandWeights {
  std::size_t first = 0;
  std::vector<double> values;
};

class BandGrid {
 public:
  // Octaves 125 Hz, 250 Hz, ... up to rate / 2 (a centre at rate / 2 included); thirds lie between the same ends.
  BandGrid(int rate, bool third_octaves);

  std::size_t size() const { return centres_.size(); }
  const std::vector<double>& centres() const { return centres_; }
  double low(std::size_t band) const { return centres_[band] / half_step_; }
  double high(std::size_t band) const { return centres_[band] * half_step_; }

  // Gain of `band` at each bin of a real FFT of `fft_size`: in [0, 1], summing to 1 over the bands at every bin.
  BandWeights weights(std::size_t band, std::size_t fft_size) const;

  // Values given by octave band from 125 Hz (one: flat; bands above the last: the last), at this grid's bands.
  // Third-octave bands take a straight line over log frequency between octaves.
  std::vector<double> spread(const std::vector<double>& octaves) const;

 private:
  int rate_;
  bool thirds_;
  double half_step_;
  std::vector<double> centres_;
};

}  // namespace thimble::dsp::room
