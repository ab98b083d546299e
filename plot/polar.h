// A quantity over directions, as a closed curve about a centre: 0 degrees up, angles counter-clockwise, as a device
// that looks ahead sees the room from above.
//   PolarPlot plot{.title = "direction of arrival", .values = map};
//   plot.write_svg("polar.svg");
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "media/image.h"
#include "plot/chart.h"

namespace thimble::plot {

struct PolarMark {
  double azimuth = 0;      // radians
  std::string label = {};  // may be empty
  double radius = 1;       // of the outer circle: rays end here
};

struct PolarPlot {
  std::string title = {}, note = {};  // note: a line under the plot
  std::vector<double> values = {};    // at azimuths 2 pi i / size; scaled from their least to their largest
  std::vector<PolarMark> rays = {};   // from the centre out
  std::vector<PolarMark> dots = {};
  ChartSize size = {520, 560};

  media::Image render() const;
  void write_png(const std::filesystem::path& path) const;
  void write_svg(const std::filesystem::path& path) const;
};

}  // namespace thimble::plot
