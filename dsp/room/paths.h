// The paths from a source's images to a microphone, and their sum. Not for other folders: dsp/room/room.h is the
// interface.
#pragma once

#include <array>
#include <map>
#include <vector>

#include "dsp/room/kernel.h"
#include "dsp/room/plan.h"

namespace thimble::dsp::room {

// What depends on room and bands alone.
struct Medium {
  Medium(const Shoebox& room, const BandGrid& grid, bool by_band, int order);

  int bands;
  std::array<std::vector<float>, 3> gains;  // by axis: products of reflections, (band, image)
  std::vector<float> half_air;              // half the energy attenuation a metre by band, empty without air
};

// Gains of patterns by angle and band; tables are made once for the sources and microphones that share them.
class PatternSet {
 public:
  explicit PatternSet(const BandGrid& grid) : grid_(grid) {}
  PatternGains of(const Directivity& pattern);

 private:
  const BandGrid& grid_;
  std::map<const PatternTable*, std::vector<float>> rows_;
};

// One source seen from one microphone.
struct Paths {
  Paths(const std::array<AxisPlaces, 3>& axes, const Source& source, const Microphone& microphone,
        PatternSet& patterns);

  int order;
  PatternGains source_pattern, microphone_pattern;
  bool omni_source, omni_microphone;
  std::array<std::vector<double>, 3> square, source_along, microphone_along;  // parts of Batch's, by axis and image
};

class PathSum {
 public:
  PathSum(const Shoebox& room, const Medium& medium, int rate);

  // Adds the images of every `chunks`-th row along x, from row `chunk` on, to out[band * size.images + sample].
  void run(const Paths& paths, const ResponseSize& size, int chunk, int chunks, float* out,
           Batch& batch) const noexcept;

 private:
  void append(const Paths& paths, std::size_t x, std::size_t y, std::size_t z, const float* side, int n,
              Batch& batch) const noexcept;

  const Medium& medium_;
  const ImageKernels& kernels_;
  const DelayTable& table_;
  PathModel model_;
  double column_;  // metres between images along x
};

}  // namespace thimble::dsp::room
