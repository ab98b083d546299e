#include "voice/triangulate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace thimble::voice {
namespace {

using dsp::Vec3;
constexpr double kDegree = std::numbers::pi / 180;

Bearing towards(const Vec3& from, const Vec3& to, double off_deg = 0, double sigma_deg = 3) {
  return {from, std::atan2(to.y - from.y, to.x - from.x) + off_deg * kDegree, sigma_deg * kDegree};
}

TEST(Triangulate, ExactCases) {
  const Vec3 mouth{3, 2, 1.5};
  const std::vector<Vec3> places = {{0, 0, 1}, {6, 0.5, 1}, {2, 5, 1.2}, {5.5, 4, 0.8}};
  for (std::size_t count = 2; count <= places.size(); ++count) {
    std::vector<Bearing> bearings;
    for (std::size_t i = 0; i < count; ++i) bearings.push_back(towards(places[i], mouth));
    const Fix fix = triangulate(bearings, {});
    ASSERT_TRUE(fix.found) << fix.why;
    EXPECT_NEAR(fix.position.x, 3, 1e-6);
    EXPECT_NEAR(fix.position.y, 2, 1e-6);
    EXPECT_EQ(fix.position.z, PositionSettings{}.mouth_height);
    for (const double r : fix.residuals) EXPECT_NEAR(r, 0, 1e-7);
  }
}

TEST(Triangulate, SpreadIsThatOfTwoCrossedBearings) {
  // From (0, 0) along x and from (2, -2) along y they cross at (2, 0), both 2 m away: sigma_x = sigma_y = 2 m * sigma.
  const double sigma = 2 * kDegree;
  const Fix fix = triangulate(std::vector<Bearing>{{{0, 0, 0}, 0, sigma}, {{2, -2, 0}, std::numbers::pi / 2, sigma}},
                              {.outlier = 1e-6});
  ASSERT_TRUE(fix.found);
  EXPECT_NEAR(fix.position.x, 2, 1e-6);
  EXPECT_NEAR(fix.position.y, 0, 1e-6);
  EXPECT_NEAR(fix.spread, 2 * sigma, 1e-4);
  EXPECT_NEAR(fix.covariance[0], 4 * sigma * sigma, 1e-5);
  EXPECT_NEAR(fix.covariance[1], 0, 1e-8);
}

TEST(Triangulate, AnEchoIsOutvoted) {
  const Vec3 mouth{3, 2, 1.5};
  std::vector<Bearing> bearings = {towards({0, 0, 1}, mouth), towards({6, 0.5, 1}, mouth), towards({2, 5, 1}, mouth),
                                   towards({5.5, 4, 1}, mouth, 60)};
  const Fix fix = triangulate(bearings, {});
  ASSERT_TRUE(fix.found);
  EXPECT_NEAR(fix.position.x, 3, 0.02);
  EXPECT_NEAR(fix.position.y, 2, 0.02);
  EXPECT_NEAR(fix.residuals[3], 60 * kDegree, 1 * kDegree);
}

TEST(Triangulate, TheSurerBearingWeighsMore) {
  // Two bearings of one place disagree; with a third across them the surer one wins.
  const std::vector<Bearing> bearings = {
      {{0, 0, 0}, 5 * kDegree, 8 * kDegree}, {{0, 0.2, 0}, 0, 1 * kDegree}, {{3, -3, 0}, 90 * kDegree, 2 * kDegree}};
  const Fix fix = triangulate(bearings, {});
  ASSERT_TRUE(fix.found);
  EXPECT_NEAR(fix.position.y, 0.2, 0.02);
}

TEST(Triangulate, DegenerateGeometry) {
  const auto why = [](const std::vector<Bearing>& bearings) {
    const Fix fix = triangulate(bearings, {});
    EXPECT_FALSE(fix.found);
    return fix.why;
  };
  EXPECT_NE(why({}), "");
  EXPECT_NE(why({{{0, 0, 0}, 0, 0.1}}).find("one bearing"), std::string::npos);
  EXPECT_NE(why({{{0, 0, 0}, 0, 0.1}, {{0, 1, 0}, 0, 0.1}}).find("parallel"), std::string::npos);
  EXPECT_NE(why({{{0, 0, 0}, 0, 0.1}, {{4, 0, 0}, std::numbers::pi, 0.1}}).find("parallel"), std::string::npos)
      << "the talker on the line between both";
  EXPECT_NE(why({{{1, 1, 0}, 0, 0.1}, {{1, 1, 2}, 1, 0.1}, {{1, 1, 1}, 2, 0.1}}).find("one point"), std::string::npos);
  EXPECT_NE(why({{{0, 0, 0}, 225 * kDegree, 0.1}, {{4, 0, 0}, -45 * kDegree, 0.1}}).find("behind"), std::string::npos);
}

TEST(Triangulate, SmallErrorsMoveItLittle) {
  const Vec3 mouth{3, 2, 1.5};
  const std::vector<Bearing> bearings = {towards({0, 0, 1}, mouth, 2), towards({6, 0.5, 1}, mouth, -1.5),
                                         towards({2, 5, 1}, mouth, 1), towards({5.5, 4, 1}, mouth, -2)};
  const Fix fix = triangulate(bearings, {});
  ASSERT_TRUE(fix.found);
  EXPECT_LT(std::hypot(fix.position.x - 3, fix.position.y - 2), 0.15);
  // It is a minimum of the cost.
  for (const Vec3 step : {Vec3{0.02, 0, 0}, Vec3{-0.02, 0, 0}, Vec3{0, 0.02, 0}, Vec3{0, -0.02, 0}})
    EXPECT_GT(bearing_cost(bearings, fix.position + step, {}), fix.cost);
}

}  // namespace
}  // namespace thimble::voice
