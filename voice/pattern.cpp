#include "voice/pattern.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "dsp/geometry.h"
#include "dsp/room/directivity.h"

namespace thimble::voice {
namespace {

constexpr int kDegrees = 181;

}  // namespace

VoicePattern::VoicePattern() : table_(kBands * kDegrees) {
  const dsp::room::Directivity voice = dsp::room::Directivity::voice_third_octaves();
  const dsp::room::PatternTable& rows = *voice.pattern_table();
  for (std::size_t b = 0; b < kBands; ++b) {
    double area = 0;
    for (std::size_t a = 0; a < kDegrees; ++a) {
      const double gain_db =
          rows.band_gain_db(static_cast<double>(a), kBandEdges[b], kBandCentres[b], kBandEdges[b + 1]);
      table_[b * kDegrees + a] = std::pow(10.0, gain_db / 10);
      const double ring = std::sin(static_cast<double>(a) * std::numbers::pi / 180);
      mean_[b] += ring * table_[b * kDegrees + a];
      area += ring;
    }
    mean_[b] /= area;
  }
}

double VoicePattern::gain(int band, double angle) const {
  const double degrees = std::abs(dsp::wrap_angle(angle)) * 180 / std::numbers::pi;
  const auto at = std::min<std::size_t>(static_cast<std::size_t>(degrees), kDegrees - 2);
  const double part = degrees - static_cast<double>(at);
  const double* row = table_.data() + static_cast<std::size_t>(band) * kDegrees;
  return row[at] * (1 - part) + row[at + 1] * part;
}

const VoicePattern& VoicePattern::shared() {
  static const VoicePattern pattern;
  return pattern;
}

}  // namespace thimble::voice
