// Charts as pixels: drawn at twice the size and averaged down, which smooths lines and letters.
#include <algorithm>
#include <cmath>

#include "media/transform.h"
#include "plot/canvas.h"
#include "plot/font.h"

namespace thimble::plot {
namespace {

constexpr int kZoom = 2;

class RasterCanvas final : public Canvas {
 public:
  explicit RasterCanvas(ChartSize size) : image_(size.width * kZoom, size.height * kZoom, 3) {
    std::fill(image_.pixels.begin(), image_.pixels.end(), std::uint8_t{255});
  }
  media::Image finished() const { return media::resize(image_, image_.width / kZoom, image_.height / kZoom); }

  void polyline(const std::vector<Point>& points, media::Rgb colour, double width) override {
    for (std::size_t i = 1; i < points.size(); ++i) segment(points[i - 1], points[i], colour, width * kZoom / 2);
  }

  void rectangle(Point corner, double width, double height, media::Rgb colour) override {
    const int x1 = pixel(corner.x + width), y1 = pixel(corner.y + height);
    for (int y = pixel(corner.y); y < y1; ++y) {
      for (int x = pixel(corner.x); x < x1; ++x) put(x, y, colour);
    }
  }

  void dot(Point centre, double radius, media::Rgb colour) override { segment(centre, centre, colour, radius * kZoom); }

  void text(Point at, const std::string& text, const TextStyle& style) override {
    const std::string ascii = to_ascii(text);
    const int scale = std::max(1, static_cast<int>(std::lround(style.size * kZoom / 9)));
    const int length = text_width(ascii, scale);
    const int back = style.anchor == Anchor::start ? 0 : style.anchor == Anchor::middle ? length / 2 : length;
    const int half = 7 * scale / 2;  // the seven rows above the base line
    if (style.vertical) {
      draw_text(image_, pixel(at.x) - half, pixel(at.y) + back, ascii, style.colour, scale, true);
    } else {
      draw_text(image_, pixel(at.x) - back, pixel(at.y) - half, ascii, style.colour, scale);
    }
  }

 private:
  static int pixel(double v) { return static_cast<int>(std::lround(v * kZoom)); }

  void put(int x, int y, media::Rgb c) {
    if (x < 0 || y < 0 || x >= image_.width || y >= image_.height) return;
    std::uint8_t* p = image_.at(x, y);
    p[0] = c.r, p[1] = c.g, p[2] = c.b;
  }

  // Every pixel whose centre lies within `radius` of the segment.
  void segment(Point a, Point b, media::Rgb colour, double radius) {
    const double ax = a.x * kZoom, ay = a.y * kZoom, dx = b.x * kZoom - ax, dy = b.y * kZoom - ay;
    const double length = dx * dx + dy * dy;
    const auto low = [&](double p, double d) { return static_cast<int>(std::floor(std::min(p, p + d) - radius)); };
    const auto high = [&](double p, double d) { return static_cast<int>(std::ceil(std::max(p, p + d) + radius)); };
    for (int y = std::max(0, low(ay, dy)); y <= std::min(image_.height - 1, high(ay, dy)); ++y) {
      for (int x = std::max(0, low(ax, dx)); x <= std::min(image_.width - 1, high(ax, dx)); ++x) {
        const double px = x + 0.5 - ax, py = y + 0.5 - ay;
        const double t = length == 0 ? 0 : std::clamp((px * dx + py * dy) / length, 0.0, 1.0);
        const double ex = px - t * dx, ey = py - t * dy;
        if (ex * ex + ey * ey <= radius * radius) put(x, y, colour);
      }
    }
  }

  media::Image image_;
};

}  // namespace

media::Image render_picture(ChartSize size, const Drawing& drawing) {
  RasterCanvas canvas(size);
  drawing(canvas);
  return canvas.finished();
}

}  // namespace thimble::plot
