// Sound in air: absorption by ISO 9613-1 and the speed of sound.
#pragma once

#include <span>
#include <vector>

namespace thimble::dsp::room {

struct Air {
  double temperature = 20;    // degrees Celsius, -50..70
  double humidity = 50;       // relative, percent, 0..100
  double pressure = 101.325;  // kPa, 10..200
};

// Pure-tone attenuation in dB a metre, ISO 9613-1:1993 equations (3) to (5) and annex B; frequency in (0, 1e6].
double air_attenuation_db(double frequency, const Air& air);

// Energy attenuation a metre (amplitude falls by exp(-m d / 2)) at octave bands from 125 Hz, for Shoebox::air.
std::vector<double> air_absorption(const Air& air, int bands = 8);

// Of an ideal gas of dry air's constants, m/s: 343.2 at 20 degrees.
double speed_of_sound(double temperature);

}  // namespace thimble::dsp::room
