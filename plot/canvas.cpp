#include "plot/canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "plot/font.h"

namespace thimble::plot {

media::Rgb series_colour(std::size_t index) {
  static constexpr media::Rgb colours[] = {{0, 114, 178}, {213, 94, 0},   {0, 158, 115}, {204, 121, 167},
                                           {230, 159, 0}, {86, 180, 233}, {120, 80, 50}, {90, 90, 90}};
  return colours[index % std::size(colours)];
}

std::string number_text(double value) { return fmt::format("{:.6g}", std::abs(value) < 1e-300 ? 0.0 : value); }

Axis::Axis(double low, double high, bool log, double from, double to)
    : low_(low), high_(high), log_(log), from_(from), to_(to) {
  if (log_) {
    low_ = std::log10(low_);
    high_ = std::log10(high_);
  }
  if (!(high_ - low_ > 1e-12 * std::max(std::abs(low_), std::abs(high_)))) {
    const double pad = log_ ? 0.5 : std::max(std::abs(low_) * 0.1, 0.5);
    low_ -= pad;
    high_ += pad;
  }
}

double Axis::place(double value) const {
  return from_ + (to_ - from_) * ((log_ ? std::log10(value) : value) - low_) / (high_ - low_);
}

std::vector<Axis::Tick> Axis::ticks(int wanted) const {
  std::vector<Tick> out;
  if (log_) {
    const int step = std::max(1, static_cast<int>(std::ceil((high_ - low_) / wanted)));
    const bool between = high_ - low_ < 2;  // few decades: also 2 and 5
    for (int decade = static_cast<int>(std::floor(low_)); decade <= static_cast<int>(std::ceil(high_));
         decade += step) {
      for (const int digit : {1, 2, 5}) {
        const double value = digit * std::pow(10.0, decade), at = std::log10(value);
        if ((digit == 1 || between) && at >= low_ - 1e-9 && at <= high_ + 1e-9)
          out.push_back({value, number_text(value)});
      }
    }
    return out;
  }
  const double rough = (high_ - low_) / wanted, magnitude = std::pow(10.0, std::floor(std::log10(rough)));
  const double step = magnitude * (rough / magnitude <= 1   ? 1
                                   : rough / magnitude <= 2 ? 2
                                   : rough / magnitude <= 5 ? 5
                                                            : 10);
  for (double k = std::ceil(low_ / step - 1e-9); k * step <= high_ + 1e-9 * step; ++k)
    out.push_back({k * step, number_text(k * step)});
  return out;
}

void draw_title(Canvas& canvas, ChartSize size, const std::string& title) {
  canvas.text({size.width / 2.0, 18}, title, {.size = 16, .anchor = Anchor::middle});
}

void draw_axes(Canvas& canvas, const Area& area, const Axis* x, const Axis& y, const std::string& x_label,
               const std::string& y_label) {
  if (x != nullptr) {
    for (const auto& [value, label] : x->ticks(8)) {
      const double at = x->place(value);
      canvas.line({at, area.top}, {at, area.bottom}, kGridColour, 1);
      canvas.text({at, area.bottom + 13}, label, {.anchor = Anchor::middle});
    }
  }
  for (const auto& [value, label] : y.ticks(6)) {
    const double at = y.place(value);
    canvas.line({area.left, at}, {area.right, at}, kGridColour, 1);
    canvas.text({area.left - 6, at}, label, {.anchor = Anchor::end});
  }
  canvas.polyline({{area.left, area.top}, {area.left, area.bottom}, {area.right, area.bottom}}, kFrameColour, 1);
  canvas.text({(area.left + area.right) / 2, area.bottom + 32}, x_label, {.anchor = Anchor::middle});
  canvas.text({14, (area.top + area.bottom) / 2}, y_label, {.anchor = Anchor::middle, .vertical = true});
}

void draw_legend(Canvas& canvas, const Area& area, const std::vector<std::string>& names) {
  constexpr double kRow = 18;
  double y = area.top + 4 + kRow / 2;
  for (std::size_t i = 0; i < names.size(); ++i, y += kRow) {
    canvas.rectangle({area.right + 12, y - 5}, 12, 10, series_colour(i));
    canvas.text({area.right + 30, y}, names[i], {});
  }
}

}  // namespace thimble::plot
