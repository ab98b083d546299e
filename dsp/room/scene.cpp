// Rooms, their checks and their sizes. The simulation itself is in images.cpp.
#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "dsp/room/plan.h"

namespace thimble::dsp::room {
namespace {

constexpr const char* kWallNames[6] = {"west", "east", "south", "north", "floor", "ceiling"};

void check_place(const Shoebox& room, Vec3 p, Vec3 facing, const std::string& who) {
  const auto inside = [](double v, double side) { return v > 0 && v < side; };
  if (!(inside(p.x, room.size.x) && inside(p.y, room.size.y) && inside(p.z, room.size.z)))
    fail(ErrorKind::bad_input, "room: {} at ({}, {}, {}) is not inside the room of {} x {} x {} m", who, p.x, p.y, p.z,
         room.size.x, room.size.y, room.size.z);
  const double n = norm(facing);
  if (!(n > 1e-9 && n < 1e9))
    fail(ErrorKind::bad_input, "room: {} faces ({}, {}, {}), which is no direction", who, facing.x, facing.y, facing.z);
}

void check_room(const Shoebox& room) {
  for (const double l : {room.size.x, room.size.y, room.size.z}) {
    if (!(l >= 0.1 && l <= 1000))
      fail(ErrorKind::bad_input, "room: sides of {} x {} x {} m; each must be in [0.1, 1000] m", room.size.x,
           room.size.y, room.size.z);
  }
  for (std::size_t w = 0; w < 6; ++w) {
    if (room.walls[w].empty()) fail(ErrorKind::bad_input, "room: the {} wall has no absorption", kWallNames[w]);
    for (const double a : room.walls[w]) {
      if (!(a >= 0 && a <= 1))
        fail(ErrorKind::bad_input, "room: an absorption of {} on the {} wall is outside [0, 1]", a, kWallNames[w]);
    }
  }
  if (!(room.sound_speed >= 10 && room.sound_speed <= 10000))
    fail(ErrorKind::bad_input, "room: a sound speed of {} m/s is outside [10, 10000]", room.sound_speed);
  for (const double m : room.air) {
    if (!(m >= 0 && m <= 100))
      fail(ErrorKind::bad_input, "room: an air absorption of {} a metre is outside [0, 100]", m);
  }
}

void check_options(const SimulationOptions& o) {
  const auto range = [](const char* what, double value, double low, double high) {
    if (!(value >= low && value <= high))
      fail(ErrorKind::bad_input, "simulation: {} of {} is outside [{}, {}]", what, value, low, high);
  };
  range("a rate", o.rate, 2000, 192000);
  range("an order", o.order, 0, kMaxOrder);
  range("a duration", o.duration, 0, 1000);
  range("a high-pass edge", o.high_pass, 0, o.rate / 4.0);
  if (!o.tail) return;
  range("a tail's start", o.tail->start, 0, 100);
  if (o.tail->rt60.empty()) fail(ErrorKind::bad_input, "simulation: the diffuse tail has no decay time");
  for (const double t : o.tail->rt60) range("a tail's decay time", t, 0.02, 20);
}

}  // namespace

Shoebox shoebox(Vec3 size, Absorption absorption) {
  Shoebox out;
  out.size = size;
  out.walls.fill(absorption);
  return out;
}

Shoebox shoebox(Vec3 size, double absorption) { return shoebox(size, Absorption{absorption}); }

std::int64_t image_count(int order) {
  const std::int64_t n = order;
  return (2 * n + 1) * (2 * n * n + 2 * n + 3) / 3;
}

AxisPlaces::AxisPlaces(double side, double source, int order_) : order(order_) {
  const auto l = static_cast<float>(side), s = static_cast<float>(source);
  for (int i = -order; i <= order; ++i) {
    const float step = i % 2 ? l - s : s;
    place.push_back(static_cast<float>(i) * l + step);
  }
}

double longest_path(const std::array<AxisPlaces, 3>& axes, Vec3 microphone) {
  const int order = axes[0].order;
  // Largest squared distance along an axis among images of at most n reflections.
  const auto reach = [&](const AxisPlaces& axis, double at) {
    std::vector<double> out(static_cast<std::size_t>(order) + 1);
    for (int n = 0; n <= order; ++n) {
      const double a = axis.at(n) - at, b = axis.at(-n) - at, square = std::max(a * a, b * b);
      out[static_cast<std::size_t>(n)] = n == 0 ? square : std::max(square, out[static_cast<std::size_t>(n) - 1]);
    }
    return out;
  };
  const auto x = reach(axes[0], microphone.x), y = reach(axes[1], microphone.y), z = reach(axes[2], microphone.z);
  double longest = 0;
  for (std::size_t k = 0; k < z.size(); ++k) {
    for (std::size_t j = 0; j + k < z.size(); ++j) longest = std::max(longest, x[z.size() - 1 - j - k] + (y[j] + z[k]));
  }
  return std::sqrt(longest);
}

double tail_start(const Shoebox& room, double direct, const SimulationOptions& options) {
  if (options.tail->start > 0) return std::max(options.tail->start, direct + 0.01);
  const Vec3 s = room.size;
  // The diamond of an order's images holds a sphere of this radius; inside it no image is missing.
  const double complete =
      options.order / std::sqrt(1 / (s.x * s.x) + 1 / (s.y * s.y) + 1 / (s.z * s.z)) / room.sound_speed;
  const double mixing = 2e-3 * std::sqrt(s.x * s.y * s.z);
  return std::max(std::min(complete - kTailReach, mixing), direct + 0.01);
}

ResponseSize response_size(const Shoebox& room, const Source& source, const Microphone& microphone, double longest,
                           const SimulationOptions& options) {
  const double rate = options.rate;
  double end = longest / room.sound_speed;
  if (options.duration > 0) end = std::min(end, options.duration);
  ResponseSize out;
  double total = end;
  if (options.tail) {
    const double start = tail_start(room, norm(source.position - microphone.position) / room.sound_speed, options);
    end = std::min(end, start + kTailReach);
    total = std::max(end, start + *std::max_element(options.tail->rt60.begin(), options.tail->rt60.end()) * 70 / 60);
  }
  // The lead, the taps after the last arrival, and one for rounding.
  const auto samples = [&](double t) { return std::ceil((t + kResponseLead / rate) * rate + kResponseLead + 1) + 1; };
  if (!(samples(total) <= static_cast<double>(kMaxResponse)))
    fail(ErrorKind::bad_input,
         "room: a response of {:.0f} samples; at most {} are possible: ask for a lower order or a duration",
         samples(total), kMaxResponse);
  out.images = static_cast<std::size_t>(samples(end));
  out.total = static_cast<std::size_t>(samples(total));
  const bool all = end == longest / room.sound_speed;
  out.last = static_cast<std::int32_t>(out.images) - kTapsOfDelay;
  if (!all) out.last = std::min(out.last, static_cast<std::int32_t>(end * rate));
  return out;
}

void check_scene(const Shoebox& room, std::span<const Source> sources, std::span<const Microphone> microphones,
                 const SimulationOptions& options) {
  check_room(room);
  check_options(options);
  if (sources.empty()) fail(ErrorKind::bad_input, "room: there is no source");
  if (microphones.empty()) fail(ErrorKind::bad_input, "room: there is no microphone");
  for (std::size_t s = 0; s < sources.size(); ++s)
    check_place(room, sources[s].position, sources[s].facing, fmt::format("source {}", s));
  for (std::size_t m = 0; m < microphones.size(); ++m)
    check_place(room, microphones[m].position, microphones[m].facing, fmt::format("microphone {}", m));
  double bytes = 0;
  for (std::size_t s = 0; s < sources.size(); ++s) {
    const auto axes = axis_places(room, sources[s].position, options.order);
    for (std::size_t m = 0; m < microphones.size(); ++m) {
      if (norm(sources[s].position - microphones[m].position) < 1e-3)
        fail(ErrorKind::bad_input, "room: source {} is within 1 mm of microphone {}", s, m);
      const double longest = longest_path(axes, microphones[m].position);
      bytes +=
          static_cast<double>(response_size(room, sources[s], microphones[m], longest, options).total) * sizeof(double);
    }
  }
  if (bytes > static_cast<double>(kMaxResponseBytes))
    fail(ErrorKind::bad_input,
         "room: the responses would take {:.1f} GiB, at most {} are possible: simulate fewer pairs", bytes / (1 << 30),
         kMaxResponseBytes >> 30);
}

std::array<AxisPlaces, 3> axis_places(const Shoebox& room, Vec3 source, int order) {
  return {AxisPlaces(room.size.x, source.x, order), AxisPlaces(room.size.y, source.y, order),
          AxisPlaces(room.size.z, source.z, order)};
}

}  // namespace thimble::dsp::room
