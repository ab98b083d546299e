// Tests of filters, resampling and delays with answers known in advance.
#include "dsp/filters.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/delay.h"
#include "dsp/resample.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;

std::vector<double> tone(double cycles_per_sample, std::size_t samples, double phase = 0) {
  std::vector<double> x(samples);
  for (std::size_t t = 0; t < samples; ++t)
    x[t] = std::sin(2 * kPi * cycles_per_sample * static_cast<double>(t) + phase);
  return x;
}

double decibels(Complex h) { return 20 * std::log10(std::abs(h)); }

TEST(Butterworth, ThreeDecibelsAtTheEdges) {
  const double half = 10 * std::log10(0.5);
  for (int order = 1; order <= 16; ++order) {
    EXPECT_NEAR(decibels(butterworth_lowpass(order, 1000, 16000).response(1000, 16000)), half, 1e-8) << order;
    EXPECT_NEAR(decibels(butterworth_highpass(order, 1000, 16000).response(1000, 16000)), half, 1e-8) << order;
    const auto band = butterworth_bandpass(order, 700, 2000, 16000);
    EXPECT_EQ(band.sections().size(), static_cast<std::size_t>(order));
    EXPECT_NEAR(decibels(band.response(700, 16000)), half, 1e-7) << order;
    EXPECT_NEAR(decibels(band.response(2000, 16000)), half, 1e-7) << order;
  }
  EXPECT_NEAR(std::abs(butterworth_lowpass(5, 1000, 16000).response(0, 16000)), 1, 1e-12);
  EXPECT_NEAR(std::abs(butterworth_highpass(5, 1000, 16000).response(8000, 16000)), 1, 1e-12);
}

TEST(Butterworth, RunsAsItsResponseSays) {
  auto cascade = butterworth_bandpass(3, 700, 2000, 16000);
  const Complex h = cascade.response(900, 16000);
  auto x = tone(900.0 / 16000, 4000);
  auto blocks = x;
  cascade.run(x);
  for (std::size_t t = 2000; t < 4000; ++t) {
    const double want = std::abs(h) * std::sin(2 * kPi * 900 / 16000 * static_cast<double>(t) + std::arg(h));
    ASSERT_NEAR(x[t], want, 1e-9) << t;
  }
  cascade.reset();
  for (std::size_t at = 0; at < blocks.size(); at += 250) cascade.run(std::span(blocks).subspan(at, 250));
  EXPECT_EQ(blocks, x);
}

TEST(Butterworth, RefusesBadEdges) {
  EXPECT_THROW(butterworth_lowpass(0, 100, 16000), Error);
  EXPECT_THROW(butterworth_lowpass(17, 100, 16000), Error);
  EXPECT_THROW(butterworth_lowpass(2, 8000, 16000), Error);
  EXPECT_THROW(butterworth_lowpass(2, NAN, 16000), Error);
  EXPECT_THROW(butterworth_bandpass(2, 200, 100, 16000), Error);
}

TEST(Bands, LieWhereTheStandardPutsThem) {
  const auto octaves = bands_between(BandWidth::octave, 125, 8000);
  ASSERT_EQ(octaves.size(), 7u);
  EXPECT_NEAR(octaves[0].centre, 125.8925, 1e-3);
  EXPECT_NEAR(octaves[3].low, 707.9458, 1e-3);
  EXPECT_NEAR(octaves[3].high, 1412.5375, 1e-3);
  EXPECT_NEAR(octaves[6].centre, 7943.282, 1e-2);
  const auto thirds = bands_between(BandWidth::third_octave, 125, 8000);
  ASSERT_EQ(thirds.size(), 19u);
  EXPECT_NEAR(thirds[18].high, 8912.509, 1e-2);
  for (std::size_t i = 1; i < thirds.size(); ++i) EXPECT_NEAR(thirds[i].low, thirds[i - 1].high, 1e-9);
  // Class 1 limits of IEC 61260-1 for octaves: within 0.5 dB to G^(1/8), at least 16.6 dB down at G and 40.5 dB at G^2.
  const double g = std::pow(10, 0.3);
  const auto filter = band_filter(octaves[3], 48000);
  for (const double sign : {-1, 1}) {
    EXPECT_NEAR(decibels(filter.response(1000 * std::pow(g, sign / 8), 48000)), 0, 0.5);
    EXPECT_LT(decibels(filter.response(1000 * std::pow(g, sign), 48000)), -16.6);
    EXPECT_LT(decibels(filter.response(1000 * std::pow(g, sign * 2), 48000)), -40.5);
  }
}

TEST(AWeighting, FollowsTheStandardsTable) {
  // IEC 61672-1, table 3, at the exact frequencies 1000 * 10^(n/10).
  const std::pair<int, double> table[] = {{-20, -70.4}, {-15, -39.4}, {-10, -19.1}, {-6, -8.6}, {-5, -6.6}, {-3, -3.2},
                                          {0, 0.0},     {3, 1.2},     {6, 1.0},     {9, -1.1},  {12, -6.6}};
  for (const auto& [n, want] : table) EXPECT_NEAR(a_weighting_db(1000 * std::pow(10, n / 10.0)), want, 0.06) << n;
  const auto x = tone(250.0 / 16000, 16000);
  const auto y = a_weighted(x, 16000);
  const double gain = std::pow(10, a_weighting_db(250) / 20);
  for (std::size_t t = 6000; t < 10000; ++t) ASSERT_NEAR(y[t], gain * x[t], 1e-5) << t;
}

TEST(OctaveBank, SumsToItsInput) {
  const OctaveBank bank({125, 250, 500, 1000, 2000, 4000}, 16000);
  Rng rng(1);
  std::vector<double> x(5001);
  for (double& v : x) v = rng.normal();
  const auto bands = bank.split(x);
  ASSERT_EQ(bands.size(), 6u);
  for (std::size_t t = 0; t < x.size(); ++t) {
    double sum = 0;
    for (const auto& band : bands) sum += band[t];
    ASSERT_NEAR(sum, x[t], 1e-12);
  }
  for (double f = 0; f <= 8000; f += 13) {
    double sum = 0;
    for (std::size_t b = 0; b < bank.bands(); ++b) sum += bank.weight(b, f);
    ASSERT_NEAR(sum, 1, 1e-12) << f;
  }
  const auto low = bank.split(tone(500.0 / 16000, 16000));
  for (std::size_t t = 4000; t < 12000; ++t) {
    ASSERT_NEAR(low[2][t], std::sin(2 * kPi * 500 / 16000 * static_cast<double>(t)), 1e-4);
    ASSERT_NEAR(low[1][t], 0, 1e-4);
  }
}

TEST(OctaveBank, MakesImpulseResponses) {
  const OctaveBank bank({250, 1000, 4000}, 16000);
  const auto flat = bank.impulse_response(std::vector<double>{0.5, 0.5, 0.5}, 256);
  for (std::size_t t = 0; t < flat.size(); ++t) ASSERT_NEAR(flat[t], t == 128 ? 0.5 : 0, 1e-14);
  const std::vector<double> gains{1, 0.5, 0.1};
  const auto h = bank.impulse_response(gains, 256);
  for (std::size_t t = 1; t < 128; ++t) ASSERT_NEAR(h[128 + t], h[128 - t], 1e-14);
  const auto bins = rfft(h);
  EXPECT_NEAR(std::abs(bins[16]), 0.5, 1e-12);  // 1 kHz
  EXPECT_NEAR(std::abs(bins[64]), 0.1, 1e-12);  // 4 kHz
  EXPECT_NEAR(std::abs(bins[40]), 0.3, 1e-12);  // 2.5 kHz: half way
  EXPECT_NEAR(std::abs(bins[0]), 1, 1e-12);
  EXPECT_NEAR(OctaveBank({250, 1000}, 16000, OctaveBank::Low::band).weight(0, 125), 0, 1e-15);
  EXPECT_THROW(OctaveBank({}, 16000), Error);
  EXPECT_THROW(OctaveBank({500, 250}, 16000), Error);
  EXPECT_THROW(OctaveBank({500, 8001}, 16000), Error);
  EXPECT_THROW(bank.impulse_response(std::vector<double>{1}, 64), Error);
}

TEST(Delay, HalfASampleOfASinusoid) {
  double worst = 0, edge = 0;
  for (const double f : {0.01, 0.1, 0.25, 0.4, 0.45}) {
    for (const double delay : {7.5, -3.25, 0.9, 12.0}) {
      const auto y = delay_signal(tone(f, 400), delay);
      for (std::size_t t = 100; t < 300; ++t) {
        const double error = std::abs(y[t] - std::sin(2 * kPi * f * (static_cast<double>(t) - delay)));
        (f > 0.42 ? edge : worst) = std::max(f > 0.42 ? edge : worst, error);
      }
    }
  }
  EXPECT_LT(worst, 2e-4);
  EXPECT_LT(edge, 2e-3);
  RecordProperty("to_0.4", std::to_string(worst * 1e6) + "e-6");
  RecordProperty("at_0.45", std::to_string(edge * 1e6) + "e-6");
}

TEST(Delay, ImpulsesLandInPlace) {
  std::vector<double> out(200);
  add_delayed_impulse(out, 100, 2);
  for (std::size_t t = 0; t < out.size(); ++t) ASSERT_NEAR(out[t], t == 100 ? 2 : 0, 1e-14);
  std::vector<double> part(200);
  add_delayed_impulse(part, 20.3, 1);
  const auto d = fractional_delay(20.3);
  ASSERT_EQ(d.first, -20);
  for (std::size_t t = 0; t <= 60; ++t) ASSERT_EQ(part[t], d.taps[t + 20]);
  double x = 0.3;  // by the formula
  EXPECT_NEAR(part[20], std::sin(kPi * x) / (kPi * x) * (0.5 + 0.5 * std::cos(2 * kPi * x / 82)), 1e-12);
  x = 9.7;
  EXPECT_NEAR(part[30], std::sin(kPi * x) / (kPi * x) * (0.5 + 0.5 * std::cos(2 * kPi * x / 82)), 1e-12);
  for (const double far : {-60.0, 260.0, 1e300, -1e300, static_cast<double>(NAN)}) {
    std::vector<double> untouched(200);
    add_delayed_impulse(untouched, far, 1);
    EXPECT_EQ(untouched, std::vector<double>(200));
  }
  EXPECT_THROW(fractional_delay(NAN), Error);
  EXPECT_THROW(fractional_delay(1, 80), Error);
}

TEST(Resample, PassesBelowAndStopsAbove) {
  double ripple = 0, leak = 0, phase = 0;
  for (const auto& [from, to] : {std::pair{16000, 48000}, {48000, 16000}, {44100, 16000}, {8000, 11025}}) {
    const Resampler resampler(from, to);
    const double lower = std::min(from, to) / 2.0;
    const auto samples = static_cast<std::size_t>(from) / 4;
    const auto middle = [&](const std::vector<double>& y) {  // clear of both ends
      return std::span(y).subspan(y.size() / 3, y.size() / 3);
    };
    for (const double part : {0.02, 0.3, 0.6, 0.8, 0.9}) {
      const auto y = resampler.run(tone(part * lower / from, samples));
      ASSERT_EQ(y.size(), (samples * static_cast<std::size_t>(to) + static_cast<std::size_t>(from) - 1) /
                              static_cast<std::size_t>(from));
      const auto want = tone(part * lower / to, y.size());
      double error = 0;
      for (std::size_t t = y.size() / 3; t < 2 * y.size() / 3; ++t) error = std::max(error, std::abs(y[t] - want[t]));
      (part > 0.85 ? ripple : phase) = std::max(part > 0.85 ? ripple : phase, error);
    }
    if (from < to) continue;
    for (double f = lower * 1.0; f < from / 2.0; f += from / 37.0) {
      const auto y = resampler.run(tone(f / from, samples, 0.7));
      for (const double v : middle(y)) leak = std::max(leak, std::abs(v));
    }
  }
  EXPECT_LT(phase, 1e-5);
  EXPECT_LT(ripple, 1e-4);  // 0.001 dB
  EXPECT_LT(leak, 1e-5);    // -100 dB
  RecordProperty("pass", std::to_string(phase * 1e6) + "e-6");
  RecordProperty("edge", std::to_string(ripple * 1e6) + "e-6");
  RecordProperty("leak", std::to_string(leak * 1e6) + "e-6");
}

TEST(Resample, ImagesOfUpsamplingAreGone) {
  const auto y = Resampler(8000, 48000).run(tone(3500.0 / 8000, 4000));
  // What is left after taking the tone away: images at 4.5, 11.5, ... kHz.
  double worst = 0;
  for (std::size_t t = 8000; t < 16000; ++t)
    worst = std::max(worst, std::abs(y[t] - std::sin(2 * kPi * 3500 / 48000 * static_cast<double>(t))));
  EXPECT_LT(worst, 1e-5);
}

TEST(Resample, HandlesEndsAndOddRates) {
  const std::vector<double> x{1, 2, 3};
  EXPECT_EQ(Resampler(16000, 16000).run(x), x);
  EXPECT_EQ(Resampler(16000, 8000).run(x).size(), 2u);
  EXPECT_TRUE(Resampler(16000, 8000).run({}).empty());
  const auto level = Resampler(44100, 16000).run(std::vector<double>(5000, 0.25));
  for (std::size_t t = 300; t < 1500; ++t) ASSERT_NEAR(level[t], 0.25, 1e-14);
  EXPECT_THROW(Resampler(0, 8000), Error);
  EXPECT_THROW(Resampler(9'999'991, 9'999'973), Error);
  const Signal two = resample({8000, {std::vector<double>(100, 1), std::vector<double>(100, 2)}}, 16000);
  EXPECT_EQ(two.rate, 16000);
  EXPECT_EQ(two.frames(), 200u);
  EXPECT_NEAR(two.channels[1][100], 2, 0.05);
}

}  // namespace
}  // namespace thimble::dsp
