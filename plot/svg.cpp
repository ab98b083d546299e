#include <fmt/format.h>

#include "base/file.h"
#include "plot/canvas.h"

namespace thimble::plot {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string hex(media::Rgb c) { return fmt::format("#{:02x}{:02x}{:02x}", c.r, c.g, c.b); }

class SvgCanvas final : public Canvas {
 public:
  std::string body;

  void polyline(const std::vector<Point>& points, media::Rgb colour, double width) override {
    body += fmt::format(R"(<polyline fill="none" stroke="{}" stroke-width="{}" stroke-linejoin="round" points=")",
                        hex(colour), width);
    for (const Point& p : points) body += fmt::format("{:.2f},{:.2f} ", p.x, p.y);
    body += "\"/>\n";
  }
  void rectangle(Point corner, double width, double height, media::Rgb colour) override {
    body += fmt::format("<rect x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" fill=\"{}\"/>\n", corner.x,
                        corner.y, width, height, hex(colour));
  }
  void dot(Point centre, double radius, media::Rgb colour) override {
    body += fmt::format("<circle cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"{:.2f}\" fill=\"{}\"/>\n", centre.x, centre.y, radius,
                        hex(colour));
  }
  void text(Point at, const std::string& text, const TextStyle& style) override {
    static constexpr const char* anchors[] = {"start", "middle", "end"};
    const std::string turn = style.vertical ? fmt::format(" transform=\"rotate(-90 {:.2f} {:.2f})\"", at.x, at.y) : "";
    body += fmt::format(
        "<text x=\"{:.2f}\" y=\"{:.2f}\" font-size=\"{}\" text-anchor=\"{}\" dy=\"0.35em\" fill=\"{}\"{}>{}</text>\n",
        at.x, at.y, style.size, anchors[static_cast<int>(style.anchor)], hex(style.colour), turn, escaped(text));
  }
};

}  // namespace

std::string render_svg(ChartSize size, const Drawing& drawing) {
  SvgCanvas canvas;
  drawing(canvas);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n{2}</svg>\n",
      size.width, size.height, canvas.body);
}

void write_svg_file(const std::filesystem::path& path, ChartSize size, const Drawing& drawing) {
  write_file(path, render_svg(size, drawing));
}

}  // namespace thimble::plot
