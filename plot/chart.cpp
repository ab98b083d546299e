// Line charts.
#include "plot/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "media/codec.h"
#include "plot/canvas.h"

namespace thimble::plot {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  void or_else(double a, double b) {
    if (low > high) low = a, high = b;
  }
};

bool usable(double v, bool log) { return std::isfinite(v) && (!log || v > 0); }

void draw(const LineChart& chart, Canvas& canvas) {
  Range xs, ys;
  std::vector<std::string> names;
  for (const Series& s : chart.series) {
    if (s.x.size() != s.y.size()) {
      fail(ErrorKind::bad_input, "series '{}' has {} x values and {} y values", s.name, s.x.size(), s.y.size());
    }
    names.push_back(s.name);
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!usable(s.x[i], chart.log_x) || !usable(s.y[i], chart.log_y)) continue;
      xs.add(s.x[i]);
      ys.add(s.y[i]);
    }
  }
  xs.or_else(1, 10);
  ys.or_else(1, 10);
  std::size_t longest = 0;
  for (const std::string& n : names) longest = std::max(longest, n.size());
  const bool legend = names.size() > 1;
  const Area area{76, 40, chart.size.width - (legend ? 44 + 9.0 * static_cast<double>(longest) : 20),
                  chart.size.height - 52.0};
  const double pad = chart.log_y ? 0 : 0.04 * (ys.high - ys.low);
  const Axis x(xs.low, xs.high, chart.log_x, area.left, area.right),
      y(ys.low - pad, ys.high + pad, chart.log_y, area.bottom, area.top);
  draw_title(canvas, chart.size, chart.title);
  draw_axes(canvas, area, &x, y, chart.x_label, chart.y_label);
  if (legend) draw_legend(canvas, area, names);
  for (std::size_t s = 0; s < chart.series.size(); ++s) {
    const Series& series = chart.series[s];
    std::vector<Point> points;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!usable(series.x[i], chart.log_x) || !usable(series.y[i], chart.log_y)) continue;
      points.push_back({x.place(series.x[i]), y.place(series.y[i])});
    }
    canvas.polyline(points, series_colour(s), 2);
    if (chart.markers || points.size() == 1) {
      for (const Point& p : points) canvas.dot(p, 3.5, series_colour(s));
    }
  }
}

Drawing drawing_of(const LineChart& chart) {
  return [&chart](Canvas& canvas) { draw(chart, canvas); };
}

}  // namespace

media::Image LineChart::render() const { return render_picture(size, drawing_of(*this)); }
void LineChart::write_png(const std::filesystem::path& path) const { media::write_image(path, render()); }
void LineChart::write_svg(const std::filesystem::path& path) const { write_svg_file(path, size, drawing_of(*this)); }

}  // namespace thimble::plot
