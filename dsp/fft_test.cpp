// Tests of dsp/fft.h, dsp/convolve.h and dsp/stft.h against their definitions.
#include "dsp/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/convolve.h"
#include "dsp/stft.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;

std::vector<double> noise(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> x(n);
  for (double& v : x) v = rng.normal();
  return x;
}

// The definition, with the angle reduced in integers.
std::vector<Complex> slow_transform(const std::vector<Complex>& x) {
  const std::size_t n = x.size();
  std::vector<Complex> out(n);
  for (std::size_t k = 0; k < n; ++k)
    for (std::size_t t = 0; t < n; ++t)
      out[k] += x[t] * std::polar(1.0, -2 * kPi * static_cast<double>(k * t % n) / static_cast<double>(n));
  return out;
}

TEST(Fft, EverySizeFollowsTheDefinition) {
  std::vector<std::size_t> sizes{47, 64, 97, 100, 101, 127, 128, 210, 211, 243, 255, 256, 385};
  for (std::size_t n = 1; n <= 40; ++n) sizes.push_back(n);
  double worst = 0, back = 0;
  for (const std::size_t n : sizes) {
    const auto re = noise(n, n), im = noise(n, n + 1000);
    std::vector<Complex> x(n), real(n), got(n), again(n);
    for (std::size_t t = 0; t < n; ++t) {
      x[t] = {re[t], im[t]};
      real[t] = re[t];
    }
    const ComplexFft fft(n);
    auto scratch = fft.make_scratch();
    fft.forward(x, got, scratch);
    const auto want = slow_transform(x);
    for (std::size_t k = 0; k < n; ++k) worst = std::max(worst, std::abs(got[k] - want[k]));
    fft.inverse(got, again, scratch);
    for (std::size_t t = 0; t < n; ++t) back = std::max(back, std::abs(again[t] - x[t]));

    const auto bins = rfft(re), want_real = slow_transform(real);
    ASSERT_EQ(bins.size(), n / 2 + 1);
    for (std::size_t k = 0; k < bins.size(); ++k) worst = std::max(worst, std::abs(bins[k] - want_real[k]));
    const auto real_again = irfft(bins, n);
    for (std::size_t t = 0; t < n; ++t) back = std::max(back, std::abs(real_again[t] - re[t]));
  }
  EXPECT_LT(worst, 2e-12);
  EXPECT_LT(back, 2e-14);
}

TEST(Fft, LargePrimesKeepPrecision) {
  constexpr std::size_t kSize = 65537, kBin = 12345;
  std::vector<double> x(kSize);
  for (std::size_t t = 0; t < kSize; ++t)
    x[t] = std::cos(2 * kPi * static_cast<double>(t * kBin % kSize) / static_cast<double>(kSize) + 0.3);
  const auto bins = rfft(x);
  for (std::size_t k = 0; k < bins.size(); ++k) {
    const Complex want = k == kBin ? std::polar(kSize / 2.0, 0.3) : Complex{};
    ASSERT_LT(std::abs(bins[k] - want), 1e-8) << k;
  }
}

TEST(Fft, KeepsEnergy) {  // Parseval
  for (const std::size_t n : {1000, 1009}) {
    const auto x = noise(n, 5);
    const auto bins = rfft(x);
    double time = 0, frequency = 0;
    for (const double v : x) time += v * v;
    for (std::size_t k = 0; k < bins.size(); ++k)
      frequency += std::norm(bins[k]) * (k == 0 || 2 * k == n ? 1 : 2) / static_cast<double>(n);
    EXPECT_NEAR(frequency, time, 1e-10 * time) << n;
  }
}

TEST(Fft, OnePlanServesThreads) {
  const RealFft fft(1009);
  const auto x = noise(1009, 1);
  const auto want = rfft(x);
  std::vector<std::vector<Complex>> got(4, std::vector<Complex>(fft.bins()));
  {
    std::vector<std::jthread> threads;
    for (auto& out : got)
      threads.emplace_back([&] {
        auto scratch = fft.make_scratch();
        for (int i = 0; i < 20; ++i) fft.forward(x, out, scratch);
      });
  }
  for (const auto& out : got) EXPECT_EQ(out, want);
}

TEST(Fft, RefusesWrongSizes) {
  EXPECT_THROW(ComplexFft(0), Error);
  EXPECT_THROW(RealFft(0), Error);
  EXPECT_THROW(RealFft(kMaxFftSize + 1), Error);
  EXPECT_THROW(good_fft_size(kMaxFftSize + 1), Error);
  const RealFft fft(8);
  auto scratch = fft.make_scratch();
  std::vector<double> x(7);
  std::vector<Complex> bins(5);
  EXPECT_THROW(fft.forward(x, bins, scratch), Error);
  x.resize(8);
  EXPECT_THROW(fft.forward(x, bins, std::span(scratch).first(1)), Error);
  EXPECT_EQ(good_fft_size(0), 1u);
  EXPECT_EQ(good_fft_size(7), 8u);
  EXPECT_EQ(good_fft_size(121), 125u);
}

TEST(Convolve, IsTheSumOfProducts) {
  for (const auto& [n, m] :
       std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {5, 300}, {1000, 40}, {3000, 700}}) {
    const auto x = noise(n, n), h = noise(m, m + 1);
    const auto y = convolve(x, h);
    ASSERT_EQ(y.size(), n + m - 1);
    double worst = 0;
    for (std::size_t t = 0; t < y.size(); ++t) {
      double want = 0;
      for (std::size_t j = t < n ? 0 : t - n + 1; j <= std::min(t, m - 1); ++j) want += h[j] * x[t - j];
      worst = std::max(worst, std::abs(y[t] - want));
    }
    EXPECT_LT(worst, 1e-11) << n << " by " << m;
    std::vector<double> cut(n, 1.0);
    Convolver(h).add(x, cut);
    for (std::size_t t = 0; t < n; ++t) ASSERT_NEAR(cut[t], 1 + y[t], 1e-11);
  }
  EXPECT_TRUE(convolve(noise(3, 1), {}).empty());
  EXPECT_THROW(Convolver(std::vector<double>{}), Error);
}

TEST(Stft, ComesBackExactly) {
  for (const auto& [size, hop] : std::vector<std::pair<std::size_t, std::size_t>>{
           {512, 256}, {512, 100}, {480, 160}, {511, 170}, {64, 1}, {2, 1}}) {
    const Stft stft(size, hop);
    for (const std::size_t samples : {1, 63, 3000}) {
      const auto x = noise(samples, size + samples);
      const auto y = stft.synthesise(stft.analyse(x), 0, samples);
      double worst = 0;
      for (std::size_t t = 0; t < samples; ++t) worst = std::max(worst, std::abs(y[t] - x[t]));
      EXPECT_LT(worst, 1e-13) << size << "/" << hop << ", " << samples;
    }
  }
  EXPECT_EQ(Stft(64, 32).analyse(std::vector<double>{}).frames, 0u);
}

TEST(Stft, SeesASinusoid) {
  const Stft stft(512, 256);
  std::vector<double> x(4096);
  for (std::size_t t = 0; t < x.size(); ++t) x[t] = 0.5 * std::cos(2 * kPi * 40 * static_cast<double>(t) / 512);
  const auto spectra = stft.analyse(x);
  ASSERT_EQ(spectra.frames, 17u);
  EXPECT_EQ(stft.frame_start(0), -256);
  const auto bins = spectra.frame(0, 5);        // starts at sample 1024, a whole number of periods
  EXPECT_LT(std::abs(bins[40] - 64.0), 1e-10);  // amplitude * size / 4
  EXPECT_LT(std::abs(bins[39] + 32.0), 1e-10);
  EXPECT_LT(std::abs(bins[41] + 32.0), 1e-10);
  EXPECT_LT(std::abs(bins[43]), 1e-10);
  auto scratch = stft.make_scratch();
  std::vector<Complex> live(stft.bins());
  stft.frame(std::span(x).subspan(1024, 512), live, scratch);
  for (std::size_t k = 0; k < live.size(); ++k) EXPECT_EQ(live[k], bins[k]);
}

TEST(Stft, RefusesBadInput) {
  EXPECT_THROW(Stft(512, 0), Error);
  EXPECT_THROW(Stft(512, 512), Error);
  EXPECT_THROW(Stft(1, 1), Error);
  const Stft stft(64, 32);
  EXPECT_THROW(stft.analyse(Signal{16000, {{1, 2}, {1}}}), Error);
  EXPECT_THROW(stft.analyse(Signal{16000, {{1, std::numeric_limits<double>::quiet_NaN()}}}), Error);
  EXPECT_THROW(stft.synthesise(Spectrogram(1, 2, 30), 0, 10), Error);
}

TEST(Signals, AreCheckedWithWords) {
  const auto word = [](const Signal& s, const SignalNeeds& needs) {
    try {
      check_signal(s, needs, "a.wav");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("fine");
  };
  const Signal two{16000, {{0, 1}, {0, 1}}};
  EXPECT_EQ(word(two, {2, 16000, 2}), "fine");
  EXPECT_EQ(word(two, {.channels = 6}), "a.wav: 6 channels were wanted, 2 came");
  EXPECT_EQ(word(two, {.rate = 48000}), "a.wav: 48000 Hz were wanted, 16000 Hz came; resample first");
  EXPECT_EQ(word(two, {.frames = 3}), "a.wav: at least 3 samples a channel were wanted, 2 came");
  EXPECT_EQ(word({16000, {{0, 1}, {0, NAN}}}, {}), "a.wav: channel 2, sample 1 is nan");
  EXPECT_EQ(word({16000, {}}, {}), "a.wav: no channels");
  EXPECT_TRUE(is_silent({16000, {{0, 1e-7}}}));
  EXPECT_FALSE(is_silent(two));
  const auto sound = to_sound(two);
  EXPECT_EQ(sound.samples, (std::vector<float>{0, 0, 1, 1}));
  EXPECT_EQ(from_sound(sound).channels, two.channels);
  EXPECT_DOUBLE_EQ(rms(two.channels[0]), std::sqrt(0.5));
}

}  // namespace
}  // namespace thimble::dsp
