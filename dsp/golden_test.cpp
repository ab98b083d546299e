// The same signals through pyroomacoustics, SciPy and NumPy: their saved answers (tools/dsp/goldens.py) against ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/file.h"
#include "base/json.h"
#include "dsp/beamform.h"
#include "dsp/filters.h"
#include "dsp/gcc_phat.h"
#include "dsp/music.h"
#include "dsp/resample.h"
#include "dsp/srp_phat.h"

namespace thimble::dsp {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

Json golden(const std::string& name) {
  const std::string path = "dsp/testdata/" + name + ".json";
  return parse_json(read_file(path), path);
}

std::vector<Complex> complex_numbers(const Json& list) {
  std::vector<Complex> out;
  for (std::size_t i = 0; i + 1 < list.size(); i += 2)
    out.emplace_back(list[i].get<double>(), list[i + 1].get<double>());
  return out;
}

// The largest relative difference of two maps, also put into the test's report.
double worst_difference(std::span<const double> got, const Json& want, const std::string& name) {
  EXPECT_EQ(got.size(), want.size());
  double worst = 0, most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - want[i].get<double>()));
    most = std::max(most, std::abs(want[i].get<double>()));
  }
  testing::Test::RecordProperty(name, std::to_string(worst / most * 1e9) + "e-9");
  return worst / most;
}

// Every direction that they found has one of ours within a step of the grid.
void expect_found(const std::vector<DirectionPeak>& peaks, const Json& found, double step) {
  ASSERT_EQ(peaks.size(), found.size());
  for (const Json& azimuth : found) {
    double nearest = 9;
    for (const DirectionPeak& p : peaks)
      nearest = std::min(nearest, angle_between(p.direction, {azimuth.get<double>(), 0}));
    EXPECT_LE(nearest, step);
  }
}

TEST(Golden, DirectionFinders) {
  const Json all = golden("directions");
  const MicArray ring = array_by_name("ring6");
  for (const std::string name : {"plane", "two"}) {
    const Signal sound = from_sound(media::read_wav("dsp/testdata/" + name + ".wav"));
    const auto spectra = Stft(512, 256).analyse(sound);
    const std::size_t sources = name == "plane" ? 1 : 2;
    const auto grid = DirectionGrid::circle(180);
    const Json& want = all[name];
    const auto run = [&](DirectionFinder& finder, const std::string& method, std::size_t count) {
      finder.add_all(spectra);
      EXPECT_LT(worst_difference(finder.map(), want[method]["map"], name + "_" + method), 1e-6)
          << name << " " << method;
      expect_found(finder.peaks(count), want[method]["found"], grid.step());
      if (name == "plane") {
        EXPECT_LT(angle_between(finder.peaks(1)[0].direction, {want["azimuth"].get<double>(), 0}), 0.5 * kDegree);
      }
    };
    SrpPhat srp(ring, sound.rate, 512, grid);
    run(srp, "SRP", 1);
    Music music(ring, sound.rate, 512, grid, {.sources = sources, .normalised = false});
    run(music, "MUSIC", sources);
    Music normalised(ring, sound.rate, 512, grid, {.sources = sources, .normalised = true});
    run(normalised, "NormMUSIC", sources);
  }
}

TEST(Golden, ShortTimeSpectra) {
  const Json want = golden("directions")["stft"];
  const Signal sound = from_sound(media::read_wav("dsp/testdata/plane.wav"));
  const auto spectra = Stft(512, 256).analyse(sound);
  const auto values = complex_numbers(want["values"]);
  double worst = 0;
  std::size_t at = 0;
  for (const Json& t : want["frames"])
    for (const Complex v : spectra.frame(want["channel"].get<std::size_t>(), t.get<std::size_t>()))
      worst = std::max(worst, std::abs(v - values.at(at++)));
  EXPECT_EQ(at, values.size());
  EXPECT_LT(worst, 1e-7);
  RecordProperty("stft", std::to_string(worst * 1e9) + "e-9");
}

TEST(Golden, DelayBetweenMicrophones) {
  const Signal sound = from_sound(media::read_wav("dsp/testdata/plane.wav"));
  GccPhat gcc(sound.frames(), {.max_delay = 10, .upsample = 16});
  // Theirs is the delay of the first against the second, on a grid of 1/16 sample.
  const double delay = gcc.estimate(sound.channels[0], sound.channels[3]).delay;
  EXPECT_NEAR(delay, golden("directions")["tdoa_0_3"].get<double>(), 1.0 / 16);
  EXPECT_NEAR(delay, 2 * 0.0463 * std::cos(73.3 * kDegree) / 343 * 16000, 0.03);
}

TEST(Golden, Beamformers) {
  const Json want = golden("beams");
  const Direction d{want["azimuth"].get<double>(), 0};
  const MicArray ring = array_by_name("ring6");
  const auto das = delay_and_sum(ring, d, 16000, 512), super = superdirective(ring, d, 16000, 512);
  double worst = 0;
  const auto compare = [&](std::span<const Complex> ours, const Complex* theirs, double theirs_scale) {
    // Their weights carry one phase for all microphones (they make filters causal); the common phase is taken out.
    Complex turn = 0;
    for (std::size_t m = 0; m < 6; ++m) turn += ours[m] * std::conj(theirs[m]);
    turn /= std::abs(turn);
    for (std::size_t m = 0; m < 6; ++m) worst = std::max(worst, std::abs(ours[m] - turn * theirs[m] * theirs_scale));
  };
  const auto their_das = complex_numbers(want["das"]), their_super = complex_numbers(want["superdirective"]);
  for (std::size_t i = 0; i < want["frequencies"].size(); ++i) {
    const auto k = static_cast<std::size_t>(want["frequencies"][i].get<double>() / 31.25);
    compare(das.at(k), their_das.data() + 6 * i, 1.0 / 6);
    compare(super.at(k), their_super.data() + 6 * i, 1);
  }
  EXPECT_LT(worst, 1e-8);
  RecordProperty("weights", std::to_string(worst * 1e9) + "e-9");
}

TEST(Golden, Filters) {
  const Json want = golden("filters");
  const std::pair<const char*, BiquadCascade> designs[] = {
      {"lowpass5_1000", butterworth_lowpass(5, 1000, 16000)},
      {"highpass4_100", butterworth_highpass(4, 100, 16000)},
      {"bandpass3_octave_1000", band_filter(band_at(BandWidth::octave, 0), 16000)},
      {"bandpass4_80_6000", butterworth_bandpass(4, 80, 6000, 16000)}};
  double worst = 0;
  for (const auto& [name, cascade] : designs) {
    const auto response = complex_numbers(want[name]);
    for (std::size_t i = 0; i < response.size(); ++i)
      worst = std::max(worst, std::abs(cascade.response(want["frequencies"][i].get<double>(), 16000) - response[i]));
  }
  EXPECT_LT(worst, 1e-9);
  auto x = want["input"].get<std::vector<double>>();
  auto cascade = butterworth_lowpass(5, 1000, 16000);
  cascade.run(x);
  for (std::size_t t = 0; t < x.size(); ++t) ASSERT_NEAR(x[t], want["lowpass5_1000_output"][t].get<double>(), 1e-11);
  RecordProperty("responses", std::to_string(worst * 1e12) + "e-12");
}

TEST(Golden, OctaveWeights) {
  const Json want = golden("filters");
  const std::vector<double> centres{125, 250, 500, 1000, 2000, 4000, 8000};
  for (const auto& [name, low] :
       {std::pair{"bank_shelf", OctaveBank::Low::shelf}, {"bank_band", OctaveBank::Low::band}}) {
    const OctaveBank bank(centres, 16000, low);
    for (std::size_t b = 0; b < centres.size(); ++b)
      for (std::size_t k = 0; k <= 64; ++k) {
        const double f = 125.0 * static_cast<double>(k);
        ASSERT_NEAR(bank.weight(b, f), want[name][b * 65 + k].get<double>(), 1e-11) << name << " " << b << " " << f;
      }
  }
}

TEST(Golden, Resampling) {
  const Json want = golden("resampling");
  for (const auto& [name, from, to] :
       {std::tuple{"8000_16000", 8000, 16000}, {"48000_16000", 48000, 16000}, {"44100_16000", 44100, 16000}}) {
    const auto y = Resampler(from, to).run(want[name]["input"].get<std::vector<double>>());
    const auto theirs = want[name]["output"].get<std::vector<double>>();
    ASSERT_EQ(y.size(), theirs.size());
    double worst = 0;
    for (std::size_t t = 0; t < y.size(); ++t) worst = std::max(worst, std::abs(y[t] - theirs[t]));
    EXPECT_LT(worst, 2e-4) << name;
    RecordProperty(name, std::to_string(worst * 1e6) + "e-6");
  }
}

}  // namespace
}  // namespace thimble::dsp
