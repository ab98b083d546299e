// Air, directivity, bands and decay times against published tables, closed forms and saved figures.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <string>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/room/air.h"
#include "dsp/room/bands.h"
#include "dsp/room/decay.h"
#include "dsp/room/directivity.h"

namespace thimble::dsp::room {
namespace {

TEST(RoomAir, TableOfIso9613) {
  // dB a kilometre at 125 Hz to 8 kHz, as ISO 9613-2 table 2 prints them.
  struct Row {
    double temperature, humidity, db[7];
  };
  for (const Row& row :
       {Row{10, 70, {0.4, 1.0, 1.9, 3.7, 9.7, 32.8, 117}}, Row{20, 70, {0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6}},
        Row{30, 70, {0.3, 1.0, 3.1, 7.4, 12.7, 23.1, 59.3}}, Row{15, 20, {0.6, 1.2, 2.7, 8.2, 28.2, 88.8, 202}},
        Row{15, 50, {0.5, 1.2, 2.2, 4.2, 10.8, 36.2, 129}}, Row{15, 80, {0.3, 1.1, 2.4, 4.1, 8.3, 23.7, 82.8}}}) {
    for (int b = 0; b < 7; ++b) {
      // The table is made for exact base-ten centres and rounded to 0.1 or three figures.
      const double db = 1000 * air_attenuation_db(1000 * std::pow(10, 0.3 * (b - 3)), {row.temperature, row.humidity});
      EXPECT_NEAR(db, row.db[b], 0.051 + 0.005 * row.db[b])
          << row.temperature << " C, " << row.humidity << " %, band " << b;
    }
  }
}

TEST(RoomAir, EnergyPerMetreAndErrors) {
  const auto m = air_absorption({20, 70});
  ASSERT_EQ(m.size(), 8u);
  EXPECT_NEAR(m[3] * 10 / std::log(10.0), air_attenuation_db(1000, {20, 70}), 1e-12);
  EXPECT_NEAR(speed_of_sound(20), 343.2, 0.1);
  EXPECT_THROW(air_attenuation_db(1000, {20, 101}), Error);
  EXPECT_THROW(air_attenuation_db(1000, {std::nan(""), 50}), Error);
  EXPECT_THROW(air_attenuation_db(0, {}), Error);
  EXPECT_THROW(air_absorption({20, 50, 0}), Error);
}

TEST(RoomDirectivity, VoiceTablesAtTheirPoints) {
  const Directivity octaves = Directivity::voice(), thirds = Directivity::voice_third_octaves();
  const auto db = [](const Directivity& d, double angle, double f) { return 20 * std::log10(d.gain(angle, f)); };
  EXPECT_NEAR(db(octaves, 0, 777), 0, 1e-12);
  EXPECT_NEAR(db(octaves, 180, 8000), -26.3, 1e-9);
  EXPECT_NEAR(db(octaves, 165, 2000), -15.0, 1e-9);
  EXPECT_NEAR(db(octaves, 15, 125), 0.8, 1e-9);
  EXPECT_NEAR(db(thirds, 180, 20159), -21.9, 1e-9);
  EXPECT_NEAR(db(thirds, 75, 794), 1.7, 1e-9);
  EXPECT_NEAR(db(thirds, 120, 79), -2.2, 1e-9);
  EXPECT_NEAR(db(octaves, 90, 50), -1.6, 1e-9);     // the lowest row holds below
  EXPECT_NEAR(db(octaves, 90, 48000), -7.2, 1e-9);  // and the highest above
  EXPECT_NEAR(db(octaves, 180, 1000 * std::numbers::sqrt2), (-6.3 - 13.1) / 2, 1e-9);
  // The two papers agree within 0.8 dB behind the talker.
  for (const double f : {125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0})
    EXPECT_NEAR(db(octaves, 180, f), db(thirds, 180, f), 0.81) << f;
}

TEST(RoomDirectivity, MonotoneCubicOverAngle) {
  // Of scipy.interpolate.PchipInterpolator.
  const Directivity voice = Directivity::voice();
  struct Row {
    double f, db[5];
  };
  const double angles[5] = {4, 22, 37.5, 100, 171};
  for (const Row& row :
       {Row{125, {0.3769481481481482, 0.44720000000000004, -0.27625000000000005, -1.9265993265993264, -3.6}},
        Row{2000, {-0.4550518518518519, -0.5949333333333333, -0.3260416666666667, -7.455683269476372, -14.7008}},
        Row{8000, {-0.2973803921568627, -1.3159628177196803, -2.286178861788618, -10.469876543209876, -25.7114}}}) {
    for (int i = 0; i < 5; ++i)
      EXPECT_NEAR(20 * std::log10(voice.gain(angles[i], row.f)), row.db[i], 1e-9) << row.f << " " << angles[i];
  }
  EXPECT_EQ(Directivity::table(std::make_shared<PatternTable>(std::vector<double>{0, 180}, std::vector<double>{1000},
                                                              std::vector<double>{0, -18}))
                .pattern_table()
                ->gain_db(45, 100),
            -4.5);
}

TEST(RoomDirectivity, CardioidFamilyAndItsMeanPower) {
  EXPECT_NEAR(Directivity::cardioid().gain(180, 100), 0, 1e-12);
  EXPECT_NEAR(Directivity::figure_of_eight().gain(180, 100), -1, 1e-12);
  EXPECT_NEAR(Directivity::hypercardioid().gain(60, 100), 0.25 + 0.375, 1e-12);
  // p^2 + (1 - p)^2 / 3
  EXPECT_NEAR(Directivity().mean_power(1000), 1, 1e-9);
  EXPECT_NEAR(Directivity::cardioid().mean_power(1000), 1.0 / 3, 1e-9);
  EXPECT_NEAR(Directivity::hypercardioid().mean_power(1000), 0.25, 1e-9);
  EXPECT_TRUE(directivity_by_name("omni").is_omni());
  EXPECT_FALSE(directivity_by_name("voice").is_flat());
  EXPECT_EQ(directivity_by_name("subcardioid").p(), 0.75);
}

TEST(RoomDirectivity, BandsAverageTheFinerTable) {
  const Directivity thirds = Directivity::voice_third_octaves();
  const PatternTable& table = *thirds.pattern_table();
  const double expected = 10 * std::log10((std::pow(10, -1.26) + std::pow(10, -1.53) + std::pow(10, -1.27)) / 3);
  EXPECT_NEAR(table.band_gain_db(180, 1414.2, 2000, 2828.4), expected, 1e-9);
  EXPECT_NEAR(table.band_gain_db(180, 1900, 2000, 2100), -12.6, 1e-9);
}

TEST(RoomDirectivity, BadTablesAreRefused) {
  const auto table = [](std::vector<double> a, std::vector<double> f, std::vector<double> g) { PatternTable(a, f, g); };
  EXPECT_THROW(table({0}, {1000}, {0}), Error);
  EXPECT_THROW(table({0, 0}, {1000}, {0, 0}), Error);
  EXPECT_THROW(table({0, 190}, {1000}, {0, 0}), Error);
  EXPECT_THROW(table({0, std::nan("")}, {1000}, {0, 0}), Error);
  EXPECT_THROW(table({0, 90}, {}, {}), Error);
  EXPECT_THROW(table({0, 90}, {1000, 500}, {0, 0, 0, 0}), Error);
  EXPECT_THROW(table({0, 90}, {1000}, {0}), Error);
  EXPECT_THROW(table({0, 90}, {1000}, {0, std::nan("")}), Error);
  EXPECT_THROW(Directivity::cardioid_family(1.5), Error);
  EXPECT_THROW(Directivity::table(nullptr), Error);
  EXPECT_THROW(directivity_by_name("mouth"), Error);
}

TEST(RoomBands, WeightsAddUpToOne) {
  for (const bool thirds : {false, true}) {
    for (const int rate : {8000, 16000, 48000}) {
      for (const std::size_t fft : {512u, 2000u, 16384u}) {
        const BandGrid grid(rate, thirds);
        std::vector<double> sum(fft / 2 + 1);
        for (std::size_t b = 0; b < grid.size(); ++b) {
          const BandWeights w = grid.weights(b, fft);
          for (std::size_t k = 0; k < w.values.size(); ++k) sum.at(w.first + k) += w.values[k];
        }
        for (std::size_t k = 0; k < sum.size(); ++k)
          ASSERT_NEAR(sum[k], 1, 1e-12) << rate << " " << fft << " bin " << k;
      }
    }
  }
  EXPECT_EQ(BandGrid(16000, false).centres().back(), 8000);
  EXPECT_EQ(BandGrid(48000, false).size(), 8u);
  EXPECT_EQ(BandGrid(16000, true).size(), 19u);
}

TEST(RoomBands, OctaveValuesSpread) {
  const BandGrid octaves(48000, false), thirds(16000, true);
  EXPECT_EQ(octaves.spread({0.5}), std::vector<double>(8, 0.5));
  EXPECT_EQ(octaves.spread({1, 2, 3, 4, 5, 6, 7}), (std::vector<double>{1, 2, 3, 4, 5, 6, 7, 7}));
  EXPECT_NEAR(thirds.spread({0, 3, 9})[2], 2, 1e-12);
  EXPECT_NEAR(thirds.spread({0, 3, 9})[4], 5, 1e-12);
  EXPECT_EQ(thirds.spread({0, 3, 9}).back(), 9);
}

TEST(RoomDecay, ExponentialNoiseHasItsDecayTime) {
  const int rate = 16000;
  std::vector<double> h(rate * 2);
  Rng rng(3);
  for (std::size_t t = 0; t < h.size(); ++t)
    h[t] = (rng.chance(0.5) ? 1 : -1) * std::exp(-3 * std::numbers::ln10 * static_cast<double>(t) / rate / 0.7);
  for (const double span : {20.0, 30.0, 40.0}) EXPECT_NEAR(rt60(h, rate, span), 0.7, 1e-3);
  EXPECT_NEAR(energy_decay_db(h)[rate * 7 / 100], -6, 1e-3);  // a tenth of the decay time
  h.resize(h.size() + 1000);
  EXPECT_EQ(energy_decay_db(h).size(), static_cast<std::size_t>(rate * 2));
  EXPECT_THROW(energy_decay_db(std::vector<double>(100)), Error);
  EXPECT_THROW(rt60(std::vector<double>{1, 0, 0}, rate), Error);
  EXPECT_THROW(energy_decay_db(std::vector<double>{1, std::nan("")}), Error);
}

TEST(RoomDecay, SabineEyringAndTheirInverses) {
  struct Row {
    Vec3 size;
    double rt60, absorption;
    int order;
    double eyring;
  };
  for (const Row& row :
       {Row{{10, 7.5, 3.5}, 0.3, 0.517337973, 32, 0.213060}, Row{{6, 5, 3}, 0.4, 0.287703260, 53, 0.339212},
        Row{{5, 4, 6}, 0.4, 0.326582079, 43, 0.330391}}) {
    const double a = absorption_for_rt60(row.size, row.rt60, DecayFormula::sabine);
    EXPECT_NEAR(a, row.absorption, 1e-8);
    EXPECT_EQ(order_for_rt60(row.size, row.rt60), row.order);
    EXPECT_NEAR(predicted_rt60(shoebox(row.size, a), DecayFormula::sabine), row.rt60, 1e-12);
    EXPECT_NEAR(predicted_rt60(shoebox(row.size, a), DecayFormula::eyring), row.eyring, 1e-6);
    const double e = absorption_for_rt60(row.size, row.rt60, DecayFormula::eyring, 343, 2e-3);
    Shoebox room = shoebox(row.size, e);
    room.air = {2e-3};
    EXPECT_NEAR(predicted_rt60(room, DecayFormula::eyring), row.rt60, 1e-12);
  }
  Shoebox bands = shoebox({6, 5, 3}, Absorption{0.1, 0.2});
  EXPECT_NEAR(predicted_rt60(bands, DecayFormula::sabine, 0), 2 * predicted_rt60(bands, DecayFormula::sabine, 1),
              1e-12);
  EXPECT_TRUE(std::isinf(predicted_rt60(shoebox({6, 5, 3}, 0.0), DecayFormula::eyring)));
  EXPECT_THROW(absorption_for_rt60({6, 5, 3}, 0.05, DecayFormula::sabine), Error);
  EXPECT_THROW(absorption_for_rt60({6, 5, 3}, 5, DecayFormula::eyring, 343, 0.1), Error);
  EXPECT_THROW(absorption_for_rt60({6, -5, 3}, 0.3, DecayFormula::sabine), Error);
  EXPECT_THROW(absorption_for_rt60({6, 5, 3}, std::nan(""), DecayFormula::sabine), Error);
  EXPECT_THROW(order_for_rt60({6, 5, 3}, 20), Error);
}

}  // namespace
}  // namespace thimble::dsp::room
