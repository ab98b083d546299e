// Recordings: timing, level, noise and gains, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "dsp/fft.h"
#include "dsp/room/render.h"

namespace thimble::dsp::room {
namespace {

double power(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return sum / static_cast<double>(x.size());
}

// Mean power of the bins in [low, high) Hz.
double power_between(const std::vector<double>& x, double low, double high, int rate) {
  const auto bins = rfft(x);
  double sum = 0;
  int count = 0;
  for (std::size_t k = 0; k < bins.size(); ++k) {
    const double f = static_cast<double>(k) * rate / static_cast<double>(x.size());
    if (f < low || f >= high) continue;
    sum += std::norm(bins[k]);
    ++count;
  }
  return sum / count;
}

RenderOptions dry() {
  RenderOptions out;
  out.simulation.order = 0;
  out.simulation.high_pass = 0;
  return out;
}

TEST(RoomRender, ADirectPathDelaysAndThins) {
  ThreadPool pool(1);
  Shoebox room = shoebox({8, 5, 3}, 1.0);
  room.sound_speed = 320;  // 20 samples a metre
  std::vector<Voice> voices(2);
  voices[0].source.position = {1, 2, 1.5};
  voices[0].signal.resize(2000);
  voices[1].source.position = {4, 4, 1.5};
  voices[1].signal = {1.0};
  voices[1].start = 0.2;
  for (std::size_t t = 0; t < 2000; ++t)
    voices[0].signal[t] = std::sin(2 * std::numbers::pi * 0.05 * static_cast<double>(t));
  const std::vector<Microphone> microphones = {{{5, 2, 1.5}}, {{3, 2, 1.5}}};
  const Signal out = simulate(room, voices, microphones, dry(), pool);
  ASSERT_EQ(out.channels.size(), 2u);
  EXPECT_EQ(out.rate, 16000);
  for (std::size_t t = 500; t < 1500; ++t) {
    ASSERT_NEAR(out.channels[0][t], voices[0].signal[t - 200] / 4, 5e-4);
    ASSERT_NEAR(out.channels[1][t], voices[0].signal[t - 100] / 2, 5e-4);
  }
  const auto late = std::max_element(out.channels[0].begin() + 3000, out.channels[0].end());
  EXPECT_NEAR(static_cast<double>(late - out.channels[0].begin()), 3200 + 50 * std::sqrt(5.0), 1);
}

TEST(RoomRender, NoiseHasTheRatioAndGainsComeAfterIt) {
  ThreadPool pool(1);
  const Shoebox room = shoebox({6, 5, 3}, 0.4);
  const std::vector<Voice> voices(1, Voice{Source{{1, 2, 1.5}}, make_noise(NoiseKind::white, 16000, 16000, 9), 0});
  const std::vector<Microphone> microphones = {
      {{5, 2, 1.5}, {1, 0, 0}, {}, 0}, {{5.05, 2, 1.5}, {1, 0, 0}, {}, 0}, {{3, 4, 1.5}, {1, 0, 0}, {}, 1}};
  RenderOptions options;
  const Signal clean = simulate(room, voices, microphones, options, pool);
  for (const double snr : {0.0, 20.0}) {
    options.noise = Noise{NoiseKind::white, snr, 0, 4};
    const Signal noisy = simulate(room, voices, microphones, options, pool);
    const double reference = (power(clean.channels[0]) + power(clean.channels[1])) / 2;
    std::vector<double> first;
    for (std::size_t m = 0; m < 3; ++m) {
      std::vector<double> noise = noisy.channels[m];
      for (std::size_t t = 0; t < noise.size(); ++t) noise[t] -= clean.channels[m][t];
      EXPECT_NEAR(10 * std::log10(reference / power(noise)), snr, 0.1) << m;
      if (m == 0) {
        first = noise;
        continue;
      }
      double product = 0;
      for (std::size_t t = 0; t < noise.size(); ++t) product += noise[t] * first[t];
      EXPECT_LT(std::abs(product / static_cast<double>(noise.size())), 0.03 * power(noise));
    }
    options.gains_db = {6, -20};
    const Signal wrong = simulate(room, voices, microphones, options, pool);
    EXPECT_NEAR(wrong.channels[1][5000], noisy.channels[1][5000] * std::pow(10, 0.3), 1e-9);
    EXPECT_NEAR(wrong.channels[2][5000], noisy.channels[2][5000] * 0.1, 1e-9);
    options.gains_db.clear();
  }
}

TEST(RoomRender, NoiseSpectra) {
  const int rate = 16000;
  for (const NoiseKind kind : {NoiseKind::white, NoiseKind::pink, NoiseKind::speech_shaped})
    EXPECT_NEAR(power(make_noise(kind, 1 << 17, rate, 1)), 1, kind == NoiseKind::white ? 0.02 : 0.05);
  const auto pink = make_noise(NoiseKind::pink, 1 << 17, rate, 2);
  EXPECT_NEAR(10 * std::log10(power_between(pink, 500, 510, rate) / power_between(pink, 4000, 4080, rate)), 9.03, 1.2);
  const auto speech = make_noise(NoiseKind::speech_shaped, 1 << 17, rate, 3);
  // Octave levels 74 dB at 500 Hz and 57 dB at 4 kHz, in bands eight times as wide.
  EXPECT_NEAR(10 * std::log10(power_between(speech, 490, 510, rate) / power_between(speech, 3920, 4080, rate)),
              17 + 9.03, 1);
  const auto white = make_noise(NoiseKind::white, 1 << 17, rate, 4);
  EXPECT_NEAR(10 * std::log10(power_between(white, 100, 1000, rate) / power_between(white, 5000, 6000, rate)), 0, 0.3);
  EXPECT_NE(make_noise(NoiseKind::pink, 100, rate, 1), make_noise(NoiseKind::pink, 100, rate, 1, 1));
}

TEST(RoomRender, GainErrors) {
  const auto gains = draw_gains_db(1000, 2, 5);
  EXPECT_LT(*std::max_element(gains.begin(), gains.end()), 2);
  EXPECT_GT(*std::max_element(gains.begin(), gains.end()), 1.9);
  EXPECT_LT(*std::min_element(gains.begin(), gains.end()), -1.9);
  EXPECT_THROW(draw_gains_db(3, -1, 0), Error);
}

TEST(RoomRender, BadInputIsNamed) {
  ThreadPool pool(1);
  const Shoebox room = shoebox({6, 5, 3}, 0.4);
  const std::vector<Microphone> microphones = {{{5, 2, 1.5}}};
  const auto refused = [&](const std::string& word, std::vector<double> signal, double start,
                           const RenderOptions& options) {
    const std::vector<Voice> voices(1, Voice{Source{{1, 2, 1.5}}, std::move(signal), start});
    try {
      simulate(room, voices, microphones, options, pool);
      ADD_FAILURE() << "not refused: " << word;
    } catch (const Error& e) {
      EXPECT_NE(e.message().find(word), std::string::npos) << e.message();
    }
  };
  refused("signal of source 0 is empty", {}, 0, dry());
  refused("NaN", {1, std::nan("")}, 0, dry());
  refused("starts at -1 s", {1}, -1, dry());
  RenderOptions options = dry();
  options.gains_db = {std::nan("")};
  refused("a gain of nan dB", {1}, 0, options);
  options = dry();
  options.noise = Noise{NoiseKind::white, 25, 3, 0};
  refused("device 3, which has no microphone", {1}, 0, options);
  options.noise = Noise{NoiseKind::white, std::nan(""), 0, 0};
  refused("ratio of nan dB", {1}, 0, options);
}

}  // namespace
}  // namespace thimble::dsp::room
