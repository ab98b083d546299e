// thimble voice simulate and evaluate as a person meets them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "base/json.h"
#include "dsp/signal.h"
#include "media/wav.h"
#include "tests/cli/run_program.h"
#include "voice/scene.h"
#include "voice/test_sounds.h"

namespace thimble::testing {
namespace {

class VoiceStudy : public ::testing::Test {
 protected:
  VoiceStudy() { media::write_wav("dry.wav", dsp::to_sound({voice::testing::kRate, {voice::testing::bursts(1, 5)}})); }

  static void expect_refused(const std::vector<std::string>& arguments, std::string_view part) {
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err << "wanted: " << part;
  }

  const Workplace here_;
};

TEST_F(VoiceStudy, SimulatesWhatFacingReads) {
  const Ran ran =
      run_program({"voice", "simulate", "dry.wav", "--devices", "3", "--rt60", "0.2", "-o", "made", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json out = parse_json(ran.out, "output");
  ASSERT_EQ(out["files"].size(), 3u);
  const voice::Scene scene = voice::read_scene("made/scene.json");
  ASSERT_TRUE(scene.talker);
  EXPECT_EQ(scene.devices[voice::faced_device(scene, *scene.talker).device].name, out["faced"]);
  EXPECT_EQ(media::read_wav(out["files"][0].get<std::string>()).channels, 6);

  std::vector<std::string> facing = {"voice", "facing", "made/scene.json", "--json"};
  for (const Json& file : out["files"]) facing.push_back(file);
  EXPECT_EQ(run_program(facing).status, 0);

  // The scene that was written can be simulated again, and gives the same.
  const media::Sound first = media::read_wav("made/d0.wav");
  ASSERT_EQ(run_program({"voice", "simulate", "dry.wav", "--scene", "made/scene.json", "-o", "again"}).status, 0);
  const media::Sound again = media::read_wav("again/d0.wav");
  ASSERT_EQ(again.samples.size(), first.samples.size());
  for (std::size_t i = 0; i < first.samples.size(); ++i) ASSERT_NEAR(again.samples[i], first.samples[i], 1e-5);
}

TEST_F(VoiceStudy, BadInput) {
  expect_refused({"voice", "simulate", "none.wav", "-o", "x"}, "none.wav");
  expect_refused({"voice", "simulate", "dry.wav", "-o", "x", "--room", "hall"}, "'hall'");
  expect_refused({"voice", "simulate", "dry.wav", "-o", "x", "--noise", "brown"}, "'brown'");
  expect_refused({"voice", "simulate", "dry.wav", "-o", "x", "--array", "ring5x"}, "ring5x");
  expect_refused({"voice", "simulate", "dry.wav"}, "--out");
  write_file("no_talker.json", R"({"format": "thimble voice scene 1", "room": {"size": [5, 4, 3]},
             "devices": [{"name": "a", "position": [1, 1, 1], "array": "ring6"}]})");
  expect_refused({"voice", "simulate", "dry.wav", "-o", "x", "--scene", "no_talker.json"}, "talker");
  media::write_wav("stereo.wav", {16000, 2, std::vector<float>(32000, 0.1f)});
  expect_refused({"voice", "simulate", "stereo.wav", "-o", "x"}, "stereo.wav");
  expect_refused({"voice", "evaluate", "--corpus", "nowhere", "-o", "x"}, "thimble voice corpus");
  expect_refused({"voice", "evaluate", "--corpus", "nowhere", "-o", "x", "--split", "train"}, "'train'");
  ::setenv("PMI_RANK", "7", 1);
  expect_refused({"voice", "evaluate", "--corpus", "nowhere", "-o", "x"}, "PMI_SIZE");
  ::unsetenv("PMI_RANK");
  EXPECT_EQ(here_.files().size(), 3u);  // the recordings and the scene that were written here
}

}  // namespace
}  // namespace thimble::testing
