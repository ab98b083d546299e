// Scenes of a sweep: rooms, places, who speaks and where to, noise and gain errors, all from one seed and an index, so
// that configuration i is the same on every machine, in any order, on any count of threads. Not here: sound
// (voice/study/render.h).
//
// A sweep is rooms x talkers x positions. Each configuration has as many devices as the largest count asked for; a
// smaller count takes the first devices of its list, and the faced one is always first in it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "dsp/room/render.h"
#include "voice/scene.h"

namespace thimble::voice {

// How absorption goes with frequency (factors by octave from 125 Hz) and with the wall (by dsp::room::Wall).
struct RoomKind {
  std::string name;
  dsp::Vec3 size;
  std::array<double, 7> by_octave;
  std::array<double, 6> by_wall;
};

// Five rooms each; no room of one list is in the other.
const std::vector<RoomKind>& sweep_rooms();
const std::vector<RoomKind>& tuning_rooms();

// The shoebox whose RT60 at 1 kHz is `rt60` by Eyring's formula, air included. bad_input when the walls cannot do that.
dsp::room::Shoebox make_room(const RoomKind& kind, double rt60);

struct SamplerOptions {
  std::uint64_t seed = 0;
  bool tuning = false;  // which rooms
  std::vector<int> devices = {2, 3, 4};
  std::vector<double> rt60 = {0.2, 0.3, 0.4, 0.5, 0.6, 0.8};  // taken in turn by position
  double snr_low = 5, snr_high = 30;                          // dB at the faced device, uniform
  double gain_db = 2;           // errors uniform in +-, one a device, not known to the methods
  double mismatch = 1;          // scale of the talkers' departures from the mean pattern; 0: none
  double facing_sigma_deg = 7;  // how well the talker turns to the device meant
  double nobody = 0.1;          // share of configurations in which no device is faced
  std::string array = "ring6";
  int positions = 12;  // a room and talker
};

struct Configuration {
  std::size_t index = 0;
  std::size_t room = 0, talker = 0, position = 0;  // indices: room of the list, talker of the corpus' split
  std::uint64_t phrase = 0;                        // any number; taken modulo the talker's phrases
  double rt60 = 0, snr_db = 0;
  Scene scene;                   // devices in the order of the counts; with the talker's truth; never calibrated
  bool nobody = false;           // else device 0 is faced
  std::vector<double> gains_db;  // of the devices' microphones
  dsp::room::NoiseKind noise = dsp::room::NoiseKind::white;
  std::uint64_t seed = 0;  // for tail, noise and pattern
};

class Sampler {
 public:
  // bad_input for options out of their ranges.
  Sampler(SamplerOptions options, std::size_t talkers);

  const SamplerOptions& options() const { return options_; }
  std::size_t size() const;  // rooms * talkers * positions
  const std::vector<RoomKind>& rooms() const { return options_.tuning ? tuning_rooms() : sweep_rooms(); }
  Configuration at(std::size_t index) const;

 private:
  SamplerOptions options_;
  std::size_t talkers_;
};

// A talker's own pattern: Monson's octave table, scaled in dB by U(0.75, 1.25), plus a random walk of 0.5 dB a step of
// 15 degrees shared by all bands and one of each band, plus N(0, 1.25 dB) sin^2 of the angle per band from 2 kHz up,
// for the vowels of a phrase. `amount` scales all departures. The pattern stays 0 dB ahead.
dsp::room::Directivity talker_pattern(std::uint64_t seed, double amount);

}  // namespace thimble::voice
