// Heat maps.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "media/codec.h"
#include "plot/canvas.h"

namespace thimble::plot {
namespace {

// Dark blue over green to yellow; lightness rises evenly, so it reads in grey as well. t in 0..1.
media::Rgb heat_colour(double t) {
  static constexpr std::array<std::array<double, 3>, 5> stops = {
      {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}}};
  const double at = std::clamp(t, 0.0, 1.0) * (stops.size() - 1);
  const auto i = std::min<std::size_t>(static_cast<std::size_t>(at), stops.size() - 2);
  const double f = at - static_cast<double>(i);
  const auto mix = [&](std::size_t c) {
    return static_cast<std::uint8_t>(std::lround(stops[i][c] * (1 - f) + stops[i + 1][c] * f));
  };
  return {mix(0), mix(1), mix(2)};
}

std::size_t longest(const std::vector<std::string>& names) {
  std::size_t n = 0;
  for (const std::string& s : names) n = std::max(n, s.size());
  return n;
}

void draw(const HeatMap& map, Canvas& canvas) {
  const auto rows = static_cast<std::size_t>(std::max(0, map.rows)),
             columns = static_cast<std::size_t>(std::max(0, map.columns));
  if (rows == 0 || columns == 0 || map.values.size() != rows * columns ||
      (!map.row_names.empty() && map.row_names.size() != rows) ||
      (!map.column_names.empty() && map.column_names.size() != columns)) {
    fail(ErrorKind::bad_input, "a heat map of {}x{} with {} values, {} row names, {} column names", map.rows,
         map.columns, map.values.size(), map.row_names.size(), map.column_names.size());
  }
  double low = INFINITY, high = -INFINITY;
  for (const double v : map.values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  if (low > high) low = 0, high = 1;
  const double names = 9.0 * static_cast<double>(longest(map.column_names));
  Area area{40 + 9.0 * static_cast<double>(longest(map.row_names)), 40, map.size.width - 96.0, 0};
  const double cell_width = (area.right - area.left) / static_cast<double>(columns);
  const bool upright = names > cell_width - 4;
  area.bottom = map.size.height - (map.column_names.empty() ? 30 : upright ? 34 + names : 50);
  const double cell_height = (area.bottom - area.top) / static_cast<double>(rows);
  draw_title(canvas, map.size, map.title);

  const auto level = [&](double v) { return high > low ? (v - low) / (high - low) : 0.5; };
  for (std::size_t r = 0; r < rows; ++r) {
    const double y = area.top + cell_height * static_cast<double>(r);
    if (!map.row_names.empty())
      canvas.text({area.left - 6, y + cell_height / 2}, map.row_names[r], {.anchor = Anchor::end});
    for (std::size_t c = 0; c < columns; ++c) {
      const double x = area.left + cell_width * static_cast<double>(c), v = map.values[r * columns + c];
      if (!std::isfinite(v)) continue;
      canvas.rectangle({x, y}, cell_width, cell_height, heat_colour(level(v)));
      if (map.show_values) {
        const media::Rgb ink = level(v) > 0.6 ? media::Rgb{0, 0, 0} : media::Rgb{255, 255, 255};
        canvas.text({x + cell_width / 2, y + cell_height / 2}, fmt::format("{:.3g}", v),
                    {.anchor = Anchor::middle, .colour = ink});
      }
    }
  }
  for (std::size_t c = 0; c < map.column_names.size(); ++c) {
    const double x = area.left + cell_width * (static_cast<double>(c) + 0.5);
    canvas.text({x, area.bottom + (upright ? 6 : 13)}, map.column_names[c],
                {.anchor = upright ? Anchor::end : Anchor::middle, .vertical = upright});
  }
  canvas.text({(area.left + area.right) / 2, map.size.height - 14.0}, map.x_label, {.anchor = Anchor::middle});
  canvas.text({14, (area.top + area.bottom) / 2}, map.y_label, {.anchor = Anchor::middle, .vertical = true});

  constexpr int kSteps = 64;  // the colour bar
  const double step = (area.bottom - area.top) / kSteps;
  for (int i = 0; i < kSteps; ++i) {
    // Each reaches under the one before, so that no seam shows between them.
    canvas.rectangle({area.right + 14, area.top + step * i}, 14, area.bottom - area.top - step * i,
                     heat_colour(1 - (i + 0.5) / kSteps));
  }
  const Axis axis(low, high, false, area.bottom, area.top);
  for (const auto& [value, label] : axis.ticks(5)) canvas.text({area.right + 34, axis.place(value)}, label, {});
}

Drawing drawing_of(const HeatMap& map) {
  return [&map](Canvas& canvas) { draw(map, canvas); };
}

}  // namespace

media::Image HeatMap::render() const { return render_picture(size, drawing_of(*this)); }
void HeatMap::write_png(const std::filesystem::path& path) const { media::write_image(path, render()); }
void HeatMap::write_svg(const std::filesystem::path& path) const { write_svg_file(path, size, drawing_of(*this)); }

}  // namespace thimble::plot
