#include "plot/polar.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "media/codec.h"
#include "plot/canvas.h"

namespace thimble::plot {
namespace {

void draw(const PolarPlot& plot, Canvas& canvas) {
  draw_title(canvas, plot.size, plot.title);
  const double radius = std::min(plot.size.width / 2.0 - 60, plot.size.height / 2.0 - 70);
  if (radius < 20) fail(ErrorKind::bad_input, "a polar plot in {}x{} pixels", plot.size.width, plot.size.height);
  const Point centre{plot.size.width / 2.0, plot.size.height / 2.0 + 5};
  const auto place = [&](double azimuth, double r) {
    return Point{centre.x - radius * r * std::sin(azimuth), centre.y - radius * r * std::cos(azimuth)};
  };
  constexpr int kArc = 72;
  const auto circle = [&](double r, media::Rgb colour) {
    std::vector<Point> points;
    for (int i = 0; i <= kArc; ++i) points.push_back(place(2 * std::numbers::pi * i / kArc, r));
    canvas.polyline(points, colour, 1);
  };
  for (const double r : {0.25, 0.5, 0.75}) circle(r, kGridColour);
  circle(1, kFrameColour);
  for (int degrees = 0; degrees < 360; degrees += 30) {
    const double azimuth = degrees * std::numbers::pi / 180;
    canvas.line(place(azimuth, 0), place(azimuth, 1), kGridColour, 1);
    const int shown = degrees > 180 ? degrees - 360 : degrees;
    canvas.text(place(azimuth, 1.12), std::to_string(shown), {.anchor = Anchor::middle});
  }
  double low = INFINITY, high = -INFINITY;
  for (const double v : plot.values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (low < high) {
    std::vector<Point> curve;
    const std::size_t count = plot.values.size();
    for (std::size_t i = 0; i <= count; ++i) {
      const double v = plot.values[i % count];
      if (!std::isfinite(v)) continue;
      curve.push_back(
          place(2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(count), (v - low) / (high - low)));
    }
    canvas.polyline(curve, series_colour(0), 2);
  }
  for (const PolarMark& dot : plot.dots) canvas.dot(place(dot.azimuth, dot.radius), 3, series_colour(2));
  for (const PolarMark& ray : plot.rays) {
    canvas.line(centre, place(ray.azimuth, ray.radius), series_colour(1), 2);
    if (!ray.label.empty())
      canvas.text(place(ray.azimuth, ray.radius + 0.05), ray.label,
                  {.anchor = Anchor::middle, .colour = series_colour(1)});
  }
  if (!plot.note.empty())
    canvas.text({plot.size.width / 2.0, plot.size.height - 16.0}, plot.note, {.anchor = Anchor::middle});
}

}  // namespace

media::Image PolarPlot::render() const {
  return render_picture(size, [&](Canvas& canvas) { draw(*this, canvas); });
}
void PolarPlot::write_png(const std::filesystem::path& path) const { media::write_image(path, render()); }
void PolarPlot::write_svg(const std::filesystem::path& path) const {
  write_svg_file(path, size, [&](Canvas& canvas) { draw(*this, canvas); });
}

}  // namespace thimble::plot
