#include "voice/study/corpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "dsp/signal.h"
#include "voice/study/corpus_sources.h"
#include "voice/study/g722.h"
#include "voice/study/vorbis.h"

namespace thimble::voice {
namespace {

namespace fs = std::filesystem;

TEST(G722, DecodesAsLibspandsp) {
  // 9000 sin(700 Hz) + 5000 sin(5300 Hz) as libspandsp 0.0.6 encodes it, and samples of what it decodes.
  constexpr int kBytes[] = {183, 22,  148, 32,  132, 160, 160, 32,  32,  170, 50,  30,  147, 16,  15,  147,
                            28,  55,  175, 44,  46,  178, 59,  87,  147, 18,  212, 154, 59,  244, 174, 47,
                            243, 185, 28,  213, 148, 20,  215, 255, 54,  241, 239, 51,  248, 253, 25,  212,
                            212, 85,  219, 247, 51,  177, 240, 52,  250, 221, 85,  211, 215, 27,  188, 245,
                            51,  242, 114, 121, 159, 218, 83,  150, 217, 91,  183, 116, 49,  240, 116, 125};
  constexpr int kSamples[][2] = {{9, -1},       {19, -144},   {29, 8819},   {39, -9324},   {49, 8368},    {59, -4907},
                                 {69, 2535},    {79, -2901},  {89, 688},    {99, 6654},    {109, -11566}, {119, 12371},
                                 {129, -7361},  {139, 184},   {149, -605},  {151, -11409}, {152, -7274},  {153, -5776},
                                 {154, -13834}, {155, -6271}, {156, -4058}, {157, -8863},  {158, -2244},  {159, 3622}};
  std::vector<std::byte> bytes;
  for (int b : kBytes) bytes.push_back(static_cast<std::byte>(b));
  const std::vector<double> x = decode_g722(bytes);
  ASSERT_EQ(x.size(), 160u);
  for (const auto& [t, value] : kSamples) EXPECT_EQ(std::lround(x[static_cast<std::size_t>(t)] * 32768), value) << t;
}

TEST(G722, AnyBytesStayInRange) {
  std::vector<std::byte> bytes;
  for (unsigned i = 0, v = 1; i < 5000; ++i)
    bytes.push_back(static_cast<std::byte>((v = v * 1664525 + 1013904223) >> 24));
  for (double v : decode_g722(bytes)) ASSERT_LE(std::abs(v), 1.0);
  EXPECT_TRUE(decode_g722({}).empty());
}

TEST(Vorbis, RefusesOtherFiles) {
  const fs::path path = fs::temp_directory_path() / "thimble_no.ogg";
  write_file(path, "OggS, or so it says");
  EXPECT_THROW(read_vorbis(path), Error);
  fs::remove(path);
  EXPECT_THROW(read_vorbis(path), Error);
}

std::vector<double> tone(double seconds, double frequency, double level, double silence = 0) {
  std::vector<double> x(static_cast<std::size_t>((seconds + 2 * silence) * kCorpusRate));
  const auto first = static_cast<std::size_t>(silence * kCorpusRate);
  for (std::size_t t = first; t < x.size() - first; ++t) {
    x[t] = level * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(t) / kCorpusRate);
  }
  return x;
}

TEST(Corpus, CutsJoinsAndLevels) {
  // Silence goes; three words of 0.6 s make one phrase; a long recording is cut at 3 s; a lone short rest is dropped.
  const auto phrases = cut_phrases({tone(0.6, 500, 0.5, 0.4), tone(0.6, 500, 0.1, 0.4), tone(0.6, 500, 0.9, 0.4),
                                    tone(8, 500, 0.2), tone(0.5, 500, 0.2), std::vector<double>(16000)},
                                   kCorpusRate);
  ASSERT_EQ(phrases.size(), 2u);
  EXPECT_NEAR(static_cast<double>(phrases[0].size()) / kCorpusRate, 3 * 0.6 + 2 * 0.08, 0.36);  // margins of 50 ms
  EXPECT_EQ(phrases[1].size(), 3u * kCorpusRate);
  for (const auto& phrase : phrases) EXPECT_NEAR(dsp::rms(phrase), 0.05, 1e-9);
}

TEST(Corpus, MeasuresTheUpperBand) {
  auto both = tone(2, 2000, 0.1);
  const auto high = tone(2, 6200, 0.1);
  for (std::size_t t = 0; t < both.size(); ++t) both[t] += high[t];
  EXPECT_NEAR(upper_band_db({both}, kCorpusRate), 0, 0.2);
  EXPECT_LT(upper_band_db({tone(2, 2000, 0.1)}, kCorpusRate), -40);
}

TEST(Corpus, NineTalkersAreKeptForTheSweep) {
  std::map<std::string_view, Split> splits;
  std::set<std::string_view> women;
  for (const TalkerSource& source : talker_sources()) {
    const auto [at, fresh] = splits.emplace(source.talker, source.split);
    EXPECT_EQ(at->second, source.split) << source.talker << " is in two splits";
    EXPECT_FALSE(source.licence.empty());
    if (source.split == Split::test && source.sex == "f") women.insert(source.talker);
  }
  std::size_t test = 0;
  for (const auto& [talker, split] : splits) test += split == Split::test;
  EXPECT_EQ(test, 9u);
  EXPECT_GE(splits.size() - test, 9u);
  EXPECT_GE(women.size(), 2u);
}

TEST(Corpus, ManifestIsChecked) {
  const fs::path folder = fs::temp_directory_path() / ("thimble_corpus_" + std::to_string(::getpid()));
  EXPECT_THROW(open_corpus(folder), Error);
  fs::create_directories(folder);
  const auto manifest = [&](const std::string& phrase, const std::string& split) {
    write_file(folder / "manifest.json",
               R"({"format": "thimble voice corpus 1", "rate": 16000, "talkers": [{"id": "a", "language": "en",
               "sex": "?", "licence": "x", "source": "y", "upper_band_db": -9, "split": ")" +
                   split + R"(", "phrases": [")" + phrase + R"("]}]})");
  };
  manifest("a/00.wav", "tune");
  EXPECT_EQ(open_corpus(folder).of(Split::tune).size(), 1u);
  EXPECT_TRUE(open_corpus(folder).of(Split::test).empty());
  EXPECT_THROW(open_corpus(folder).phrase(open_corpus(folder).talkers[0], 0), Error);  // no such file
  manifest("../a/00.wav", "tune");
  EXPECT_THROW(open_corpus(folder), Error);
  manifest("/etc/passwd", "tune");
  EXPECT_THROW(open_corpus(folder), Error);
  manifest("a/00.wav", "both");
  EXPECT_THROW(open_corpus(folder), Error);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace thimble::voice
