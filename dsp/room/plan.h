// What the parts of the simulator share: places of images along the axes, lengths of responses, the diffuse tail.
// Not for other folders: dsp/room/room.h is the interface.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "dsp/room/bands.h"
#include "dsp/room/room.h"

namespace thimble::dsp::room {

constexpr double kTailFade = 0.02;    // seconds over which images give way to the tail, half of it after its start
constexpr double kTailReach = 0.025;  // seconds of images after (and before) the joint that set the tail's level
constexpr int kTapsOfDelay = 80;

// Coordinates of a source's images along one axis, image i in -order..order after |i| reflections. f32 values.
struct AxisPlaces {
  AxisPlaces(double side, double source, int order_);
  double at(int i) const { return place[static_cast<std::size_t>(i + order)]; }

  int order;
  std::vector<double> place;
};
std::array<AxisPlaces, 3> axis_places(const Shoebox& room, Vec3 source, int order);

// Metres from the farthest image.
double longest_path(const std::array<AxisPlaces, 3>& axes, Vec3 microphone);

struct ResponseSize {
  std::size_t images = 0, total = 0;  // samples, without and with the tail
  std::int32_t last = 0;              // images whose first tap is later are left out
};
ResponseSize response_size(const Shoebox& room, const Source& source, const Microphone& microphone, double longest,
                           const SimulationOptions& options);

// Seconds after emission at which the tail takes over, at least 10 ms after the direct sound.
double tail_start(const Shoebox& room, double direct, const SimulationOptions& options);

// Fades the responses of one source into noise; `responses` are by microphone, each of its total length.
void add_tail(const Shoebox& room, const Source& source, std::uint64_t source_index,
              std::span<const Microphone> microphones, std::span<std::vector<double>> responses,
              const SimulationOptions& options);

}  // namespace thimble::dsp::room
