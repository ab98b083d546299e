#include "voice/study/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>

#include "base/error.h"
#include "dsp/room/decay.h"

namespace thimble::voice {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

std::string text(const Configuration& c) {
  return scene_to_json(c.scene).dump() + std::to_string(c.seed) + std::to_string(c.snr_db) + std::to_string(c.phrase);
}

TEST(Sampler, IsAFunctionOfSeedAndIndex) {
  const Sampler a({.seed = 7}, 9), b({.seed = 7}, 9), other({.seed = 8}, 9);
  EXPECT_EQ(a.size(), 5u * 9 * 12);
  b.at(100);
  for (std::size_t i : {0u, 1u, 44u, 45u, 269u}) {
    EXPECT_EQ(text(a.at(i)), text(b.at(i)));
    EXPECT_NE(text(a.at(i)), text(other.at(i)));
  }
  EXPECT_NE(text(a.at(0)), text(a.at(1)));
}

TEST(Sampler, KeepsItsPromises) {
  const Sampler sampler({.seed = 3, .devices = {2, 4}, .nobody = 0.25, .positions = 4}, 9);
  std::set<std::pair<std::size_t, std::size_t>> cells;
  std::size_t nobody = 0;
  double sum_off = 0;
  for (std::size_t i = 0; i < sampler.size(); ++i) {
    const Configuration c = sampler.at(i);
    check_scene(c.scene);
    ASSERT_EQ(c.scene.devices.size(), 4u);
    const Talker& talker = *c.scene.talker;
    for (std::size_t d = 0; d < 4; ++d) {
      const dsp::Vec3 way = c.scene.devices[d].position - talker.position;
      EXPECT_GE(std::hypot(way.x, way.y), 1.0);
      EXPECT_LE(std::abs(c.gains_db[d]), 2.0);
      for (std::size_t e = 0; e < d; ++e) {
        const double other = bearing(talker.position, c.scene.devices[e].position);
        EXPECT_GE(std::abs(dsp::wrap_angle(std::atan2(way.y, way.x) - other)), 35 * kDegree);
      }
    }
    EXPECT_GE(c.snr_db, 5);
    EXPECT_LE(c.snr_db, 30);
    cells.emplace(c.room, c.talker);
    nobody += c.nobody;
    const FacedDevice faced = faced_device(c.scene, talker);
    if (c.nobody) {
      EXPECT_GE(faced.off, 45 * kDegree);
    } else {
      sum_off +=
          std::pow(dsp::wrap_angle(bearing(talker.position, c.scene.devices[0].position) - talker.facing) / kDegree, 2);
    }
  }
  EXPECT_EQ(cells.size(), 45u);
  EXPECT_NEAR(static_cast<double>(nobody) / static_cast<double>(sampler.size()), 0.25, 0.1);
  EXPECT_NEAR(std::sqrt(sum_off / static_cast<double>(sampler.size() - nobody)), 7, 1.5);
}

TEST(Sampler, RoomsHaveTheRt60AskedFor) {
  for (const RoomKind& kind : sweep_rooms()) {
    for (double rt60 : {0.2, 0.8}) {
      const auto room = make_room(kind, rt60);
      EXPECT_NEAR(dsp::room::predicted_rt60(room, dsp::room::DecayFormula::eyring, 3), rt60, 1e-6) << kind.name;
    }
    EXPECT_THROW(make_room(kind, 0.01), Error);
  }
  std::set<std::string> names;
  for (const auto& list : {sweep_rooms(), tuning_rooms()}) {
    for (const RoomKind& kind : list) names.insert(kind.name);
  }
  EXPECT_EQ(names.size(), 10u);
}

TEST(Sampler, RefusesWhatCannotBe) {
  EXPECT_THROW(Sampler({.devices = {1}}, 9), Error);
  EXPECT_THROW(Sampler({.devices = {}}, 9), Error);
  EXPECT_THROW(Sampler({.rt60 = {0.05}}, 9), Error);
  EXPECT_THROW(Sampler({.rt60 = {std::nan("")}}, 9), Error);
  EXPECT_THROW(Sampler({.snr_low = 20, .snr_high = 10}, 9), Error);
  EXPECT_THROW(Sampler({.array = "no-such"}, 9), Error);
  EXPECT_THROW(Sampler({}, 0), Error);
}

TEST(TalkerPattern, DepartsFromTheMeanAsAsked) {
  const auto mean = dsp::room::Directivity::voice();
  EXPECT_NEAR(talker_pattern(1, 0).gain(90, 4000), mean.gain(90, 4000), 1e-12);
  double sum = 0, square = 0;
  constexpr int kTalkers = 400;
  for (int i = 0; i < kTalkers; ++i) {
    const auto own = talker_pattern(static_cast<std::uint64_t>(i), 1);
    EXPECT_NEAR(own.gain(0, 4000), 1, 1e-12);
    const double db = 20 * std::log10(own.gain(90, 4000) / mean.gain(90, 4000));
    sum += db, square += db * db;
  }
  // Scale: 6.3 dB * 0.25 / sqrt(3); two walks of six steps of 0.5 dB; vowels 1.25 dB.
  const double sigma = std::sqrt(std::pow(6.3 * 0.25, 2) / 3 + 2 * 6 * 0.25 + 1.25 * 1.25);
  EXPECT_NEAR(sum / kTalkers, 0, 4 * sigma / std::sqrt(kTalkers));
  EXPECT_NEAR(std::sqrt(square / kTalkers), sigma, 0.15 * sigma);
}

}  // namespace
}  // namespace thimble::voice
