#include "diffusion/picture.h"

#include <gtest/gtest.h>

#include <limits>

namespace thimble::diffusion {
namespace {

TEST(Picture, PremultipliedFloatsBecomeStraightBytes) {
  // Half transparent red; nothing; opaque grey; values outside the range and a NaN.
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values{0, -1, -1, 0, -1, -1, -1, -1, 0, 0, 0, 1, 3, nan, -9, 2};
  const media::Image image = to_image(values, 4, 1, 4);
  EXPECT_EQ(image.pixels, (std::vector<std::uint8_t>{255, 0, 0, 128, 0, 0, 0, 0, 128, 128, 128, 255, 255, 0, 0, 255}));
}

TEST(Picture, ColourIsAtMostAlpha) {
  const std::vector<float> values{1, 0.5f, -0.5f, 0};
  EXPECT_EQ(to_image(values, 1, 1, 4).pixels, (std::vector<std::uint8_t>{255, 255, 128, 128}));
}

TEST(Picture, ThereAndBackKeepsEveryVisibleByte) {
  media::Image image(256, 3, 4);
  const std::uint8_t alphas[] = {255, 128, 0};
  for (int y = 0; y < 3; ++y) {
    for (int x = 0; x < 256; ++x) {
      auto* p = image.at(x, y);
      p[0] = p[1] = p[2] = alphas[y] == 0 ? 0 : static_cast<std::uint8_t>(x);
      p[3] = alphas[y];
    }
  }
  std::vector<float> values(image.pixels.size());
  from_image(image, 4, values);
  EXPECT_EQ(to_image(values, 256, 3, 4), image);
}

TEST(Picture, ThreeChannelsLieOnWhite) {
  media::Image image(1, 1, 4);
  image.pixels = {255, 0, 0, 0};
  std::vector<float> values(3);
  from_image(image, 3, values);
  EXPECT_EQ(values, (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(to_image(values, 1, 1, 3).pixels, (std::vector<std::uint8_t>{255, 255, 255}));
}

}  // namespace
}  // namespace thimble::diffusion
