// How loud a source radiates, or a microphone hears, by the angle from its facing direction: patterns round about that
// axis. Gains are linear amplitudes; a negative gain turns the sign (rear lobe of a figure of eight).
// Voice patterns: Monson, Hunter, Story 2012 (octaves) and Kocon, Monson 2018, table 1 (third-octaves), horizontal
// plane.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace thimble::dsp::room {

// A table in dB over angle and frequency. Between angles a monotone cubic (Fritsch and Butland's slopes, as in
// "pchip"), between frequencies a straight line in dB over log frequency; beyond the ends the last value holds.
class PatternTable {
 public:
  // angles: degrees in [0, 180], ascending, at least two; frequencies: Hz, ascending, at least one;
  // gains_db: (frequencies, angles), finite, in [-200, 60]. bad_input else.
  PatternTable(std::vector<double> angles, std::vector<double> frequencies, std::vector<double> gains_db);

  const std::vector<double>& angles() const { return angles_; }
  const std::vector<double>& frequencies() const { return frequencies_; }

  double gain_db(double angle, double frequency) const;
  // Of a band: the mean power of the table's frequencies inside it when they are two or more, else gain_db at its
  // centre.
  double band_gain_db(double angle, double low, double centre, double high) const;

 private:
  double row_db(std::size_t row, double angle) const;

  std::vector<double> angles_, frequencies_, gains_, slopes_;
};

// Omnidirectional unless said otherwise.
class Directivity {
 public:
  Directivity() = default;
  static Directivity cardioid_family(double p);  // p + (1 - p) cos(angle), p in [0, 1]
  static Directivity figure_of_eight() { return cardioid_family(0); }
  static Directivity hypercardioid() { return cardioid_family(0.25); }
  static Directivity cardioid() { return cardioid_family(0.5); }
  static Directivity subcardioid() { return cardioid_family(0.75); }
  static Directivity table(std::shared_ptr<const PatternTable> table);
  static Directivity voice();                // octave table
  static Directivity voice_third_octaves();  // third-octave table, 79 Hz to 20 kHz

  bool is_omni() const { return !table_ && p_ == 1; }
  bool is_flat() const { return !table_; }  // the same at all frequencies
  double p() const { return p_; }           // of the cardioid family, when is_flat()
  const PatternTable* pattern_table() const { return table_.get(); }

  double gain(double angle_degrees, double frequency) const;
  // The mean power over the sphere at `frequency`: what a diffuse field receives of the source, 1 for omni.
  double mean_power(double frequency) const;

 private:
  double p_ = 1;
  std::shared_ptr<const PatternTable> table_;
};

// "omni", "figure8", "hypercardioid", "cardioid", "subcardioid", "voice", "voice-thirds"; bad_input else.
Directivity directivity_by_name(std::string_view name);

}  // namespace thimble::dsp::room
