#include "dsp/room/air.h"

#include <cmath>

#include "base/error.h"

namespace thimble::dsp::room {

double air_attenuation_db(double frequency, const Air& air) {
  const auto refuse = [](const char* what, double value, const char* range) {
    fail(ErrorKind::bad_input, "air: {} of {} is outside {}", what, value, range);
  };
  if (!(frequency > 0 && frequency <= 1e6)) refuse("a frequency", frequency, "(0, 1e6] Hz");
  if (!(air.temperature >= -50 && air.temperature <= 70))
    refuse("a temperature", air.temperature, "-50..70 degrees Celsius");
  if (!(air.humidity >= 0 && air.humidity <= 100)) refuse("a humidity", air.humidity, "0..100 percent");
  if (!(air.pressure >= 10 && air.pressure <= 200)) refuse("a pressure", air.pressure, "10..200 kPa");

  const double kelvin = air.temperature + 273.15, ratio = kelvin / 293.15, pressure = air.pressure / 101.325;
  const double saturation = std::pow(10, -6.8346 * std::pow(273.16 / kelvin, 1.261) + 4.6151);
  const double h = air.humidity * saturation / pressure;  // molar concentration of water vapour, percent
  const double oxygen = pressure * (24 + 4.04e4 * h * (0.02 + h) / (0.391 + h));
  const double nitrogen = pressure / std::sqrt(ratio) * (9 + 280 * h * std::exp(-4.170 * (std::cbrt(1 / ratio) - 1)));
  const double f2 = frequency * frequency;
  return 8.686 * f2 *
         (1.84e-11 / pressure * std::sqrt(ratio) +
          std::pow(ratio, -2.5) * (0.01275 * std::exp(-2239.1 / kelvin) / (oxygen + f2 / oxygen) +
                                   0.1068 * std::exp(-3352.0 / kelvin) / (nitrogen + f2 / nitrogen)));
}

std::vector<double> air_absorption(const Air& air, int bands) {
  if (bands < 1 || bands > 12)
    fail(ErrorKind::bad_input, "air: {} octave bands were asked for, 1..12 are possible", bands);
  const double db_per_neper = 10 / std::log(10.0);
  std::vector<double> out;
  for (int b = 0; b < bands; ++b) out.push_back(air_attenuation_db(std::ldexp(125.0, b), air) / db_per_neper);
  return out;
}

double speed_of_sound(double temperature) {
  if (!(temperature >= -50 && temperature <= 70))
    fail(ErrorKind::bad_input, "air: a temperature of {} is outside -50..70 degrees Celsius", temperature);
  return 331.3 * std::sqrt(1 + temperature / 273.15);
}

}  // namespace thimble::dsp::room
