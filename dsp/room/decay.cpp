#include "dsp/room/decay.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"

namespace thimble::dsp::room {
namespace {

// 60 dB of energy in nepers times 4: T = kSabine V / (c A).
const double kSabine = 24 * std::numbers::ln10;

double volume(Vec3 s) { return s.x * s.y * s.z; }
double surface(Vec3 s) { return 2 * (s.x * s.y + s.x * s.z + s.y * s.z); }

double band_value(const std::vector<double>& values, std::size_t band) {
  return values[std::min(band, values.size() - 1)];
}

void check_size(Vec3 size) {
  for (const double l : {size.x, size.y, size.z}) {
    if (!(l >= 0.1 && l <= 1000))
      fail(ErrorKind::bad_input, "room: sides of {} x {} x {} m; each must be in [0.1, 1000] m", size.x, size.y,
           size.z);
  }
}

}  // namespace

std::vector<double> energy_decay_db(std::span<const double> response) {
  std::size_t n = response.size();
  while (n > 0 && response[n - 1] == 0) --n;
  if (n == 0) fail(ErrorKind::bad_input, "decay: a response of zeros has no decay");
  std::vector<double> out(n);
  double energy = 0;
  for (std::size_t i = n; i-- > 0;) {
    energy += response[i] * response[i];
    out[i] = energy;
  }
  if (!std::isfinite(energy) || energy <= 0)
    fail(ErrorKind::bad_input, "decay: the response holds NaN or has no energy that can be summed");
  for (double& e : out) e = 10 * std::log10(std::max(e / energy, 1e-300));
  return out;
}

double decay_time(std::span<const double> decay_db, int rate, double span_db) {
  if (rate < 1 || !(span_db > 0)) fail(ErrorKind::bad_input, "decay: rate and span must be positive");
  const auto below = [&](double level) {
    return static_cast<std::size_t>(
        std::find_if(decay_db.begin(), decay_db.end(), [&](double d) { return d < level; }) - decay_db.begin());
  };
  const std::size_t from = below(-5);
  const std::size_t to = from < decay_db.size() ? below(decay_db[from] - span_db) : from;
  if (to < from + 2)
    fail(ErrorKind::bad_input, "decay: nothing is left {} dB down; a longer response is needed to find a decay time",
         5);
  const auto n = static_cast<double>(to - from);
  double sum = 0, moment = 0;
  for (std::size_t i = from; i < to; ++i) {
    sum += decay_db[i];
    moment += decay_db[i] * (static_cast<double>(i - from) - (n - 1) / 2);
  }
  const double slope = 12 * moment / (n * (n * n - 1));  // dB a sample
  if (!(slope < 0)) fail(ErrorKind::bad_input, "decay: the energy does not fall");
  return -60 / slope / rate;
}

double rt60(std::span<const double> response, int rate, double span_db) {
  return decay_time(energy_decay_db(response), rate, span_db);
}

double predicted_rt60(const Shoebox& room, DecayFormula formula, std::size_t band) {
  check_size(room.size);
  const Vec3 s = room.size;
  const double areas[6] = {s.y * s.z, s.y * s.z, s.x * s.z, s.x * s.z, s.x * s.y, s.x * s.y};
  double absorbed = 0;
  for (std::size_t w = 0; w < 6; ++w) {
    if (room.walls[w].empty()) fail(ErrorKind::bad_input, "room: wall {} has no absorption", w);
    absorbed += areas[w] * band_value(room.walls[w], band);
  }
  const double all = surface(s), mean = absorbed / all;
  if (!(mean >= 0 && mean <= 1)) fail(ErrorKind::bad_input, "room: a mean absorption of {} is outside [0, 1]", mean);
  const double walls = formula == DecayFormula::sabine ? absorbed : -all * std::log1p(-mean);
  const double air = room.air.empty() ? 0 : 4 * volume(s) * band_value(room.air, band);
  return walls + air > 0 ? kSabine * volume(s) / (room.sound_speed * (walls + air))
                         : std::numeric_limits<double>::infinity();
}

double absorption_for_rt60(Vec3 size, double rt60, DecayFormula formula, double sound_speed, double air) {
  check_size(size);
  if (!(rt60 > 0 && rt60 <= 100)) fail(ErrorKind::bad_input, "room: a decay time of {} s is outside (0, 100]", rt60);
  if (!(sound_speed > 0) || !(air >= 0)) fail(ErrorKind::bad_input, "room: sound speed and air must not be negative");
  const double all = surface(size), lost = 4 * volume(size) * air;
  const double area = kSabine * volume(size) / (sound_speed * rt60) - lost;
  if (area < 0)
    fail(ErrorKind::bad_input, "room: {} s cannot be had, the air alone takes the sound in {:.3g} s", rt60,
         kSabine * volume(size) / (sound_speed * lost));
  if (formula == DecayFormula::eyring) return -std::expm1(-area / all);
  if (area > all)
    fail(ErrorKind::bad_input, "room: {} s cannot be had by Sabine's formula, at least {:.3g} s in this room", rt60,
         kSabine * volume(size) / (sound_speed * (all + lost)));
  return area / all;
}

int order_for_rt60(Vec3 size, double rt60, double sound_speed) {
  check_size(size);
  // Images of one order lie about on a diamond; the shortest way to its faces, seen in each coordinate plane.
  const auto across = [](double a, double b) { return a * b / std::hypot(a, b); };
  const double nearest = std::min({across(size.x, size.y), across(size.x, size.z), across(size.y, size.z)});
  const double order = std::ceil(sound_speed * rt60 / nearest - 1);
  if (!(order >= 0 && order <= kMaxOrder))
    fail(ErrorKind::bad_input, "room: {} s would take images of order {:.0f}; 0..{} are possible, use a diffuse tail",
         rt60, order, kMaxOrder);
  return static_cast<int>(order);
}

}  // namespace thimble::dsp::room
