#include "voice/study/sampler.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/room/air.h"
#include "dsp/room/decay.h"
#include "voice/study/corpus.h"

namespace thimble::voice {
namespace room = dsp::room;
namespace {

constexpr double kDegree = std::numbers::pi / 180;
constexpr double kTalkerFromWall = 0.6, kDeviceFromWall = 0.25;  // m
constexpr double kNearest = 1.0;                                 // m from the talker to a device, on the floor plan
constexpr double kApart = 35 * kDegree;                          // between devices as the talker sees them
constexpr double kNobodyOff = 45 * kDegree;                      // no device nearer to the facing direction than this
constexpr int kPlacings = 20000;
constexpr std::size_t kBandOfRt60 = 3;  // 1 kHz
constexpr double kWidest = 2.5, kNarrowest = 0.02;

// Carpets, curtains and people take more of the high bands, panels and windows more of the lowest.
const std::vector<RoomKind> kSweepRooms = {
    {"study", {4.1, 3.4, 2.5}, {1.1, 1.0, 1.0, 1, 1.1, 1.2, 1.2}, {1, 1, 1, 1, 1.3, 0.7}},
    {"kitchen", {5.0, 3.7, 2.7}, {1.2, 1.1, 0.9, 1, 1.0, 1.1, 1.1}, {1, 0.8, 1.2, 1, 0.8, 1.1}},
    {"bedroom", {4.6, 4.3, 2.6}, {1.0, 0.9, 0.9, 1, 1.2, 1.3, 1.4}, {1.3, 0.8, 1, 1, 1.4, 0.7}},
    {"living", {6.8, 4.9, 2.8}, {1.1, 1.0, 1.0, 1, 1.1, 1.1, 1.2}, {1, 1.2, 0.8, 1, 1.2, 0.8}},
    {"office", {7.0, 5.8, 3.0}, {1.0, 0.9, 0.9, 1, 1.0, 1.0, 1.0}, {0.9, 0.9, 0.9, 0.9, 1, 1.4}},
};
const std::vector<RoomKind> kTuningRooms = {
    {"tuning-1", {4.4, 3.8, 2.4}, {1.0, 1.0, 0.9, 1, 1.1, 1.2, 1.3}, {1, 1, 1.2, 0.9, 1.3, 0.7}},
    {"tuning-2", {5.4, 3.5, 2.6}, {1.1, 1.1, 1.0, 1, 1.0, 1.1, 1.1}, {0.8, 1.1, 1, 1, 0.9, 1.2}},
    {"tuning-3", {5.1, 4.7, 2.7}, {1.1, 0.9, 0.9, 1, 1.1, 1.2, 1.3}, {1.2, 1, 0.8, 1, 1.2, 0.9}},
    {"tuning-4", {6.3, 4.5, 2.5}, {1.0, 0.9, 0.9, 1, 1.1, 1.1, 1.2}, {1, 1, 1, 1.2, 1.1, 0.8}},
    {"tuning-5", {6.6, 5.5, 2.9}, {1.0, 0.9, 1.0, 1, 1.0, 1.1, 1.1}, {1, 0.8, 1, 1, 1, 1.3}},
};

room::Shoebox scaled_room(const RoomKind& kind, double scale) {
  room::Shoebox shoebox;
  shoebox.size = kind.size;
  for (std::size_t w = 0; w < 6; ++w) {
    for (double octave : kind.by_octave) {
      shoebox.walls[w].push_back(std::clamp(scale * octave * kind.by_wall[w], 0.005, 0.99));
    }
  }
  shoebox.air = room::air_absorption({}, static_cast<int>(kind.by_octave.size()));
  return shoebox;
}

void check_options(const SamplerOptions& o) {
  const auto refuse = [](std::string_view what) { fail(ErrorKind::bad_input, "a sweep: {}", what); };
  if (o.devices.empty() || *std::min_element(o.devices.begin(), o.devices.end()) < 2 ||
      *std::max_element(o.devices.begin(), o.devices.end()) > 8) {
    refuse("counts of devices must lie in 2 to 8");
  }
  if (o.rt60.empty()) refuse("at least one RT60 is needed");
  for (double t : o.rt60) {
    if (!(t >= 0.15 && t <= 3)) refuse(fmt::format("an RT60 of {} s is outside 0.15 to 3 s", t));
  }
  if (!(o.snr_low >= -20 && o.snr_high <= 100 && o.snr_low <= o.snr_high)) refuse("SNR must lie in -20 to 100 dB");
  if (!(o.gain_db >= 0 && o.gain_db <= 20)) refuse("gain errors must lie in 0 to 20 dB");
  if (!(o.mismatch >= 0 && o.mismatch <= 4)) refuse("the pattern's mismatch must lie in 0 to 4");
  if (!(o.facing_sigma_deg >= 0 && o.facing_sigma_deg <= 45)) refuse("the facing error must lie in 0 to 45 degrees");
  if (!(o.nobody >= 0 && o.nobody <= 1)) refuse("the share of nobody must lie in 0 to 1");
  if (o.positions < 1 || o.positions > 100000) refuse("positions must lie in 1 to 100000");
}

// Draws in one order, so that a seed stays a scene.
class Placer {
 public:
  Placer(const SamplerOptions& options, const dsp::Vec3& size, Rng& rng) : options_(options), size_(size), rng_(rng) {}

  // Talker, devices in the list's order, and where the talker turns.
  void place(Scene& scene, bool nobody) {
    const auto count = static_cast<std::size_t>(*std::max_element(options_.devices.begin(), options_.devices.end()));
    for (int tries = 0; tries < kPlacings; ++tries) {
      scene.devices.clear();
      scene.talker = Talker{inside(kTalkerFromWall, 1.2, 1.7), 0};
      while (scene.devices.size() < count && add_device(scene)) {
      }
      if (scene.devices.size() == count && turn(scene, nobody)) return;
    }
    fail(ErrorKind::bad_input, "no place was found for {} devices in a room of {} x {} m; ask for fewer", count,
         size_.x, size_.y);
  }

 private:
  dsp::Vec3 inside(double wall, double low, double high) {
    const double x = rng_.uniform(wall, size_.x - wall), y = rng_.uniform(wall, size_.y - wall);
    return {x, y, rng_.uniform(low, high)};
  }

  bool add_device(Scene& scene) {
    const dsp::Vec3& mouth = scene.talker->position;
    for (int tries = 0; tries < 30; ++tries) {
      Device device;
      device.position = inside(kDeviceFromWall, 0.8, 1.5);
      device.azimuth = rng_.uniform(-std::numbers::pi, std::numbers::pi);
      const double angle = bearing(mouth, device.position);
      const bool far = std::hypot(device.position.x - mouth.x, device.position.y - mouth.y) >= kNearest;
      const bool free = std::all_of(scene.devices.begin(), scene.devices.end(), [&](const Device& other) {
        return std::abs(dsp::wrap_angle(bearing(mouth, other.position) - angle)) >= kApart;
      });
      if (!far || !free) continue;
      device.name = fmt::format("d{}", scene.devices.size());
      device.array_name = options_.array;
      device.array = dsp::array_by_name(options_.array);
      scene.devices.push_back(std::move(device));
      return true;
    }
    return false;
  }

  bool turn(Scene& scene, bool nobody) {
    Talker& talker = *scene.talker;
    if (!nobody) {
      // Device 0 is as good as any: all were placed alike.
      const double error = options_.facing_sigma_deg * kDegree * rng_.normal();
      talker.facing = dsp::wrap_angle(bearing(talker.position, scene.devices[0].position) + error);
      return true;
    }
    for (int tries = 0; tries < 50; ++tries) {
      talker.facing = rng_.uniform(-std::numbers::pi, std::numbers::pi);
      if (faced_device(scene, talker).off >= kNobodyOff) return true;
    }
    return false;
  }

  const SamplerOptions& options_;
  dsp::Vec3 size_;
  Rng& rng_;
};

}  // namespace

const std::vector<RoomKind>& sweep_rooms() { return kSweepRooms; }
const std::vector<RoomKind>& tuning_rooms() { return kTuningRooms; }

room::Shoebox make_room(const RoomKind& kind, double rt60) {
  const auto decay = [&](double scale) {
    return room::predicted_rt60(scaled_room(kind, scale), room::DecayFormula::eyring, kBandOfRt60);
  };
  double low = kNarrowest, high = kWidest;
  if (!(rt60 <= decay(low) && rt60 >= decay(high))) {
    fail(ErrorKind::bad_input, "the room '{}' cannot have an RT60 of {} s; {:.2f} to {:.2f} s are possible", kind.name,
         rt60, decay(high), decay(low));
  }
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (decay(middle) > rt60 ? low : high) = middle;
  }
  return scaled_room(kind, high);
}

Sampler::Sampler(SamplerOptions options, std::size_t talkers) : options_(std::move(options)), talkers_(talkers) {
  check_options(options_);
  dsp::array_by_name(options_.array);
  if (talkers == 0) fail(ErrorKind::bad_input, "a sweep: no talkers");
  for (const RoomKind& kind : rooms()) {
    for (double t : options_.rt60) make_room(kind, t);
  }
}

std::size_t Sampler::size() const { return rooms().size() * talkers_ * static_cast<std::size_t>(options_.positions); }

Configuration Sampler::at(std::size_t index) const {
  check(index < size(), "a configuration past the sweep's end");
  Configuration c;
  c.index = index;
  c.room = index % rooms().size();
  c.talker = index / rooms().size() % talkers_;
  c.position = index / rooms().size() / talkers_;
  // Over positions every room and talker meets every RT60.
  c.rt60 = options_.rt60[(c.position + c.room + c.talker) % options_.rt60.size()];

  Rng rng(options_.seed, index);
  c.seed = (std::uint64_t{rng.next_u32()} << 32) | rng.next_u32();
  c.phrase = rng.next_u32();
  c.snr_db = rng.uniform(options_.snr_low, options_.snr_high);
  c.noise = static_cast<room::NoiseKind>(rng.below(3));
  c.nobody = rng.chance(options_.nobody);
  const RoomKind& kind = rooms()[c.room];
  c.scene.room = RoomShape{kind.size, c.rt60};
  Placer(options_, kind.size, rng).place(c.scene, c.nobody);
  for (std::size_t d = 0; d < c.scene.devices.size(); ++d) {
    c.gains_db.push_back(rng.uniform(-options_.gain_db, options_.gain_db));
  }
  return c;
}

room::Directivity talker_pattern(std::uint64_t seed, double amount) {
  constexpr double kStep = 0.5, kVowels = 1.25;  // dB
  const room::Directivity mean = room::Directivity::voice();
  const std::vector<double>& angles = mean.pattern_table()->angles();
  const std::vector<double>& octaves = mean.pattern_table()->frequencies();
  Rng rng(seed, 0x7061747465726e);
  const double scale = 1 + amount * rng.uniform(-0.25, 0.25);
  std::vector<double> shared(angles.size());
  for (std::size_t a = 1; a < angles.size(); ++a) shared[a] = shared[a - 1] + amount * kStep * rng.normal();

  std::vector<double> gains;
  for (double octave : octaves) {
    const double vowels = octave >= 2000 ? amount * kVowels * rng.normal() : 0;
    double own = 0;
    for (std::size_t a = 0; a < angles.size(); ++a) {
      if (a > 0) own += amount * kStep * rng.normal();
      const double side = std::sin(angles[a] * kDegree);
      gains.push_back(scale * mean.pattern_table()->gain_db(angles[a], octave) + shared[a] + own +
                      vowels * side * side);
    }
  }
  return room::Directivity::table(std::make_shared<room::PatternTable>(angles, octaves, gains));
}

}  // namespace thimble::voice
