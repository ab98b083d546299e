// Every threshold and weight of the folder in one struct, read and written as JSON. The committed file
// voice/frozen.json, tuned by `thimble voice evaluate --tune`, is built into the program: frozen() returns it.
// Angles in degrees here (people edit this file), radians everywhere else in the folder.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/json.h"
#include "voice/bands.h"

namespace thimble::voice {

struct ActivitySettings {
  double frame_seconds = 0.032, hop_seconds = 0.016;
  double range_db = 30;          // frames under the utterance's peak by more than this are not speech
  double min_seconds = 0.5;      // of active frames; shorter sounds are no utterance
  double start_db = 9;           // over the noise level to start an utterance of a stream
  double end_db = 6;             // under this the stream counts as quiet ...
  double hang_seconds = 0.4;     // ... and after so much of it the utterance ends
  double preroll_seconds = 0.3;  // kept from before the start; the noise is measured there
  double max_seconds = 15;       // a longer one is cut here
};

struct DirectionSettings {
  double low_hz = 500, high_hz = 6000;
  double step_deg = 2;
  double onset_share = 0.5;      // share of the active frames that vote: those that rise most; 1: all
  double elevation_max_deg = 0;  // looked for up to it: a small flat array hears reverberation as height
};

struct PowerSettings {
  bool superdirective = false;   // else delay-and-sum
  double loading = 1e-2;         // of the superdirective beam
  double onset_rise_db = 4;      // align-and-cancel: a frame that rises by so much after a pause
  double onset_seconds = 0.004;  // of direct sound taken from an onset, before the first echo is expected
  int echoes = 3;                // cancelled one after another
  double min_snr_db = -10;       // a band under it counts as not heard
};

struct PositionSettings {
  double mouth_height = 1.5;     // metres over the floor
  double min_angle_deg = 15;     // bearings that all cross flatter than this give no position
  double bearing_sigma_deg = 4;  // of a confident bearing
  double outlier = 0.1;          // share of bearings that point at an echo
  double max_distance = 12;      // metres from the nearest device
};

struct FitSettings {
  double angle_step_deg = 3;
  BandPowers band_weights = {0.5, 0.7, 1, 1, 1};
  // Weights of the powers that the fit explains; the reverberant part of each is known by theory.
  double raw = 0.5, beam = 1, coherent = 0, onset = 0;
  double residual_db = 3;       // what one band of one device misses the model by
  double noise_penalty = 1;     // how much faster trust falls than the signal-to-noise ratio
  double facing_sigma_deg = 9;  // how well people face the device they mean
  // Reverberant over direct power at 1 m ahead of the talker, per band: mean and spread of rooms.
  BandPowers reverberation_db = {-1, -2, -5, -6, -8};
  double reverberation_spread_db = 5;
  double gain_spread_db = 1.5;  // of microphones that were never calibrated
  double gain_learning = 0.15;  // share of one confident utterance in the calibration; 0 learns nothing
  // Loudness as evidence beside the fit, by count of devices (2, 3, 4 and more): nats per dB over the mean of devices.
  std::array<double, 3> loudness = {0.3, 0.2, 0.05};
  double position_spread = 0.15;  // metres; the fit averages over positions this uncertain
  double nobody_prior = 0.02;     // belief, before hearing, that the talker faces no device
  double min_confidence = 0;      // decisions under it become "nobody"
};

struct Settings {
  ActivitySettings activity;
  DirectionSettings direction;
  PowerSettings power;
  PositionSettings position;
  FitSettings fit;
  // Where the numbers come from: the tuning run's seed and date, free text.
  std::string origin = "defaults";
};

// Every key must be known and every number in its range (bad_input names it); missing keys keep their defaults.
Settings settings_from_json(const Json& json, std::string_view what);
OrderedJson settings_to_json(const Settings& settings);
Settings read_settings(const std::string& path);
void write_settings(const std::string& path, const Settings& settings);

// voice/frozen.json as it was when the program was built.
const Settings& frozen();
std::string frozen_hash();  // SHA-256 of that file's text, 64 hexadecimal digits

}  // namespace thimble::voice
