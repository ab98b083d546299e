// Tests of plot/: places of things in sheets and charts, text, and bad input. How charts look is judged by eye.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "plot/canvas.h"
#include "plot/chart.h"
#include "plot/font.h"
#include "plot/sheet.h"

namespace thimble::plot {
namespace {

media::Image filled(int width, int height, media::Rgb c) {
  media::Image image(width, height, 3);
  for (std::size_t i = 0; i < image.pixels.size(); i += 3)
    image.pixels[i] = c.r, image.pixels[i + 1] = c.g, image.pixels[i + 2] = c.b;
  return image;
}

media::Rgb at(const media::Image& image, int x, int y) {
  return {image.at(x, y)[0], image.at(x, y)[1], image.at(x, y)[2]};
}

int count(const media::Image& image, media::Rgb c) {
  int n = 0;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) n += at(image, x, y) == c ? 1 : 0;
  }
  return n;
}

TEST(Font, KnownLetters) {
  media::Image image = filled(12, 9, {255, 255, 255});
  draw_text(image, 0, 0, "LT", {0, 0, 0});
  for (int y = 0; y < 7; ++y) EXPECT_EQ(at(image, 0, y).r, 0) << y;   // the stem of L
  for (int x = 0; x < 5; ++x) EXPECT_EQ(at(image, x, 6).r, 0) << x;   // its foot
  for (int x = 6; x < 11; ++x) EXPECT_EQ(at(image, x, 0).r, 0) << x;  // the bar of T
  EXPECT_EQ(count(image, {0, 0, 0}), 11 + 11);
}

TEST(Font, EveryLetterDiffers) {
  std::vector<media::Image> seen;
  for (char c = ' '; c <= '~'; ++c) {
    media::Image image = filled(6, 9, {255, 255, 255});
    draw_text(image, 0, 0, std::string(1, c), {0, 0, 0});
    EXPECT_EQ(std::count(seen.begin(), seen.end(), image), 0) << c;
    EXPECT_EQ(count(image, {0, 0, 0}) == 0, c == ' ') << c;
    seen.push_back(image);
  }
}

TEST(Font, VerticalTextIsTurned) {
  media::Image flat = filled(12, 12, {255, 255, 255}), turned = flat;
  draw_text(flat, 0, 0, "F", {0, 0, 0});
  draw_text(turned, 0, 11, "F", {0, 0, 0}, 1, true);
  for (int y = 0; y < 12; ++y) {
    for (int x = 0; x < 12; ++x) EXPECT_EQ(at(flat, x, y), at(turned, y, 11 - x));
  }
}

TEST(Font, TextIsMadePlainAndWrapped) {
  EXPECT_EQ(to_ascii("C\u00f4te d\u2019Ivoire \u65e5"), "Cote d'Ivoire ?");
  EXPECT_EQ(wrap("a medium dark tone", 8, 5), (std::vector<std::string>{"a medium", "dark", "tone"}));
  EXPECT_EQ(wrap("a medium dark tone", 8, 2), (std::vector<std::string>{"a medium", "dark.."}));
  EXPECT_EQ(wrap("abcdefgh", 3, 5), (std::vector<std::string>{"abc", "def", "gh"}));
}

TEST(Sheet, TilesLieInAGrid) {
  std::vector<Tile> tiles;
  for (int i = 0; i < 5; ++i) tiles.push_back({filled(40, 20, {static_cast<std::uint8_t>(10 * i), 200, 0}), "n"});
  const media::Image sheet = contact_sheet(tiles, {.columns = 3, .tile = 20, .gap = 4, .caption_lines = 1});
  EXPECT_EQ(sheet.width, 4 + 3 * 24);
  EXPECT_EQ(sheet.height, 4 + 2 * (20 + 14 + 4));
  EXPECT_EQ(at(sheet, 4, 4 + 10), (media::Rgb{0, 200, 0}));  // shrunk to 20 x 10, centred
  EXPECT_EQ(at(sheet, 4, 4 + 4), (media::Rgb{255, 255, 255}));
  EXPECT_EQ(at(sheet, 4 + 24, 4 + 38 + 10), (media::Rgb{40, 200, 0}));  // the fifth
  EXPECT_THROW(contact_sheet({}, {}), Error);
  EXPECT_THROW(contact_sheet(tiles, {.columns = 0}), Error);
}

TEST(Axis, PlacesAndTicks) {
  const Axis linear(0, 10, false, 100, 200);
  EXPECT_DOUBLE_EQ(linear.place(2.5), 125);
  std::vector<std::string> labels;
  for (const auto& t : linear.ticks(5)) labels.push_back(t.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"0", "2", "4", "6", "8", "10"}));
  const Axis log(0.001, 10, true, 0, 400);
  EXPECT_NEAR(log.place(0.1), 200, 1e-9);
  labels.clear();
  for (const auto& t : log.ticks(6)) labels.push_back(t.label);
  EXPECT_EQ(labels, (std::vector<std::string>{"0.001", "0.01", "0.1", "1", "10"}));
  EXPECT_TRUE(std::isfinite(Axis(3, 3, false, 0, 10).place(3)));
}

TEST(Charts, LinesReachTheirPoints) {
  LineChart chart{.title = "t", .x_label = "x", .y_label = "y", .series = {{"a", {0, 1}, {5, 5}}}};
  const media::Image image = chart.render();
  EXPECT_EQ(image.width, 800);
  // A level line in the middle of the area, in the first colour.
  EXPECT_EQ(at(image, 400, (40 + 448) / 2), series_colour(0));
  EXPECT_GT(count(image, series_colour(0)), 680);
  chart.series[0].y = {std::numeric_limits<double>::quiet_NaN(), -1};
  chart.log_y = true;
  EXPECT_EQ(count(chart.render(), series_colour(0)), 0);  // nothing that can be drawn, and no crash
  chart.series[0].y = {1};
  EXPECT_THROW(chart.render(), Error);
}

TEST(Charts, BarsAreAsTallAsTheirValues) {
  const BarChart chart{
      .title = "", .y_label = "", .labels = {"p", "q"}, .series = {"a", "b"}, .values = {{10, 10}, {5, 5}}};
  const media::Image image = chart.render();
  EXPECT_NEAR(count(image, series_colour(0)) / static_cast<double>(count(image, series_colour(1))), 2.0, 0.05);
  BarChart bad = chart;
  bad.values[1] = {5};
  EXPECT_THROW(bad.render(), Error);
}

TEST(Charts, HeatMapCellsAndSvg) {
  HeatMap map{.title = "m",
              .rows = 2,
              .columns = 2,
              .values = {0, 1, 1, 0},
              .row_names = {"r<1>", "r2"},
              .column_names = {"a", "b"}};
  const media::Image image = map.render();
  EXPECT_EQ(at(image, 150, 100), (media::Rgb{68, 1, 84}));
  EXPECT_EQ(at(image, 600, 100), (media::Rgb{253, 231, 37}));
  EXPECT_EQ(at(image, 600, 400), (media::Rgb{68, 1, 84}));
  map.rows = 3;
  EXPECT_THROW(map.render(), Error);
  const std::string svg = render_svg({100, 50}, [](Canvas& c) { c.text({1, 2}, "r<1> & \"x\"", {}); });
  EXPECT_NE(svg.find("r&lt;1&gt; &amp; &quot;x&quot;"), std::string::npos);
}

}  // namespace
}  // namespace thimble::plot
