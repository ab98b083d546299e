// Tests of geometry, delays between microphones, direction finders and beamformers with answers known in advance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "dsp/beamform.h"
#include "dsp/delay.h"
#include "dsp/gcc_phat.h"
#include "dsp/hermitian.h"
#include "dsp/music.h"
#include "dsp/srp_phat.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kDegree = kPi / 180;

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

bool has(const std::string& text, const char* word) { return text.find(word) != std::string::npos; }

std::vector<double> noise(std::size_t n, std::uint64_t seed) {
  Rng rng(seed);
  std::vector<double> x(n);
  for (double& v : x) v = rng.normal();
  return x;
}

// A plane wave of noise plus independent noise in each microphone.
Signal plane_wave(const MicArray& array, const Direction& d, int rate, std::size_t samples, double noise_level) {
  const auto source = noise(samples, 1);
  Signal s{rate, {}};
  for (std::size_t m = 0; m < array.size(); ++m) {
    auto x = delay_signal(source, arrival_delay(array.mics[m], d) * rate);
    const auto own = noise(samples, 100 + m);
    for (std::size_t t = 0; t < samples; ++t) x[t] += noise_level * own[t];
    s.channels.push_back(std::move(x));
  }
  return s;
}

TEST(Geometry, NamedArraysHaveTheirMeasures) {
  const MicArray ring = array_by_name("ring6");
  ASSERT_EQ(ring.size(), 6u);
  EXPECT_NEAR(ring.mics[0].x, 0.0463, 1e-15);
  EXPECT_NEAR(ring.aperture() / kSpeedOfSound * 16000, 4.32, 0.005);              // largest delay in samples
  EXPECT_NEAR(kSpeedOfSound / (2 * norm(ring.mics[0] - ring.mics[1])), 3704, 1);  // free of aliasing between neighbours
  EXPECT_NEAR(ring.mics[1].y, 0.0463 * std::sin(kPi / 3), 1e-15);
  const MicArray square = array_by_name("square4");
  EXPECT_NEAR(square.mics[0].x, 0.0325, 1e-15);
  EXPECT_NEAR(square.mics[0].y, 0.0325, 1e-15);
  EXPECT_NEAR(array_by_name("line4").mics[0].y, 0.0525, 1e-15);
  EXPECT_NEAR(array_by_name("ring:5:40").mics[2].x, 0.04 * std::cos(4 * kPi / 5), 1e-15);
  EXPECT_NEAR(array_by_name("square:100").aperture(), 0.1 * std::numbers::sqrt2, 1e-15);
  EXPECT_EQ(array_by_name("xyz:0,0,0;10,-20.5,3").mics[1], (Vec3{0.01, -0.0205, 0.003}));
  EXPECT_NEAR(rotated(ring, kPi / 3).mics[0].y, ring.mics[1].y, 1e-15);
  for (const char* bad :
       {"", "ring", "ring7", "ring:6", "ring:1:40", "ring:2.5:40", "ring:65:40", "ring:6:x", "ring:6:0", "ring:6:nan",
        "ring:1e99:40", "line:4:-0", "xyz:0,0,0", "xyz:0,0;1,1", "xyz:0,0,0;0,0,0", "xyz:0,0,0;1e9,0,0", "square:"})
    EXPECT_NE(message_of([&] { array_by_name(bad); }), "no error") << bad;
  EXPECT_TRUE(has(message_of([] { array_by_name("ring7"); }), "no microphone array `ring7`; known are ring6"));
}

TEST(Geometry, DirectionsTurnBack) {
  for (const double azimuth : {-3.0, -0.5, 0.0, 1.0, 3.1})
    for (const double elevation : {-1.5, 0.0, 0.7}) {
      const Direction d = direction_of(unit_vector({azimuth, elevation}) * 3);
      EXPECT_NEAR(d.azimuth, azimuth, 1e-12);
      EXPECT_NEAR(d.elevation, elevation, 1e-12);
    }
  EXPECT_NEAR(angle_between({0, 0}, {0, 1e-9}), 1e-9, 1e-18);
  EXPECT_NEAR(angle_between({0.2, 0}, {0.2 + kPi, 0}), kPi, 1e-12);
  EXPECT_DOUBLE_EQ(wrap_angle(kPi), -kPi);
  EXPECT_NEAR(wrap_angle(-7), 2 * kPi - 7, 1e-15);
}

TEST(Geometry, SteeringIsTheDelayOfAWave) {
  const MicArray line = array_by_name("line2");  // +-30 mm on y
  const Direction left{kPi / 2, 0};
  EXPECT_NEAR(arrival_delay(line.mics[0], left), -0.03 / 343, 1e-15);
  std::vector<Complex> a(2), near(2);
  steering_vector(line, left, 343 / 0.12, a);  // 30 mm is a quarter of the wave: the near microphone leads
  EXPECT_NEAR(std::abs(a[0] - Complex{0, 1}), 0, 1e-12);
  EXPECT_NEAR(std::abs(a[1] - Complex{0, -1}), 0, 1e-12);
  steering_vector(line, {0, 0}, 2000, a);
  EXPECT_NEAR(std::abs(a[0] - 1.0), 0, 1e-12);
  steering_vector_near(line, {0, 1e6, 0}, 343 / 0.12, near);
  EXPECT_NEAR(std::abs(near[0] - Complex{0, 1}), 0, 1e-6);
  steering_vector_near(line, {0, 0.1, 0}, 1000, near);
  EXPECT_NEAR(std::abs(near[0]), 0.1 / 0.07, 1e-12);
  EXPECT_NEAR(std::arg(near[0]), 2 * kPi * 1000 * 0.03 / 343, 1e-12);
  EXPECT_THROW(steering_vector_near(line, {0, 0.03, 0}, 1000, near), Error);
}

TEST(Grids, CoverTheSphere) {
  const auto sphere = DirectionGrid::sphere(1000);
  for (std::size_t i = 0; i < sphere.size(); ++i) {
    EXPECT_GE(sphere.neighbours(i).size(), 4u) << i;
    EXPECT_LE(sphere.neighbours(i).size(), 9u) << i;
  }
  const Direction wanted{1.2, -0.4};
  double nearest = 9;
  for (const Direction& d : sphere.directions()) nearest = std::min(nearest, angle_between(d, wanted));
  EXPECT_LT(nearest, sphere.step());
  const auto upper = DirectionGrid::upper_half(500);
  EXPECT_EQ(upper.size(), 500u);
  for (const Direction& d : upper.directions()) EXPECT_GE(d.elevation, 0);
  EXPECT_THROW(DirectionGrid::circle(2), Error);
  EXPECT_THROW(DirectionGrid::sphere(1'000'000), Error);
}

TEST(Grids, PeaksAreRefined) {
  const auto grid = DirectionGrid::circle(36);
  std::vector<double> map(36);
  const double top = 178.2 * kDegree;
  for (std::size_t i = 0; i < 36; ++i)
    map[i] = std::cos(grid[i].azimuth - top) + 0.4 * std::cos(5 * (grid[i].azimuth - top));
  const auto peaks = find_peaks(grid, map, 3);
  ASSERT_GE(peaks.size(), 2u);
  EXPECT_NEAR(angle_between(peaks[0].direction, {top, 0}) / kDegree, 0, 0.1);
  EXPECT_NEAR(peaks[0].value, 1.4, 0.01);
  EXPECT_NEAR(peak_ratio(peaks), peaks[0].value / peaks[1].value, 1e-12);
  const auto flat = find_peaks(grid, std::vector<double>(36), 2);
  ASSERT_EQ(flat.size(), 1u);  // all equal: the first
  EXPECT_EQ(peak_ratio(flat), 100);
}

TEST(GccPhat, FindsTheDelayOfNoise) {
  GccPhat gcc(4096, {.max_delay = 20});
  const auto x = noise(4096, 1);
  double worst = 0;
  for (const double delay : {0.0, 7.0, 6.5, -3.25, 12.9, -0.4}) {
    const GccPeak peak = gcc.estimate(x, delay_signal(x, delay));
    worst = std::max(worst, std::abs(peak.delay - delay));
    EXPECT_GT(peak.value, 0.85) << delay;
  }
  EXPECT_LT(worst, 0.01);
  RecordProperty("worst", std::to_string(worst));
  const GccPeak self = gcc.estimate(x, x);
  EXPECT_NEAR(self.delay, 0, 1e-12);
  EXPECT_NEAR(self.value, 1, 1e-12);
  ASSERT_EQ(gcc.correlation().size(), 161u);
  EXPECT_NEAR(gcc.correlation()[80], 1, 1e-12);
  EXPECT_EQ(gcc.lag(84), 1);
  // Quiet, loud and other-signed copies have the same phases but for the sign.
  EXPECT_LT(gcc.estimate(x, noise(4096, 2)).value, 0.15);
}

TEST(GccPhat, RefusesBadInput) {
  GccPhat gcc(64, {.max_delay = 8});
  const std::vector<double> silent(64), x = noise(64, 1);
  auto broken = x;
  broken[3] = NAN;
  EXPECT_TRUE(has(message_of([&] { gcc.estimate(x, silent); }), "silence"));
  EXPECT_TRUE(has(message_of([&] { gcc.estimate(broken, x); }), "NaN"));
  EXPECT_TRUE(has(message_of([&] { gcc.estimate(x, noise(63, 1)); }), "63"));
  EXPECT_THROW(GccPhat(1), Error);
  EXPECT_THROW(GccPhat(64, {.max_delay = 64}), Error);
  EXPECT_THROW(GccPhat(64, {.max_delay = 8, .upsample = 0}), Error);
  EXPECT_THROW(GccPhat(64, {.max_delay = 8, .low = 0.4, .high = 0.3}), Error);
}

TEST(Hermitian, EigenvectorsAndSolutions) {
  const std::vector<Complex> m{{3, 0}, {1, 1}, {0, -1}, {1, -1}, {4, 0}, {0.5, 0}, {0, 1}, {0.5, 0}, {5, 0}};
  const auto eigen = hermitian_eigen(m, 3);
  double trace = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    trace += eigen.values[i];
    for (std::size_t r = 0; r < 3; ++r) {
      Complex product = 0;
      for (std::size_t c = 0; c < 3; ++c) product += m[r * 3 + c] * eigen.vectors[i * 3 + c];
      EXPECT_NEAR(std::abs(product - eigen.values[i] * eigen.vectors[i * 3 + r]), 0, 1e-12);
    }
  }
  EXPECT_NEAR(trace, 12, 1e-12);
  EXPECT_LT(eigen.values[0], eigen.values[1]);
  const std::vector<Complex> b{{1, 0}, {0, 2}, {-1, 1}};
  const auto x = hermitian_solve(m, b);
  for (std::size_t r = 0; r < 3; ++r) {
    Complex product = 0;
    for (std::size_t c = 0; c < 3; ++c) product += m[r * 3 + c] * x[c];
    EXPECT_NEAR(std::abs(product - b[r]), 0, 1e-12);
  }
  EXPECT_THROW(hermitian_solve(std::vector<Complex>{{-1, 0}}, std::vector<Complex>{{1, 0}}), Error);
  EXPECT_THROW(hermitian_eigen(std::vector<Complex>{{NAN, 0}}, 1), Error);
}

TEST(Finders, FindAPlaneWave) {
  const Stft stft(512, 256);
  for (const char* name : {"ring6", "square4"}) {
    const MicArray array = array_by_name(name);
    for (const double degrees : {-158.3, 0.0, 91.0}) {
      const Direction d{degrees * kDegree, 0};
      const auto spectra = stft.analyse(plane_wave(array, d, 16000, 8000, 0.1));
      SrpPhat srp(array, 16000, 512, DirectionGrid::circle(180));
      srp.add_all(spectra);
      EXPECT_LT(angle_between(srp.peaks()[0].direction, d), 0.5 * kDegree) << name << " " << degrees;
      EXPECT_GT(srp.peaks()[0].value, 0.9);
      for (const bool normalised : {false, true}) {
        Music music(array, 16000, 512, DirectionGrid::circle(180), {.normalised = normalised});
        music.add_all(spectra);
        EXPECT_LT(angle_between(music.peaks()[0].direction, d), 0.5 * kDegree) << name << " " << degrees;
      }
    }
  }
}

TEST(Finders, FindElevationOnASphere) {
  const MicArray array = array_by_name("xyz:0,0,0;60,0,0;0,60,0;0,0,60");
  const Direction d{-0.9, 0.6};
  const auto spectra = Stft(512, 256).analyse(plane_wave(array, d, 16000, 8000, 0.05));
  SrpPhat srp(array, 16000, 512, DirectionGrid::sphere(800), {.high_hz = 3000});
  srp.add_all(spectra);
  EXPECT_LT(angle_between(srp.peaks()[0].direction, d), srp.grid().step());
}

TEST(Finders, SayWhatIsWrong) {
  const Stft stft(512, 256);
  SrpPhat srp(array_by_name("ring6"), 16000, 512, DirectionGrid::circle(36));
  EXPECT_TRUE(has(message_of([&] { srp.map(); }), "no frames"));
  const auto one = stft.analyse(Signal{16000, {{1.0}}});
  EXPECT_TRUE(has(message_of([&] { srp.add_all(one); }), "array ring6 has 6 microphones, the sound has 1 channels"));
  srp.add_all(stft.analyse(Signal{16000, std::vector<std::vector<double>>(6, std::vector<double>(1000))}));
  EXPECT_TRUE(has(message_of([&] { srp.map(); }), "silence"));
  srp.reset();
  srp.add_all(
      stft.analyse(Signal{16000, std::vector<std::vector<double>>(6, std::vector<double>(1, 0.5))}));  // one sample
  EXPECT_TRUE(std::all_of(srp.map().begin(), srp.map().end(), [](double v) { return std::isfinite(v); }));
  Spectrogram broken(6, 1, 257);
  broken.frame(2, 0)[40] = NAN;
  EXPECT_TRUE(has(message_of([&] { srp.add(broken, 0); }), "NaN"));
  EXPECT_THROW(srp.add(Spectrogram(6, 1, 129), 0), Error);
  EXPECT_THROW(srp.add(broken, 1), Error);
  EXPECT_THROW(SrpPhat(array_by_name("ring6"), 16000, 512, DirectionGrid::circle(36), {7999, 9000}), Error);
  EXPECT_THROW(Music(array_by_name("line2"), 16000, 512, DirectionGrid::circle(36), {.sources = 2}), Error);
}

TEST(Beams, ReachTheKnownDirectivityOfARing) {
  // Figures of a six-microphone ring of 46.3 mm, worked out independently: f, delay-and-sum, superdirective (loading
  // 0.01), white noise gain of the latter.
  const double table[][4] = {
      {500, 0.64, 6.97, -5.1}, {1000, 2.45, 8.96, -4.1}, {2000, 6.12, 10.04, 0.4}, {4000, 7.97, 8.04, 7.7}};
  const MicArray ring = array_by_name("ring6");
  const Direction ahead{0, 0};
  const auto das = delay_and_sum(ring, ahead, 16000, 512), super = superdirective(ring, ahead, 16000, 512);
  std::vector<Complex> a(6);
  for (const auto& [f, plain, best, white] : table) {
    const auto k = static_cast<std::size_t>(f / 16000 * 512);
    EXPECT_NEAR(directivity_index_db(ring, ahead, f, das.at(k)), plain, 0.006) << f;
    EXPECT_NEAR(directivity_index_db(ring, ahead, f, super.at(k)), best, 0.006) << f;
    steering_vector(ring, ahead, f, a);
    EXPECT_NEAR(white_noise_gain_db(a, super.at(k)), white, 0.06) << f;
    EXPECT_NEAR(white_noise_gain_db(a, das.at(k)), 10 * std::log10(6), 1e-9) << f;
  }
}

TEST(Beams, KeepTheirDirectionAndDropNoise) {
  const MicArray ring = array_by_name("ring6");
  const Direction d{0.7, 0.2};
  const auto super = superdirective(ring, d, 16000, 512);
  Spectrogram wave(6, 1, 257);
  std::vector<Complex> a(6);
  for (std::size_t k = 0; k < 257; ++k) {
    steering_vector(ring, d, static_cast<double>(k) * 31.25, a);
    for (std::size_t m = 0; m < 6; ++m) wave.frame(m, 0)[k] = Complex{0.3, -0.4} * a[m];
  }
  for (const auto& beam : {delay_and_sum(ring, d, 16000, 512), super}) {
    const auto out = apply_beam(beam, wave);
    for (const Complex v : out.frame(0, 0)) ASSERT_NEAR(std::abs(v - Complex{0.3, -0.4}), 0, 1e-12);
  }
  // MVDR against one interferer: a deep null on it, one towards the target.
  std::vector<Complex> target(6), other(6), covariance(36), w(6);
  steering_vector(ring, d, 2000, target);
  steering_vector(ring, {2.5, 0}, 2000, other);
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 6; ++j) covariance[i * 6 + j] = other[i] * std::conj(other[j]);
  mvdr_weights(covariance, target, 1e-4, w);
  Complex kept = 0, leaked = 0;
  for (std::size_t m = 0; m < 6; ++m) {
    kept += std::conj(w[m]) * target[m];
    leaked += std::conj(w[m]) * other[m];
  }
  EXPECT_NEAR(std::abs(kept - 1.0), 0, 1e-12);
  EXPECT_LT(std::abs(leaked), 1e-4);
  EXPECT_THROW(mvdr_weights(covariance, target, NAN, w), Error);
  EXPECT_THROW(mvdr_weights(std::vector<Complex>(36), target, 0.1, w), Error);
  EXPECT_THROW(superdirective(ring, d, 16000, 512, 0), Error);
  EXPECT_THROW(apply_beam(super, Spectrogram(4, 1, 257)), Error);
}

}  // namespace
}  // namespace thimble::dsp
