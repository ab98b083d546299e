// A room from above: devices, the bearings they heard a voice from, the talker and the fan of directions it may face.
// x to the right, y up; metres and radians.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "media/image.h"
#include "plot/chart.h"

namespace thimble::plot {

struct PlanDevice {
  std::string label = {};
  double x = 0, y = 0, azimuth = 0;    // azimuth: where its own x axis points
  std::optional<double> bearing = {};  // of the voice, in the room
  bool chosen = false;
};

struct PlanTalker {
  double x = 0, y = 0, spread = 0;  // spread: one sigma of the place
  std::optional<double> facing = {};
  double facing_spread = 0;  // one sigma
};

struct FloorPlan {
  std::string title = {}, note = {};
  std::optional<double> width = {}, depth = {};  // of the room, its corner at (0, 0); none: around what is drawn
  std::vector<PlanDevice> devices = {};
  std::optional<PlanTalker> talker = {}, truth = {};  // as estimated, as known
  ChartSize size = {720, 640};

  media::Image render() const;
  void write_png(const std::filesystem::path& path) const;
  void write_svg(const std::filesystem::path& path) const;
};

}  // namespace thimble::plot
