#include "plot/floor_plan.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "media/codec.h"
#include "plot/canvas.h"

namespace thimble::plot {
namespace {

struct View {
  double left, bottom, scale;  // pixels of (x0, y0), pixels a metre
  double x0, y0;

  Point at(double x, double y) const { return {left + (x - x0) * scale, bottom - (y - y0) * scale}; }
};

View view_of(const FloorPlan& plan) {
  double low_x = INFINITY, low_y = INFINITY, high_x = -INFINITY, high_y = -INFINITY;
  const auto take = [&](double x, double y) {
    if (!std::isfinite(x + y)) fail(ErrorKind::bad_input, "a floor plan with places that are not finite");
    low_x = std::min(low_x, x);
    high_x = std::max(high_x, x);
    low_y = std::min(low_y, y);
    high_y = std::max(high_y, y);
  };
  if (plan.width && plan.depth) {
    take(0, 0);
    take(*plan.width, *plan.depth);
  }
  for (const PlanDevice& d : plan.devices) take(d.x, d.y);
  for (const auto* t : {&plan.talker, &plan.truth})
    if (*t) take((*t)->x, (*t)->y);
  if (low_x > high_x) fail(ErrorKind::bad_input, "a floor plan without a room, a device or a talker");
  const double margin = plan.width && plan.depth ? 0 : 1;  // metres
  low_x -= margin;
  low_y -= margin;
  high_x += margin;
  high_y += margin;
  const double room_w = plan.size.width - 80.0, room_h = plan.size.height - 110.0;
  const double scale = std::min(room_w / std::max(high_x - low_x, 0.1), room_h / std::max(high_y - low_y, 0.1));
  return {40 + (room_w - scale * (high_x - low_x)) / 2, 50 + (room_h + scale * (high_y - low_y)) / 2, scale, low_x,
          low_y};
}

void arc(Canvas& canvas, const View& view, double x, double y, double r, double from, double to, media::Rgb colour,
         double width) {
  constexpr int kSteps = 24;
  std::vector<Point> points;
  for (int i = 0; i <= kSteps; ++i) {
    const double a = from + (to - from) * i / kSteps;
    points.push_back(view.at(x + r * std::cos(a), y + r * std::sin(a)));
  }
  canvas.polyline(points, colour, width);
}

void draw_talker(Canvas& canvas, const View& view, const PlanTalker& t, media::Rgb colour, const std::string& label) {
  const Point head = view.at(t.x, t.y);
  canvas.dot(head, 6, colour);
  canvas.text({head.x + 10, head.y + 12}, label, {.colour = colour});
  if (t.spread > 0) arc(canvas, view, t.x, t.y, t.spread, 0, 2 * std::numbers::pi, colour, 1);
  if (!t.facing) return;
  constexpr double kReach = 1.0;  // metres
  const double f = *t.facing, s = std::clamp(t.facing_spread, 0.0, std::numbers::pi);
  canvas.line(head, view.at(t.x + kReach * std::cos(f), t.y + kReach * std::sin(f)), colour, 3);
  if (s <= 0) return;
  for (const double edge : {f - s, f + s})
    canvas.line(head, view.at(t.x + kReach * std::cos(edge), t.y + kReach * std::sin(edge)), colour, 1);
  arc(canvas, view, t.x, t.y, kReach, f - s, f + s, colour, 2);
}

void draw(const FloorPlan& plan, Canvas& canvas) {
  draw_title(canvas, plan.size, plan.title);
  const View view = view_of(plan);
  if (plan.width && plan.depth) {
    const double w = *plan.width, d = *plan.depth;
    for (double x = 1; x < w; ++x) canvas.line(view.at(x, 0), view.at(x, d), kGridColour, 1);
    for (double y = 1; y < d; ++y) canvas.line(view.at(0, y), view.at(w, y), kGridColour, 1);
    canvas.polyline({view.at(0, 0), view.at(w, 0), view.at(w, d), view.at(0, d), view.at(0, 0)}, kFrameColour, 2);
  }
  double longest = 1;
  for (const PlanDevice& d : plan.devices)
    if (plan.talker) longest = std::max(longest, 1.15 * std::hypot(d.x - plan.talker->x, d.y - plan.talker->y));
  for (const PlanDevice& d : plan.devices) {
    if (d.bearing) {
      const double reach = plan.talker ? 1.15 * std::hypot(d.x - plan.talker->x, d.y - plan.talker->y) : longest;
      canvas.line(view.at(d.x, d.y), view.at(d.x + reach * std::cos(*d.bearing), d.y + reach * std::sin(*d.bearing)),
                  series_colour(2), 1);
    }
  }
  for (const PlanDevice& d : plan.devices) {
    const Point at = view.at(d.x, d.y);
    const media::Rgb colour = d.chosen ? series_colour(1) : series_colour(0);
    if (d.chosen) arc(canvas, view, d.x, d.y, 0.22, 0, 2 * std::numbers::pi, colour, 2);
    canvas.dot(at, 6, colour);
    canvas.line(at, view.at(d.x + 0.2 * std::cos(d.azimuth), d.y + 0.2 * std::sin(d.azimuth)), colour, 2);
    canvas.text({at.x, at.y - 16}, d.label, {.anchor = Anchor::middle, .colour = colour});
  }
  if (plan.truth) draw_talker(canvas, view, *plan.truth, kFrameColour, "true");
  if (plan.talker) draw_talker(canvas, view, *plan.talker, series_colour(3), "talker");
  canvas.line({40, plan.size.height - 40.0}, {40 + view.scale, plan.size.height - 40.0}, kInk, 2);
  canvas.text({48 + view.scale, plan.size.height - 40.0}, "1 m", {});
  if (!plan.note.empty())
    canvas.text({plan.size.width / 2.0, plan.size.height - 16.0}, plan.note, {.anchor = Anchor::middle});
}

}  // namespace

media::Image FloorPlan::render() const {
  return render_picture(size, [&](Canvas& canvas) { draw(*this, canvas); });
}
void FloorPlan::write_png(const std::filesystem::path& path) const { media::write_image(path, render()); }
void FloorPlan::write_svg(const std::filesystem::path& path) const {
  write_svg_file(path, size, [&](Canvas& canvas) { draw(*this, canvas); });
}

}  // namespace thimble::plot
