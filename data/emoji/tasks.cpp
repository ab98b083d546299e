#include "data/emoji/tasks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "media/transform.h"

namespace thimble::data {
namespace {

constexpr media::Rgb kWhite{255, 255, 255};
constexpr std::uint64_t kMaskStream = 0x6d61736b;

void fill_box(media::Image& mask, Rng& rng) {
  const int side = mask.width;
  const int w = static_cast<int>(side * rng.uniform(0.25, 0.7)), h = static_cast<int>(side * rng.uniform(0.25, 0.7));
  const int x0 = static_cast<int>(rng.uniform() * (side - w)), y0 = static_cast<int>(rng.uniform() * (side - h));
  for (int y = y0; y < y0 + h; ++y) std::fill_n(mask.at(x0, y), w, std::uint8_t{255});
}

void fill_ellipse(media::Image& mask, double cx, double cy, double rx, double ry) {
  const int y0 = std::max(0, static_cast<int>(cy - ry)), y1 = std::min(mask.height - 1, static_cast<int>(cy + ry + 1));
  for (int y = y0; y <= y1; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      const double dx = (x + 0.5 - cx) / rx, dy = (y + 0.5 - cy) / ry;
      if (dx * dx + dy * dy <= 1) *mask.at(x, y) = 255;
    }
  }
}

// A brush that wanders: dots so close that they join.
void fill_stroke(media::Image& mask, Rng& rng) {
  const double side = mask.width, radius = side * rng.uniform(0.05, 0.09);
  double x = side * rng.uniform(0.2, 0.8), y = side * rng.uniform(0.2, 0.8), angle = rng.uniform(0, 6.283185307179586);
  const int steps = 20 + static_cast<int>(rng.below(20));
  for (int i = 0; i < steps; ++i) {
    fill_ellipse(mask, x, y, radius, radius);
    angle += rng.uniform(-0.6, 0.6);
    x = std::clamp(x + radius * 0.7 * std::cos(angle), 0.0, side);
    y = std::clamp(y + radius * 0.7 * std::sin(angle), 0.0, side);
  }
}

void want_wording(int wording) {
  if (wording < 0 || wording >= kMadeWordings) {
    fail(ErrorKind::bad_input, "wording {} of an instruction, 0 to {} are known", wording, kMadeWordings - 1);
  }
}

std::string filled(std::string_view wording, std::string_view to, std::string_view side = {}) {
  std::string text(wording);
  const auto put = [&](std::string_view what, std::string_view by) {
    if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
  };
  put("{to}", to);
  put("{side}", side);
  return text;
}

}  // namespace

media::Image inpainting_mask(std::uint64_t seed, std::uint64_t index, int side) {
  media::Image mask(side, side, 1);
  Rng rng(seed, kMaskStream + index);
  switch (rng.below(3)) {
    case 0: fill_box(mask, rng); break;
    case 1:
      fill_ellipse(mask, side * rng.uniform(0.3, 0.7), side * rng.uniform(0.3, 0.7), side * rng.uniform(0.15, 0.35),
                   side * rng.uniform(0.15, 0.35));
      break;
    default: fill_stroke(mask, rng); break;
  }
  return mask;
}

media::Image shrunk(const media::Image& rgb, int factor) {
  if (factor < 1 || rgb.width % factor != 0 || rgb.height % factor != 0) {
    fail(ErrorKind::bad_input, "cannot shrink {}x{} by {}: the factor must divide both sides", rgb.width, rgb.height,
         factor);
  }
  return media::resize(rgb, rgb.width / factor, rgb.height / factor);
}

MadeEdit background_edit(const EmojiSet& set, int id, Rng& rng, int wording) {
  static constexpr std::array<std::string_view, kMadeWordings> wordings = {
      "make the background {to}", "change the background to {to}", "put it on a {to} background",
      "use {to} as the backdrop"};
  want_wording(wording);
  const auto colours = background_colours();
  const NamedColour& to = colours[rng.below(colours.size())];
  const std::uint64_t from = rng.below(colours.size());  // the target's own place stands for white
  const media::Rgb ground = colours[from].name == to.name ? kWhite : colours[from].rgb;
  const media::Image picture = set.picture(id);
  return {filled(wordings[static_cast<std::size_t>(wording)], to.name), media::composite(picture, ground),
          media::composite(picture, to.rgb)};
}

MadeEdit composite_edit(const EmojiSet& set, int id, int other, Rng& rng, int wording) {
  static constexpr std::array<std::string_view, kMadeWordings> wordings = {
      "add {to} on the {side}", "put {to} at the {side}", "place {to} on the {side} side", "also draw {to}, {side}"};
  static constexpr std::array<std::string_view, 4> sides = {"left", "right", "top", "bottom"};
  static constexpr int large = kPictureSide * 5 / 8, small = kPictureSide * 3 / 8;
  // Corners of the first and of the second picture, by side.
  static constexpr int middle = (kPictureSide - large) / 2, off = (kPictureSide - small) / 2;
  static constexpr int first[4][2] = {{small, middle}, {0, middle}, {middle, small}, {middle, 0}};
  static constexpr int second[4][2] = {{0, off}, {large, off}, {off, 0}, {off, large}};
  want_wording(wording);
  const std::size_t side = rng.below(4);
  media::Image before(kPictureSide, kPictureSide, 3);
  std::fill(before.pixels.begin(), before.pixels.end(), std::uint8_t{255});
  media::draw_over(before, media::resize(set.picture(id), large, large), first[side][0], first[side][1]);
  media::Image after = before;
  media::draw_over(after, media::resize(set.picture(other), small, small), second[side][0], second[side][1]);
  const Entry& added = set.entries()[static_cast<std::size_t>(other)];
  return {filled(wordings[static_cast<std::size_t>(wording)], spoken_label(added), sides[side]), std::move(before),
          std::move(after)};
}

}  // namespace thimble::data
