// Tests of media/wav.h: every sample form with values worked out by hand, and damaged files.
#include <gtest/gtest.h>

#include "base/error.h"
#include "media/wav.h"

namespace thimble::media {
namespace {

std::span<const std::byte> bytes(const std::string& s) { return std::as_bytes(std::span(s)); }

std::string le(std::uint32_t v, int n) {
  std::string s;
  for (int i = 0; i < n; ++i) s += static_cast<char>(v >> (8 * i) & 0xff);
  return s;
}

std::string wav(int codec, int channels, int bits, const std::string& data, bool extensible = false) {
  std::string fmt = le(static_cast<std::uint32_t>(extensible ? 0xfffe : codec), 2) +
                    le(static_cast<std::uint32_t>(channels), 2) + le(8000, 4) +
                    le(static_cast<std::uint32_t>(8000 * channels * bits / 8), 4) +
                    le(static_cast<std::uint32_t>(channels * bits / 8), 2) + le(static_cast<std::uint32_t>(bits), 2);
  if (extensible)
    fmt += le(22, 2) + le(static_cast<std::uint32_t>(bits), 2) + le(0, 4) + le(static_cast<std::uint32_t>(codec), 2) +
           std::string(14, '\0');
  const std::string body = "WAVEfmt " + le(static_cast<std::uint32_t>(fmt.size()), 4) + fmt + "LIST" + le(3, 4) +
                           "abc" + std::string(1, '\0') + "data" + le(static_cast<std::uint32_t>(data.size()), 4) +
                           data;
  return "RIFF" + le(static_cast<std::uint32_t>(body.size()), 4) + body;
}

TEST(Wav, EverySampleForm) {
  const auto samples = [](const std::string& file) { return decode_wav(bytes(file), "test").samples; };
  EXPECT_EQ(samples(wav(1, 1, 8, std::string("\x00\x80\xc0", 3))), (std::vector<float>{-1, 0, 0.5f}));
  EXPECT_EQ(samples(wav(1, 1, 16, le(0x8000, 2) + le(0x4000, 2))), (std::vector<float>{-1, 0.5f}));
  EXPECT_EQ(samples(wav(1, 1, 24, le(0x800000, 3) + le(0x400000, 3))), (std::vector<float>{-1, 0.5f}));
  EXPECT_EQ(samples(wav(1, 1, 32, le(0x80000000, 4) + le(0x20000000, 4))), (std::vector<float>{-1, 0.25f}));
  EXPECT_EQ(samples(wav(3, 1, 32, le(0x3f800000, 4) + le(0xc0000000, 4))), (std::vector<float>{1, -2}));
  const Sound s = decode_wav(bytes(wav(1, 3, 16, std::string(12, '\0'), true)), "test");
  EXPECT_EQ(s.channels, 3);
  EXPECT_EQ(s.rate, 8000);
  EXPECT_EQ(s.frames(), 2u);
}

TEST(Wav, RoundTrips) {
  const Sound sound{16000, 2, {0.0f, -1.0f, 0.25f, 0.5f, 2.0f, -3.0f}};
  const Sound exact = decode_wav(bytes(encode_wav(sound, WavSample::float32)), "test");
  EXPECT_EQ(exact.samples, sound.samples);
  EXPECT_EQ(exact.rate, 16000);
  const Sound rounded = decode_wav(bytes(encode_wav(sound)), "test");
  EXPECT_EQ(rounded.samples, (std::vector<float>{0, -1, 0.25f, 0.5f, 32767 / 32768.0f, -1}));
}

TEST(Wav, DamagedFilesAreRefused) {
  const std::string good = wav(1, 1, 16, std::string(8, 'x'));
  for (std::size_t n = 0; n < good.size(); ++n) {
    EXPECT_THROW(decode_wav(bytes(good.substr(0, n)), "cut.wav"), Error) << n;
  }
  EXPECT_THROW(decode_wav(bytes(wav(1, 0, 16, "")), "no channels"), Error);
  EXPECT_THROW(decode_wav(bytes(wav(2, 1, 4, "")), "ADPCM"), Error);
  EXPECT_THROW(decode_wav(bytes(wav(1, 1, 16, "abc")), "half a frame"), Error);
}

}  // namespace
}  // namespace thimble::media
