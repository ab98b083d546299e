// What microphones record: sources with signals through a room, with noise and gain errors of the devices.
// Not here: the responses themselves (dsp/room/room.h).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "dsp/room/room.h"
#include "dsp/signal.h"

namespace thimble::dsp::room {

enum class NoiseKind { white, pink, speech_shaped };

// Stationary noise of unit power, `count` samples. Pink: -3 dB an octave over 20 Hz. Speech-shaped: the long-term
// octave levels of a male voice (250 Hz to 4 kHz: 72.5, 74, 68, 62, 57 dB), 6 dB an octave beyond.
std::vector<double> make_noise(NoiseKind kind, std::size_t count, int rate, std::uint64_t seed,
                               std::uint64_t stream = 0);

struct Noise {
  NoiseKind kind = NoiseKind::white;
  double snr_db = 25;  // mean power of the clean recordings of device `reference` over that of the noise; -100..200
  int reference = 0;   // all devices then have the same noise level
  std::uint64_t seed = 0;
};

struct RenderOptions {
  SimulationOptions simulation;
  std::optional<Noise> noise;    // independent at each microphone
  std::vector<double> gains_db;  // by Microphone::device, after noise; empty: none
};

struct Voice {
  Source source;
  std::vector<double> signal;  // at the simulation's rate
  double start = 0;            // seconds, >= 0
};

// One channel a microphone, full scale as the signals', long enough for the last sound to end. Sample 0 is the time at
// which a signal with start 0 leaves its source: the responses' lead of kResponseLead samples is cut away.
Signal simulate(const Shoebox& room, std::span<const Voice> voices, std::span<const Microphone> microphones,
                const RenderOptions& options, ThreadPool& pool);

// Gain errors uniform in +-spread_db, one a device.
std::vector<double> draw_gains_db(std::size_t devices, double spread_db, std::uint64_t seed);

}  // namespace thimble::dsp::room
