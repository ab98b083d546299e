#include "voice/message.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "net/authentic.h"
#include "voice/analyse.h"
#include "voice/test_sounds.h"

namespace thimble::voice {
namespace {

using namespace testing;

Observation example() {
  Observation o = observe(around({20}), 0.3, 0.05)[0];
  o.device = 513;
  o.utterance = 70000;
  o.start = 1'750'000'000.123;
  o.duration = 2.345;
  o.active_seconds = 1.7;
  o.azimuth = -2.5;
  o.elevation = 12 * kDegree;
  o.confidence = 0.77;
  o.peak_ratio = 2.2;
  o.steered_coherence = 0.31;
  o.band_ratio_db = -17.83;
  o.heard = 0b10111;
  o.onset[2] = 0;
  o.clipped = true;
  return o;
}

TEST(Message, RoundTrip) {
  const Observation o = example();
  const auto bytes = encode_message(o);
  EXPECT_EQ(bytes.size(), kMessageBytes);
  EXPECT_LT(bytes.size() + net::kHeaderBytes + net::kTagBytes, 100u) << "with sender, stamp and tag";
  const Observation r = decode_message(bytes);
  EXPECT_EQ(r.device, o.device);
  EXPECT_EQ(r.utterance, o.utterance);
  EXPECT_NEAR(r.start, o.start, 6e-4);
  EXPECT_NEAR(r.duration, o.duration, 6e-4);
  EXPECT_NEAR(r.active_seconds, o.active_seconds, 0.051);
  EXPECT_NEAR(r.azimuth, o.azimuth, 5e-5);
  ASSERT_TRUE(r.elevation);
  EXPECT_NEAR(*r.elevation, *o.elevation, 0.5 * kDegree);
  EXPECT_NEAR(r.confidence, o.confidence, 2e-3);
  EXPECT_NEAR(r.peak_ratio, o.peak_ratio, 0.03);
  EXPECT_NEAR(r.steered_coherence, o.steered_coherence, 2e-3);
  EXPECT_NEAR(r.band_ratio_db, o.band_ratio_db, 5.1e-3);
  EXPECT_EQ(r.heard, o.heard);
  EXPECT_TRUE(r.clipped);
  EXPECT_FALSE(r.offset);
  EXPECT_TRUE(r.noise_known);
  for (std::size_t b = 0; b < kBands; ++b) {
    EXPECT_NEAR(db(r.raw[b]), db(o.raw[b]), 5.1e-3);
    EXPECT_NEAR(db(r.beam[b]), db(o.beam[b]), 5.1e-3);
    EXPECT_NEAR(db(r.coherent[b]), db(o.coherent[b]), 5.1e-3);
    if (b != 2) {
      EXPECT_NEAR(db(r.onset[b]), db(o.onset[b]), 5.1e-3);
    }
    EXPECT_NEAR(db(r.noise[b]), db(o.noise[b]), 0.51);
  }
  EXPECT_EQ(r.onset[2], 0) << "nothing measured stays nothing";
  EXPECT_EQ(encode_message(r), bytes) << "what was read is written the same";
}

TEST(Message, EndsOfTheRange) {
  Observation o;
  o.device = 65535;
  o.utterance = 0xFFFFFFFF;
  o.duration = 1e6;
  o.azimuth = std::numbers::pi;  // the same as -pi
  o.raw = {1e-300, 1e300, 1, 0, 1e-30};
  o.noise = {1e-300, 1e300, 0, 1, 1};
  const Observation r = decode_message(encode_message(o));
  EXPECT_EQ(r.device, 65535);
  EXPECT_NEAR(r.duration, 65.535, 1e-9);
  EXPECT_NEAR(std::abs(r.azimuth), std::numbers::pi, 1e-4);
  EXPECT_FALSE(r.elevation);
  EXPECT_NEAR(db(r.raw[0]), -327.67, 1e-6);
  EXPECT_NEAR(db(r.raw[1]), 327.67, 1e-6);
  EXPECT_EQ(r.raw[3], 0);
  EXPECT_NEAR(db(r.noise[0]), -199, 1e-6);
  EXPECT_EQ(r.noise[2], 0);
  o.device = 65536;
  EXPECT_THROW(encode_message(o), Error);
  o.device = 1;
  o.azimuth = NAN;
  EXPECT_THROW(encode_message(o), Error);
}

TEST(Message, BadBytes) {
  auto bytes = encode_message(example());
  EXPECT_THROW(decode_message({}), Error);
  EXPECT_THROW(decode_message(std::span(bytes).first(70)), Error);
  auto longer = bytes;
  longer.push_back({});
  EXPECT_THROW(decode_message(longer), Error);
  bytes[0] = std::byte{2};
  EXPECT_THROW(decode_message(bytes), Error);
  Rng rng(11);
  int understood = 0;
  for (int i = 0; i < 20000; ++i) {
    for (auto& b : bytes) b = static_cast<std::byte>(rng.below(256));
    bytes[0] = std::byte{1};
    bytes[21] = static_cast<std::byte>(rng.below(8));
    bytes[22] = static_cast<std::byte>(rng.below(32));
    try {
      const Observation o = decode_message(bytes);
      ++understood;
      ASSERT_TRUE(std::isfinite(o.azimuth) && std::isfinite(o.raw[0]) && o.beam[1] >= 0);
    } catch (const Error& e) {
      ASSERT_EQ(e.kind(), ErrorKind::bad_file);
    }
  }
  EXPECT_GT(understood, 10000);
}

TEST(Message, TheBeamsResponseNeedNotBeSent) {
  const Settings settings;
  const dsp::MicArray ring = dsp::array_by_name("ring6");
  const Observation o = analyse_utterance(plane_wave(bursts(1, 3), ring, 0.7, 1e-6), ring, settings);
  const BandPowers response = beam_response(ring, o.azimuth, 0, kRate, settings.power);
  for (std::size_t b = 0; b < kBands; ++b) EXPECT_NEAR(db(response[b]), db(o.beam_diffuse[b]), 0.05) << b;
}

}  // namespace
}  // namespace thimble::voice
