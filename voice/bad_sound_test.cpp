// What recordings can be that no utterance is: each a word of what is wrong, never a wrong number.
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "media/wav.h"
#include "voice/analyse.h"
#include "voice/test_sounds.h"

namespace thimble::voice {
namespace {

using namespace testing;

const dsp::MicArray& ring() {
  static const dsp::MicArray array = dsp::array_by_name("ring6");
  return array;
}
dsp::Signal good() { return plane_wave(bursts(1, 1), ring(), 0.5, 1e-8); }

std::string refusal(const dsp::Signal& sound) {
  try {
    analyse_utterance(sound, ring(), {});
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    return e.what();
  }
  return "";
}

TEST(BadSound, Refused) {
  dsp::Signal sound = good();
  EXPECT_EQ(refusal(sound), "");
  sound.channels.pop_back();
  EXPECT_NE(refusal(sound).find("6 microphones, the sound has 5 channels"), std::string::npos);
  sound = good();
  sound.channels[2][777] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_NE(refusal(sound).find("777"), std::string::npos) << "names the sample";
  sound = good();
  sound.rate = 4000;
  EXPECT_NE(refusal(sound).find("8000"), std::string::npos);
  for (auto& x : sound.channels) x.assign(1, 0.5);
  sound.rate = kRate;
  EXPECT_NE(refusal(sound).find("1 samples"), std::string::npos);
  for (auto& x : sound.channels) x.clear();
  EXPECT_NE(refusal(sound), "");
  for (auto& x : sound.channels) x.assign(kRate, 0.0);
  EXPECT_NE(refusal(sound).find("silent"), std::string::npos);
  for (auto& x : sound.channels) x.assign(kRate, 0.25);
  EXPECT_NE(refusal(sound).find("silent but for a constant offset"), std::string::npos);
  // A click is no utterance.
  Rng rng(1);
  for (auto& x : sound.channels) {
    x.assign(kRate, 0.0);
    for (std::size_t t = 0; t < x.size(); ++t)
      x[t] = 1e-4 * rng.normal() + (t > 8000 && t < 8800 ? 0.1 * rng.normal() : 0);
  }
  EXPECT_NE(refusal(sound).find("s of speech"), std::string::npos);
}

TEST(BadSound, OffsetIsTakenOff) {
  dsp::Signal sound = good();
  const Observation clean = analyse_utterance(sound, ring(), {});
  for (auto& x : sound.channels)
    for (double& v : x) v += 0.2;
  const Observation moved = analyse_utterance(sound, ring(), {});
  EXPECT_TRUE(moved.offset);
  EXPECT_FALSE(clean.offset);
  EXPECT_NEAR(moved.azimuth, clean.azimuth, 1e-6);
  for (std::size_t b = 0; b < kBands; ++b) EXPECT_NEAR(db(moved.raw[b]), db(clean.raw[b]), 1e-3);
}

TEST(BadSound, ClippingIsSaid) {
  dsp::Signal sound = good();
  for (auto& x : sound.channels)
    for (double& v : x) v = std::clamp(30 * v, -1.0, 1.0);
  const Observation o = analyse_utterance(sound, ring(), {});
  EXPECT_TRUE(o.clipped);
  EXPECT_NEAR(o.azimuth, 0.5, 3 * kDegree) << "the direction is still there";
}

TEST(BadSound, OtherRates) {
  // 8 kHz sound has no upper bands: they are not heard, the others are.
  dsp::Signal sound{8000, {}};
  for (const auto& x : good().channels) {
    sound.channels.emplace_back();
    for (std::size_t t = 0; t < x.size(); t += 2) sound.channels.back().push_back(x[t]);
  }
  EXPECT_EQ(analyse_utterance(sound, ring(), {}).heard, 0b00111u);
}

TEST(BadSound, FilesInDisguise) {
  const auto decode = [](const std::string& text) {
    media::decode_wav(std::as_bytes(std::span(text.data(), text.size())), "voice.wav");
  };
  std::string mp3 = "ID3";
  mp3.resize(500, '\xff');
  EXPECT_THROW(decode(mp3), Error);
  EXPECT_THROW(decode(std::string("\xff\xfb\x90\x00", 4) + std::string(417, '\0')), Error);
  EXPECT_THROW(decode(""), Error);
}

TEST(BadSound, Streams) {
  EXPECT_THROW(Analyser(ring(), 1000, {}), Error);
  Analyser live(ring(), kRate, {});
  EXPECT_THROW(live.push(std::vector<float>(7)), Error);
}

}  // namespace
}  // namespace thimble::voice
