#include "dsp/room/bands.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace thimble::dsp::room {

BandGrid::BandGrid(int rate, bool third_octaves)
    : rate_(rate), thirds_(third_octaves), half_step_(std::exp2(third_octaves ? 1.0 / 6 : 0.5)) {
  const int octaves = std::max(1, static_cast<int>(std::floor(std::log2(rate / 125.0))));
  const int per_octave = third_octaves ? 3 : 1;
  for (int i = 0; i <= (octaves - 1) * per_octave; ++i)
    centres_.push_back(125 * std::exp2(static_cast<double>(i) / per_octave));
}

// Between neighbours the power goes over by cos^2 and sin^2, around the common edge, within half the distance from the
// upper band's centre to its upper edge. Edges and widths are rounded to whole bins, halves to even.
BandWeights BandGrid::weights(std::size_t band, std::size_t fft_size) const {
  const auto bin = [&](double frequency) { return std::nearbyint(frequency / rate_ * static_cast<double>(fft_size)); };
  struct Slope {
    double edge, half_width;
    double share(double k) const {  // of the upper band at bin k
      if (half_width <= 0) return k >= edge ? 1.0 : 0.0;
      const double s = std::sin(std::numbers::pi / 4 * (std::clamp((k - edge) / half_width, -1.0, 1.0) + 1));
      return s * s;
    }
  };
  const auto slope_below = [&](std::size_t b) {
    return Slope{bin(low(b)), std::nearbyint(0.5 * (bin(high(b)) - bin(centres_[b])))};
  };
  const bool lowest = band == 0, highest = band + 1 == size();
  const Slope rise = lowest ? Slope{0, 0} : slope_below(band), fall = highest ? Slope{0, 0} : slope_below(band + 1);
  const double bins = static_cast<double>(fft_size / 2 + 1);
  const double from = std::min(bins, rise.edge - rise.half_width);
  const double to = highest ? bins : std::min(bins, fall.edge + fall.half_width);
  BandWeights out{static_cast<std::size_t>(std::max(0.0, from)), {}};
  for (double k = static_cast<double>(out.first); k < to; ++k)
    out.values.push_back((lowest ? 1 : rise.share(k)) * (highest ? 1 : 1 - fall.share(k)));
  return out;
}

std::vector<double> BandGrid::spread(const std::vector<double>& octaves) const {
  std::vector<double> out;
  for (std::size_t b = 0; b < size(); ++b) {
    const double place = thirds_ ? static_cast<double>(b) / 3 : static_cast<double>(b);
    const auto last = static_cast<double>(octaves.size() - 1);
    const double at = std::min(place, last);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, octaves.size() - 1);
    out.push_back(octaves[low] + (at - static_cast<double>(low)) * (octaves[high] - octaves[low]));
  }
  return out;
}

}  // namespace thimble::dsp::room
