// The diffuse tail: its slope, its level where it takes over, and what several microphones hear of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "dsp/fft.h"
#include "dsp/room/bands.h"
#include "dsp/room/decay.h"
#include "dsp/room/room.h"

namespace thimble::dsp::room {
namespace {

std::vector<double> band_of(const std::vector<double>& h, std::size_t band, int rate) {
  const std::size_t n = good_fft_size(2 * h.size());
  auto bins = rfft(h, n);
  const BandWeights w = BandGrid(rate, false).weights(band, n);
  std::vector<Complex> kept(bins.size());
  for (std::size_t k = 0; k < w.values.size(); ++k) kept[w.first + k] = w.values[k] * bins[w.first + k];
  auto out = irfft(kept, n);
  out.resize(h.size());
  return out;
}

std::vector<double> after(const std::vector<double>& h, double seconds, int rate) {
  return {h.begin() + kResponseLead + static_cast<std::ptrdiff_t>(seconds * rate), h.end()};
}

double energy(const std::vector<double>& h, double from, double to, int rate) {
  double sum = 0;
  for (auto t = static_cast<std::size_t>(from * rate) + kResponseLead;
       t < static_cast<std::size_t>(to * rate) + kResponseLead; ++t)
    sum += h.at(t) * h.at(t);
  return sum;
}

TEST(RoomTail, SlopeIsTheOneAskedFor) {
  const Shoebox room = shoebox({6, 5, 3}, 0.3);
  const Source source{{4.1, 3.2, 1.5}};
  const Microphone microphone{{2.0, 1.5, 1.2}};
  ThreadPool pool(1);
  for (const double asked : {0.2, 0.5, 0.8}) {
    double bands[7] = {};
    for (const std::uint64_t seed : {1, 2, 3, 4}) {
      SimulationOptions options{.order = 10, .tail = DiffuseTail{{asked}, 0.06, seed}};
      const auto h = impulse_responses(room, {&source, 1}, {&microphone, 1}, options, pool).all[0];
      const auto tail = after(h, 0.07, options.rate);
      EXPECT_NEAR(rt60(tail, options.rate, 20) / asked, 1, 0.03) << asked << " s, seed " << seed;
      EXPECT_NEAR(rt60(tail, options.rate, 30) / asked, 1, 0.03) << asked << " s, seed " << seed;
      for (std::size_t b = 0; b < 7; ++b)
        bands[b] += rt60(band_of(tail, b, options.rate), options.rate, 30) / asked / 4;
    }
    // Chance in one band's decay goes with the root of bandwidth times time; the lowest need a slow one to be told.
    for (int b = asked < 0.3 ? 2 : 0; b < 7; ++b) EXPECT_NEAR(bands[b], 1, 0.05) << asked << " s, band " << b;
  }
}

TEST(RoomTail, BandsDecayOnTheirOwn) {
  const Shoebox room = shoebox({6, 5, 3}, 0.3);
  const Source source{{4.1, 3.2, 1.5}};
  const Microphone microphone{{2.0, 1.5, 1.2}};
  ThreadPool pool(1);
  const std::vector<double> asked = {0.9, 0.9, 0.9, 0.6, 0.6, 0.4, 0.4};
  double found[7] = {};
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    SimulationOptions options{.order = 12, .tail = DiffuseTail{asked, 0.05, seed}};
    const auto h = impulse_responses(room, {&source, 1}, {&microphone, 1}, options, pool).all[0];
    EXPECT_GE(h.size(), static_cast<std::size_t>((0.05 + 0.9 * 70 / 60) * options.rate));
    const auto tail = after(h, 0.06, options.rate);
    for (std::size_t b = 0; b < 7; ++b) found[b] += rt60(band_of(tail, b, options.rate), options.rate, 30) / 4;
  }
  for (const std::size_t b : {0, 1, 2, 4, 6})  // the others hear a slower neighbour
    EXPECT_NEAR(found[b] / asked[b], 1, 0.05) << b;
}

// A tail of the decay that the images have: energy after the joint goes on as that of the images would have.
TEST(RoomTail, LevelContinuesTheImages) {
  const Shoebox room = shoebox({6, 5, 3}, 0.3);
  const Source source{{4.1, 3.2, 1.5}};
  std::vector<Microphone> ring;
  for (const Vec3& place : ring_array(4, 0.1).mics) ring.push_back({Vec3{2.0, 1.5, 1.2} + place});
  ThreadPool pool(1);
  SimulationOptions options{.order = 40};
  const auto images = impulse_responses(room, {&source, 1}, ring, options, pool);
  const double decay = rt60(images.all[0], options.rate, 20);
  double mean = 0;
  for (const double start : {0.05, 0.08, 0.12}) {
    options.tail = DiffuseTail{{decay}, start, 7};
    const auto joined = impulse_responses(room, {&source, 1}, ring, options, pool);
    double before = 0, after = 0;
    for (std::size_t m = 0; m < ring.size(); ++m) {
      before += energy(images.all[m], start + 0.01, start + 0.05, options.rate);
      after += energy(joined.all[m], start + 0.01, start + 0.05, options.rate);
    }
    const double step = 10 * std::log10(after / before);
    EXPECT_NEAR(step, 0, 2) << start;
    mean += step / 3;
  }
  EXPECT_NEAR(mean, 0, 1);

  options.high_pass = 0;
  options.tail->start = 0.1;
  const auto joined = impulse_responses(room, {&source, 1}, ring, options, pool);
  options.tail.reset();
  const auto alone = impulse_responses(room, {&source, 1}, ring, options, pool);
  for (std::size_t t = 0; t < static_cast<std::size_t>(0.0895 * options.rate) + kResponseLead; ++t)
    ASSERT_NEAR(joined.all[0][t], alone.all[0][t], 1e-6) << t;
}

TEST(RoomTail, MicrophonesHearADiffuseField) {
  const Shoebox room = shoebox({6, 5, 3}, 0.2);
  const Source source{{4.1, 3.2, 1.5}};
  const double apart = 0.1;
  const std::vector<Microphone> pair = {
      {{2.0, 1.5, 1.2}}, {{2.0 + apart, 1.5, 1.2}}, {{2.0, 1.5, 1.7}, {1, 0, 0}, {}, 1}};
  SimulationOptions options{.order = 8, .tail = DiffuseTail{{1.5}, 0.06, 11}};
  ThreadPool pool(1);
  const auto r = impulse_responses(room, {&source, 1}, pair, options, pool);
  // Coherence from frames of the tail, each brought to one level.
  constexpr std::size_t kFrame = 256;
  std::vector<Complex> cross(kFrame / 2 + 1), other(kFrame / 2 + 1);
  std::vector<double> first(kFrame / 2 + 1), second(kFrame / 2 + 1), third(kFrame / 2 + 1);
  for (std::size_t at = 1500; at + kFrame < 20000; at += kFrame) {
    const auto frame = [&](std::size_t m) {
      std::vector<double> x(r.at(0, m).begin() + static_cast<std::ptrdiff_t>(at),
                            r.at(0, m).begin() + static_cast<std::ptrdiff_t>(at + kFrame));
      for (std::size_t t = 0; t < kFrame; ++t)
        x[t] *= std::exp(3 * std::numbers::ln10 * static_cast<double>(at + t) / 1.5 / 16000) *
                (0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(t) / kFrame));
      return rfft(x);
    };
    const auto a = frame(0), b = frame(1), c = frame(2);
    for (std::size_t k = 0; k < cross.size(); ++k) {
      cross[k] += a[k] * std::conj(b[k]);
      other[k] += a[k] * std::conj(c[k]);
      first[k] += std::norm(a[k]);
      second[k] += std::norm(b[k]);
      third[k] += std::norm(c[k]);
    }
  }
  double error = 0, stranger = 0;
  for (std::size_t k = 4; k <= 64; ++k) {
    const double x = 2 * std::numbers::pi * static_cast<double>(k) * 16000 / kFrame * apart / 343;
    error += std::abs(cross[k] / std::sqrt(first[k] * second[k]) - std::sin(x) / x) / 61;
    stranger += std::abs(other[k]) / std::sqrt(first[k] * third[k]) / 61;
  }
  EXPECT_LT(error, 0.13);    // 72 frames: 0.09 by chance
  EXPECT_LT(stranger, 0.2);  // another device
}

TEST(RoomTail, SeedsAndThreads) {
  const Shoebox room = shoebox({6, 5, 3}, 0.3);
  const std::vector<Source> sources = {{{4.1, 3.2, 1.5}}, {{1.1, 3.2, 1.5}}};
  const std::vector<Microphone> microphones = {{{2.0, 1.5, 1.2}}, {{3.0, 1.5, 1.2}}};
  SimulationOptions options{.order = 6, .tail = DiffuseTail{{0.4}, 0, 1}};
  ThreadPool one(1), two(2);
  const auto a = impulse_responses(room, sources, microphones, options, one);
  EXPECT_EQ(a.all, impulse_responses(room, sources, microphones, options, two).all);
  options.tail->seed = 2;
  EXPECT_NE(a.all, impulse_responses(room, sources, microphones, options, one).all);
}

}  // namespace
}  // namespace thimble::dsp::room
