// What charts draw on: one drawing becomes a PNG or an SVG. Inside this folder only.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "media/image.h"
#include "plot/chart.h"

namespace thimble::plot {

struct Point {
  double x = 0, y = 0;  // pixels from the upper left corner
};

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = 12;  // pixels
  Anchor anchor = Anchor::start;
  media::Rgb colour{40, 40, 40};
  bool vertical = false;  // read from bottom to top
};

class Canvas {
 public:
  virtual ~Canvas() = default;
  virtual void polyline(const std::vector<Point>& points, media::Rgb colour, double width) = 0;
  virtual void rectangle(Point corner, double width, double height, media::Rgb colour) = 0;
  virtual void dot(Point centre, double radius, media::Rgb colour) = 0;
  // `at` is the anchor on the text's middle line.
  virtual void text(Point at, const std::string& text, const TextStyle& style) = 0;

  void line(Point a, Point b, media::Rgb colour, double width) { polyline({a, b}, colour, width); }
};

using Drawing = std::function<void(Canvas&)>;
media::Image render_picture(ChartSize size, const Drawing& drawing);
std::string render_svg(ChartSize size, const Drawing& drawing);
void write_svg_file(const std::filesystem::path& path, ChartSize size, const Drawing& drawing);

inline constexpr media::Rgb kInk{40, 40, 40}, kGridColour{225, 225, 225}, kFrameColour{120, 120, 120};
media::Rgb series_colour(std::size_t index);  // distinguishable also for most colour-blind readers

// The plotting area inside title and axis labels, and a scale for each axis.
struct Area {
  double left = 0, top = 0, right = 0, bottom = 0;
};

class Axis {
 public:
  // Covers [low, high], widened to be non-empty; for log axes both above zero.
  Axis(double low, double high, bool log, double from, double to);
  double place(double value) const;  // in pixels
  struct Tick {
    double value;
    std::string label;
  };
  std::vector<Tick> ticks(int wanted) const;

 private:
  double low_, high_;
  bool log_;
  double from_, to_;
};

// Short decimal form: "0.001", "1e-05", "15000".
std::string number_text(double value);

void draw_title(Canvas& canvas, ChartSize size, const std::string& title);
void draw_axes(Canvas& canvas, const Area& area, const Axis* x, const Axis& y, const std::string& x_label,
               const std::string& y_label);
void draw_legend(Canvas& canvas, const Area& area, const std::vector<std::string>& names);

}  // namespace thimble::plot
