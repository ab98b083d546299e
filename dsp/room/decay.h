// Reverberation: energy decay by Schroeder's backward integration, decay times, and the formulas of Sabine and Eyring
// with their inverses. The formulas assume a diffuse field: a specular shoebox decays otherwise, often slower.
#pragma once

#include <span>
#include <vector>

#include "dsp/geometry.h"
#include "dsp/room/room.h"

namespace thimble::dsp::room {

enum class DecayFormula { sabine, eyring };

// Energy left after each sample, in dB of the whole; as long as the response up to its last sample that is not zero.
// bad_input when all samples are zero.
std::vector<double> energy_decay_db(std::span<const double> response);

// Seconds for 60 dB, from the straight line of least squares over the `span_db` below -5 dB: 20 is T20, 30 is T30. When
// the decay is too short for that, the line takes what there is. bad_input when it never passes -5 dB by two samples.
double decay_time(std::span<const double> decay_db, int rate, double span_db);
double rt60(std::span<const double> response, int rate, double span_db = 30);

// Decay time from surfaces and air; frequency band by octave index from 125 Hz. Infinite when nothing absorbs.
double predicted_rt60(const Shoebox& room, DecayFormula formula, std::size_t band = 0);

// The absorption, the same on all walls, for which the formula gives `rt60`; air in energy per metre. bad_input when
// the air alone decays faster, or no absorption in [0, 1] reaches it ("at least 0.12 s in this room").
double absorption_for_rt60(Vec3 size, double rt60, DecayFormula formula, double sound_speed = 343, double air = 0);

// The order from which on all images of the first `rt60` seconds are there.
int order_for_rt60(Vec3 size, double rt60, double sound_speed = 343);

}  // namespace thimble::dsp::room
