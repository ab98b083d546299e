// Tests of metrics/: analytic cases, and the pretrained network on real input where its files are at hand.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/rng.h"
#include "graph/reference.h"
#include "metrics/distribution.h"
#include "metrics/extractor.h"
#include "metrics/image_quality.h"

namespace thimble::metrics {
namespace {

media::Image noise(int size, int channels, std::uint64_t seed) {
  media::Image image(size, size, channels);
  Rng rng(seed);
  for (auto& p : image.pixels) p = static_cast<std::uint8_t>(rng.below(200));
  return image;
}

media::Image brighter(media::Image image, int by) {
  for (auto& p : image.pixels) p = static_cast<std::uint8_t>(p + by);
  return image;
}

Features gaussian(std::int64_t count, std::int64_t width, double mean, double sigma, std::uint64_t seed) {
  Features f{count, width, std::vector<float>(static_cast<std::size_t>(count * width))};
  fill_normal(f.values, seed);
  for (float& v : f.values) v = static_cast<float>(mean + sigma * v);
  return f;
}

TEST(Psnr, AnOffsetOfTenIs28Point13Decibels) {
  const auto a = noise(32, 3, 1);
  EXPECT_NEAR(psnr(a, brighter(a, 10)), 20 * std::log10(25.5), 1e-9);
  EXPECT_TRUE(std::isinf(psnr(a, a)));
}

// With equal variances and full covariance only the luminance term is left: (2xy + C1) / (x^2 + y^2 + C1).
TEST(Ssim, FlatPicturesLeaveTheLuminanceTerm) {
  media::Image a(16, 16, 1), b(16, 16, 1);
  std::fill(a.pixels.begin(), a.pixels.end(), 100);
  std::fill(b.pixels.begin(), b.pixels.end(), 150);
  const double c1 = 0.01 * 255 * 0.01 * 255;
  EXPECT_NEAR(ssim(a, b), (2.0 * 100 * 150 + c1) / (100.0 * 100 + 150.0 * 150 + c1), 1e-9);
  EXPECT_NEAR(ssim(a, a), 1, 1e-12);
}

TEST(Frechet, GaussiansHaveAClosedForm) {
  // Per axis: (m1 - m2)^2 + (s1 - s2)^2; four axes of mean 0 / 1 and sigma 1 / 3.
  const auto a = gaussian(40000, 4, 0, 1, 1), b = gaussian(40000, 4, 1, 3, 2);
  EXPECT_NEAR(frechet(a, b, 0), 4 * (1 + 4), 0.4);
  EXPECT_LT(frechet_floor(a, 0), 0.01);
}

TEST(Kid, UnbiasedNearZeroForOneDistributionAndLargerForAnother) {
  const auto a = gaussian(600, 64, 1, 1, 1), same = gaussian(600, 64, 1, 1, 2), other = gaussian(600, 64, 1.5, 1, 3);
  EXPECT_NEAR(kid(a, same).mean, 0, 0.01);
  EXPECT_GT(kid(other, a).mean, 0.3);
  EXPECT_EQ(kid(a, same).draw_size, 200);
}

TEST(Nearest, FindsTheCopy) {
  const auto reference = gaussian(50, 16, 0, 1, 1);
  Features one{1, 16, std::vector<float>(reference.values.begin() + 7 * 16, reference.values.begin() + 8 * 16)};
  EXPECT_EQ(nearest(one, reference), std::vector<std::int64_t>{7});
}

TEST(SqueezeNet, PerceptualDistanceGrowsWithNoise) {
  const std::filesystem::path folder = "../shared/data/weights/squeezenet";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the SqueezeNet files are not beside the project";
  const auto judge = graph::make_reference_executor();
  SqueezeNetExtractor extractor(*judge, folder, 48);
  const auto a = noise(48, 3, 1);
  EXPECT_NEAR(extractor.perceptual_distance(a, a), 0, 1e-9);
  EXPECT_GT(extractor.perceptual_distance(a, brighter(a, 40)), 1e-3);
  EXPECT_GT(extractor.perceptual_distance(a, noise(48, 3, 2)), extractor.perceptual_distance(a, brighter(a, 40)));
}

}  // namespace
}  // namespace thimble::metrics
