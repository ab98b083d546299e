// Charts as PNG and SVG: lines, bars, heat maps. Example:
//   LineChart chart{.title = "loss", .x_label = "step", .y_label = "loss", .log_y = true};
//   chart.series.push_back({"train", steps, losses});
//   chart.write_png("loss.png");
// Values that are not finite are skipped; on a log axis also those not above zero. Labels are ASCII in the PNG.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "media/image.h"

namespace thimble::plot {

struct ChartSize {
  int width = 800, height = 500;  // pixels
};

struct Series {
  std::string name;
  std::vector<double> x, y;  // of equal length
};

struct LineChart {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  bool markers = false;  // a dot on every point
  std::vector<Series> series = {};
  ChartSize size = {};

  media::Image render() const;
  void write_png(const std::filesystem::path& path) const;
  void write_svg(const std::filesystem::path& path) const;
};

// Bars in groups: one group per label, one bar per series in it. values[s][l].
struct BarChart {
  std::string title = {}, y_label = {};
  std::vector<std::string> labels = {};
  std::vector<std::string> series = {};
  std::vector<std::vector<double>> values = {};
  ChartSize size = {};

  media::Image render() const;
  void write_png(const std::filesystem::path& path) const;
  void write_svg(const std::filesystem::path& path) const;
};

struct HeatMap {
  std::string title = {}, x_label = {}, y_label = {};
  int rows = 0, columns = 0;
  std::vector<double> values = {};                             // (rows, columns), first row on top
  std::vector<std::string> row_names = {}, column_names = {};  // may be empty
  bool show_values = false;                                    // numbers in the cells
  ChartSize size = {};

  media::Image render() const;
  void write_png(const std::filesystem::path& path) const;
  void write_svg(const std::filesystem::path& path) const;
};

}  // namespace thimble::plot
