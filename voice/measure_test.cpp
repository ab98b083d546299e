// Sound to observation, on plane waves of which everything is known and in rooms of image sources.
#include "voice/measure.h"

#include <gtest/gtest.h>

#include "dsp/beamform.h"
#include "dsp/room/decay.h"
#include "dsp/room/render.h"
#include "voice/analyse.h"
#include "voice/test_sounds.h"

namespace thimble::voice {
namespace {

using namespace testing;

// White noise of mean square p has p * width / (rate / 2) in a band.
double white_share(std::size_t band) { return (kBandEdges[band + 1] - kBandEdges[band]) / (kRate / 2.0); }

TEST(Measure, PlaneWave) {
  const Settings settings;
  for (const char* name : {"ring6", "square4"}) {
    const dsp::MicArray array = dsp::array_by_name(name);
    for (const double azimuth : {-2.9, -1.0, 0.3, 2.2}) {
      const Observation o = analyse_utterance(plane_wave(bursts(1.2, 1), array, azimuth, 1e-8), array, settings, 3);
      EXPECT_EQ(o.device, 3);
      EXPECT_NEAR(dsp::wrap_angle(o.azimuth - azimuth), 0, 1 * kDegree) << name;
      EXPECT_GT(o.confidence, 0.8);
      EXPECT_GT(o.steered_coherence, 0.9);
      EXPECT_EQ(o.heard, 31u);
      EXPECT_TRUE(o.noise_known);
      EXPECT_FALSE(o.clipped || o.offset);
      // The powers of all bands by raw, beam and A are the wave's. The active frames hold the bursts and their edges.
      for (std::size_t b = 0; b < kBands; ++b) {
        const double expected = db(0.01 * white_share(b));
        EXPECT_NEAR(db(o.raw[b]), expected, 0.8) << b;
        EXPECT_NEAR(db(o.beam[b]), db(o.raw[b]), 0.15) << b;
        EXPECT_NEAR(db(o.coherent[b]), db(o.raw[b]), 0.3) << b;
      }
      // 1 to 8 kHz over 0.1 to 1 kHz of white noise (to 0.48 of the rate).
      EXPECT_NEAR(o.band_ratio_db, db((7680.0 - 1000) / 900), 0.5);
    }
  }
}

TEST(Measure, ALineLooksAhead) {
  const dsp::MicArray line = dsp::array_by_name("line4");
  for (const double azimuth : {-1.0, 0.0, 0.8}) {
    const Observation o = analyse_utterance(plane_wave(bursts(1, 2), line, azimuth, 1e-8), line, {});
    EXPECT_NEAR(o.azimuth, azimuth, 1.5 * kDegree);
  }
}

TEST(Measure, NoiseIsTakenOff) {
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  const Settings settings;
  const Observation clean = analyse_utterance(plane_wave(bursts(2, 4), ring, 0.5, 1e-9), ring, settings);
  const Observation noisy =
      analyse_utterance(plane_wave(bursts(2, 4), ring, 0.5, 2e-3), ring, settings);  // 7 dB in bursts
  EXPECT_NEAR(noisy.azimuth, 0.5, 2 * kDegree);
  for (std::size_t b = 0; b < kBands; ++b) {
    EXPECT_NEAR(db(noisy.noise[b]), db(2e-3 * white_share(b)), 0.6) << b;
    EXPECT_NEAR(db(noisy.raw[b]), db(clean.raw[b]), 0.7) << b;
    EXPECT_NEAR(db(noisy.beam[b]), db(clean.beam[b]), 0.7) << b;
    EXPECT_NEAR(db(noisy.coherent[b]), db(clean.coherent[b]), 0.7) << b;
  }
}

TEST(Measure, CoherentPartOfAMixture) {
  // R = 2 a a^H + 5 Gamma exactly: the split gives 2 back, whatever the frequency.
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  std::vector<dsp::Complex> a(6), field(36), r(36);
  for (const double f : {400.0, 1000.0, 3000.0, 7000.0}) {
    dsp::steering_vector(ring, {1.1, 0}, f, a);
    dsp::diffuse_coherence(ring, f, field);
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t j = 0; j < 6; ++j) r[i * 6 + j] = 2.0 * a[i] * std::conj(a[j]) + 5.0 * field[i * 6 + j];
    EXPECT_NEAR(plane_wave_power(r, a, field), 2, 1e-6) << f;
    for (std::size_t i = 0; i < 36; ++i) r[i] = 5.0 * field[i];
    EXPECT_NEAR(plane_wave_power(r, a, field), 0, 1e-6) << f;
    // Less than no diffuse part: the wave alone.
    for (std::size_t i = 0; i < 6; ++i)
      for (std::size_t j = 0; j < 6; ++j) r[i * 6 + j] = 2.0 * a[i] * std::conj(a[j]) - (i == j ? 0.5 : 0.0);
    EXPECT_NEAR(plane_wave_power(r, a, field), (2.0 * 36 - 0.5 * 6) / 36, 1e-9) << f;
  }
}

TEST(Measure, OnsetsOfOnePlaneWave) {
  // Without echoes the onsets' direct power is the wave's, less what the window's edge takes: 1 to 3 dB.
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  const Observation o = analyse_utterance(plane_wave(bursts(8, 5), ring, -0.4, 1e-8), ring, {});
  for (std::size_t b = 1; b < kBands; ++b) EXPECT_NEAR(db(o.onset[b]) + 2, db(o.raw[b]), 2) << b;
}

TEST(Measure, AnEchoWithinTheOnsetIsCancelled) {
  // An echo of equal power from the side, 1 ms later: the direct power stays within 2 dB of what it is without.
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  const auto x = bursts(2.5, 6);
  const dsp::Signal direct = plane_wave(x, ring, 0, 1e-9);
  const dsp::Signal echo = plane_wave(dsp::delay_signal(x, 16), ring, 1.9, 1e-9, 8);
  dsp::Signal both = direct;
  for (std::size_t m = 0; m < 6; ++m)
    for (std::size_t t = 0; t < x.size(); ++t) both.channels[m][t] += echo.channels[m][t];
  const auto powers = [&](const dsp::Signal& s, int echoes) {
    PowerSettings settings;
    settings.echoes = echoes;
    const std::vector<std::span<const double>> samples(s.channels.begin(), s.channels.end());
    return onset_powers(samples, ring, kRate, {0, 0}, {}, settings);
  };
  const BandPowers alone = powers(direct, 1), cancelled = powers(both, 1);
  for (std::size_t b = 2; b < kBands; ++b) EXPECT_NEAR(db(cancelled[b]), db(alone[b]), 2) << b;
}

// A voice 1.5 m from a ring in a room of 0.35 s, against the power of the direct sound alone (order 0).
TEST(Measure, LineOfSightPowerInARoom) {
  ThreadPool pool(1);
  const dsp::Vec3 size{5, 4, 2.6}, mouth{2, 1.6, 1.3}, at{3.2, 2.5, 1.3};
  const auto walls =
      dsp::room::shoebox(size, dsp::room::absorption_for_rt60(size, 0.35, dsp::room::DecayFormula::eyring));
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  std::vector<dsp::room::Microphone> mics;
  for (const dsp::Vec3& m : ring.mics) mics.push_back({at + m, {1, 0, 0}, {}, 0});
  std::vector<dsp::room::Voice> voices(1);
  voices[0].source.position = mouth;
  voices[0].source.facing = at - mouth;
  voices[0].source.pattern = dsp::room::Directivity::voice();
  voices[0].signal = bursts(1.2, 9);
  dsp::room::RenderOptions options;
  options.noise = dsp::room::Noise{.snr_db = 40};
  const auto measure = [&](int order) {
    options.simulation.order = order;
    return analyse_utterance(dsp::room::simulate(walls, voices, mics, options, pool), ring, {});
  };
  const Observation direct = measure(0), room = measure(9);
  const dsp::Vec3 way = mouth - at;
  EXPECT_NEAR(room.azimuth, std::atan2(way.y, way.x), 3 * kDegree);
  for (std::size_t b = 2; b < kBands; ++b) {
    EXPECT_GT(db(room.raw[b]), db(direct.raw[b])) << "reverberation adds";
    EXPECT_LT(db(room.beam[b]), db(room.raw[b])) << "and the beam takes some of it away";
    EXPECT_NEAR(db(room.coherent[b]), db(direct.raw[b]), 2.5) << b;
    EXPECT_NEAR(db(room.onset[b]), db(direct.onset[b]), 4) << b;
  }
}

TEST(Stream, FindsUtterancesWhateverTheBlocks) {
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  const Settings settings;
  auto x = bursts(1.2, 12, 0.6);
  const auto second = bursts(1.2, 13, 0.6);
  x.insert(x.end(), second.begin(), second.end());
  const dsp::Signal sound = plane_wave(x, ring, 1.0, 1e-7);
  std::vector<float> samples;
  for (std::size_t t = 0; t < x.size(); ++t)
    for (const auto& channel : sound.channels) samples.push_back(static_cast<float>(channel[t]));

  std::vector<Observation> first;
  for (const std::size_t block : {std::size_t{1}, std::size_t{333}, x.size()}) {
    Analyser live(ring, kRate, settings, 5);
    std::vector<Observation> found;
    bool spoke = false;
    for (std::size_t t = 0; t < x.size(); t += block) {
      const std::size_t count = std::min(block, x.size() - t);
      for (const Observation& o : live.push(std::span(samples).subspan(t * 6, count * 6))) found.push_back(o);
      spoke = spoke || live.speaking();
    }
    for (const Observation& o : live.finish()) found.push_back(o);
    EXPECT_EQ(spoke, block < x.size());
    ASSERT_EQ(found.size(), 2u) << block;
    EXPECT_EQ(found[1].utterance, 2u);
    EXPECT_EQ(found[0].device, 5);
    for (const Observation& o : found) EXPECT_NEAR(o.azimuth, 1.0, 1 * kDegree);
    EXPECT_NEAR(found[0].start, 0.3, 0.12);                                  // 0.6 s less the preroll
    EXPECT_NEAR(found[0].start + found[0].duration, 0.6 + 1.1 + 0.4, 0.15);  // the last burst's end and the hang
    if (first.empty()) first = found;
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(found[i].beam, first[i].beam) << "blocks do not matter";
  }
  // The whole-file measure of the same utterance is the same but for the frames' places.
  const Observation whole = analyse_utterance(plane_wave(bursts(1.2, 12, 0.6), ring, 1.0, 1e-7), ring, settings);
  for (std::size_t b = 0; b < kBands; ++b) EXPECT_NEAR(db(first[0].beam[b]), db(whole.beam[b]), 0.5);
}

TEST(Stream, NaNAndSilenceAndANewNoise) {
  const dsp::MicArray ring = dsp::array_by_name("line2");
  Settings settings;
  settings.activity.max_seconds = 3;
  Analyser live(ring, kRate, settings);
  std::vector<float> block(2 * kRate, 0.0f);
  block[100] = NAN;
  block[2001] = INFINITY;
  EXPECT_TRUE(live.push(block).empty());
  EXPECT_EQ(live.bad_samples(), 2u);
  EXPECT_FALSE(live.speaking());
  EXPECT_FALSE(live.current_azimuth());
  // A fan that starts is an utterance at most once, then it is the noise.
  Rng rng(2);
  std::size_t found = 0;
  for (int second = 0; second < 9; ++second) {
    for (float& v : block) v = static_cast<float>(0.01 * rng.normal());
    found += live.push(block).size();
  }
  EXPECT_LE(found, 1u);
  EXPECT_FALSE(live.speaking());
}

TEST(Track, FollowsATurn) {
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  dsp::Signal sound = plane_wave(bursts(1.2, 1), ring, -1.2, 1e-8);
  const dsp::Signal later = plane_wave(bursts(1.2, 2), ring, 2.0, 1e-8);
  for (std::size_t m = 0; m < 6; ++m)
    sound.channels[m].insert(sound.channels[m].end(), later.channels[m].begin(), later.channels[m].end());
  const DirectionTrack track = track_direction(sound, ring, {});
  int heard = 0, silent = 0;
  for (std::size_t i = 0; i < track.time.size(); ++i) {
    if (std::isnan(track.azimuth[i])) {
      ++silent;
      continue;
    }
    ++heard;
    EXPECT_NEAR(track.azimuth[i], track.time[i] < 1.75 ? -1.2 : 2.0, 2 * kDegree) << track.time[i];
  }
  EXPECT_GT(heard, 12);
  EXPECT_GT(silent, 5);
  EXPECT_EQ(track.map.size(), 180u);
}

}  // namespace
}  // namespace thimble::voice
