// Bar charts.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "media/codec.h"
#include "plot/canvas.h"

namespace thimble::plot {
namespace {

void draw(const BarChart& chart, Canvas& canvas) {
  if (chart.values.size() != chart.series.size()) {
    fail(ErrorKind::bad_input, "a bar chart of {} series with {} rows of values", chart.series.size(),
         chart.values.size());
  }
  double low = 0, high = 0;
  for (const auto& row : chart.values) {
    if (row.size() != chart.labels.size()) {
      fail(ErrorKind::bad_input, "a bar chart of {} labels with a row of {} values", chart.labels.size(), row.size());
    }
    for (const double v : row) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, v);
      high = std::max(high, v);
    }
  }
  std::size_t longest = 0, widest = 0;
  for (const std::string& n : chart.series) longest = std::max(longest, n.size());
  for (const std::string& n : chart.labels) widest = std::max(widest, n.size());
  const bool legend = chart.series.size() > 1;
  Area area{76, 40, chart.size.width - (legend ? 44 + 9.0 * static_cast<double>(longest) : 20), 0};
  const double slot = (area.right - area.left) / static_cast<double>(std::max<std::size_t>(1, chart.labels.size()));
  const bool upright = 9.0 * static_cast<double>(widest) > slot - 4;  // long labels are written upwards
  area.bottom = chart.size.height - (upright ? 16 + 9.0 * static_cast<double>(widest) : 36);
  const Axis y(low, high * 1.04, false, area.bottom, area.top);
  draw_title(canvas, chart.size, chart.title);
  draw_axes(canvas, area, nullptr, y, "", chart.y_label);
  if (legend) draw_legend(canvas, area, chart.series);
  const double width = slot * 0.8 / static_cast<double>(std::max<std::size_t>(1, chart.series.size()));
  for (std::size_t l = 0; l < chart.labels.size(); ++l) {
    const double left = area.left + slot * (static_cast<double>(l) + 0.1);
    for (std::size_t s = 0; s < chart.series.size(); ++s) {
      const double v = chart.values[s][l];
      if (!std::isfinite(v)) continue;
      const double from = y.place(std::max(v, 0.0)), to = y.place(std::min(v, 0.0));
      canvas.rectangle({left + width * static_cast<double>(s), from}, std::max(1.0, width - 1), to - from,
                       series_colour(s));
    }
    const double centre = left + slot * 0.4;
    if (upright) {
      canvas.text({centre, area.bottom + 8}, chart.labels[l], {.anchor = Anchor::end, .vertical = true});
    } else {
      canvas.text({centre, area.bottom + 14}, chart.labels[l], {.anchor = Anchor::middle});
    }
  }
}

Drawing drawing_of(const BarChart& chart) {
  return [&chart](Canvas& canvas) { draw(chart, canvas); };
}

}  // namespace

media::Image BarChart::render() const { return render_picture(size, drawing_of(*this)); }
void BarChart::write_png(const std::filesystem::path& path) const { media::write_image(path, render()); }
void BarChart::write_svg(const std::filesystem::path& path) const { write_svg_file(path, size, drawing_of(*this)); }

}  // namespace thimble::plot
