// thimble voice locate, facing, node and hub as a person meets them: good recordings, bad ones, bad scenes and keys.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "media/wav.h"
#include "tests/cli/run_program.h"
#include "voice/scene.h"
#include "voice/test_sounds.h"

namespace thimble::testing {
namespace {

using voice::testing::bursts;
using voice::testing::kDegree;

// Four rings about a talker at (3, 2.5) who faces device "b": the direct sound alone, by the voice's pattern.
class Voice : public ::testing::Test {
 protected:
  void SetUp() override {
    room_ = voice::testing::around({10, 95, 170, 260}, {1.6, 2.2, 2, 1.8});
    OrderedJson scene;
    scene["format"] = "thimble voice scene 1";
    const double facing = 97 * kDegree;
    for (std::size_t i = 0; i < 4; ++i) {
      const voice::DevicePose& pose = room_.poses[i];
      OrderedJson device;
      device["name"] = std::string(1, static_cast<char>('a' + i));
      device["position"] = {pose.position.x, pose.position.y, pose.position.z};
      device["azimuth_deg"] = pose.azimuth / kDegree;
      device["array"] = "ring6";
      scene["devices"].push_back(device);
      write_recording(i, facing);
    }
    write_file("home.json", scene.dump());
    scene["devices"][1]["position"] = scene["devices"][0]["position"];
    write_file("one_point.json", scene.dump());
    write_file("key", "a key for the tests\n");
  }

  void write_recording(std::size_t i, double facing) const {
    const voice::DevicePose& pose = room_.poses[i];
    const dsp::Vec3 way = room_.mouth - pose.position;
    const double angle = std::atan2(-way.y, -way.x) - facing;
    // The pattern at 4 kHz for all of the sound, at this distance.
    const double gain = std::sqrt(voice::VoicePattern::shared().gain(3, angle)) / norm(way);
    const double azimuth = dsp::wrap_angle(std::atan2(way.y, way.x) - pose.azimuth);
    dsp::Signal sound = voice::testing::plane_wave(bursts(1, 5), pose.array, azimuth, 1e-7, 20 + i);
    for (auto& x : sound.channels)
      for (double& v : x) v *= gain;
    media::write_wav(std::string(1, static_cast<char>('a' + i)) + ".wav", dsp::to_sound(sound));
  }

  Ran facing(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"voice", "facing", "home.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }

  static void expect_refused(const std::vector<std::string>& arguments, std::string_view part) {
    const Ran ran = run_program(arguments);
    EXPECT_EQ(ran.status, 2) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err << "wanted: " << part;
  }

  const Workplace here_;
  voice::testing::Room room_;
};

TEST_F(Voice, FacingDecidesAndDraws) {
  const Ran ran = facing({"a.wav", "b.wav", "c.wav", "d.wav", "--json", "-o", "plan.svg"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json out = parse_json(ran.out, "output");
  EXPECT_EQ(out["device"], "b");
  EXPECT_NEAR(out["position"][0].get<double>(), 3, 0.15);
  EXPECT_NEAR(out["position"][1].get<double>(), 2.5, 0.15);
  EXPECT_NEAR(out["facing_deg"].get<double>(), 97, 10);
  EXPECT_NE(out["note"].get<std::string>().find("not calibrated: a, b, c, d"), std::string::npos);
  EXPECT_NE(read_file("plan.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(facing({"a.wav", "b.wav", "c.wav", "d.wav", "-o", "plan.png"}).status, 0);
  EXPECT_EQ(read_file("plan.png").substr(1, 3), "PNG");
}

TEST_F(Voice, FacingDecidesFromWhatIsLeft) {
  media::Sound sound = media::read_wav("c.wav");
  sound.channels = 5;
  sound.samples.resize(sound.samples.size() / 30 * 30);
  media::write_wav("c.wav", sound);                       // a channel short
  write_file("d.wav", "ID3" + std::string(600, '\xff'));  // an mp3 under another name
  const Ran ran = facing({"a.wav", "b.wav", "c.wav", "d.wav"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_NE(ran.out.find("device: b"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("c is left out"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("d is left out"), std::string::npos) << ran.out;
  EXPECT_EQ(facing({"a.wav", "b.wav", "-", "-"}).status, 0);
}

TEST_F(Voice, BadInput) {
  expect_refused({"voice", "facing", "home.json", "a.wav"}, "1 recordings for the 4 devices");
  expect_refused({"voice", "facing", "home.json", "a.wav", "b.wav", "c.wav", "none.wav"}, "none.wav");
  expect_refused({"voice", "facing", "one_point.json", "a.wav", "b.wav", "c.wav", "d.wav"}, "b");
  expect_refused({"voice", "facing", "home.json"}, "--listen");
  expect_refused({"voice", "facing", "home.json", "-", "-", "-", "-"}, "no recording");
  expect_refused({"voice", "facing", "home.json", "a.wav", "b.wav", "c.wav", "d.wav", "--method", "magic"}, "magic");
  expect_refused({"voice", "facing", "home.json", "a.wav", "b.wav", "c.wav", "d.wav", "-o", "plan.gif"},
                 ".png or .svg");
  write_file("settings.json", R"({"fit": {"residal_db": 3}})");
  expect_refused({"voice", "facing", "home.json", "a.wav", "b.wav", "c.wav", "d.wav", "--settings", "settings.json"},
                 "fit.residal_db");
  expect_refused({"voice", "locate", "--array", "square4", "a.wav"}, "4 microphones, the sound has 6 channels");
  expect_refused({"voice", "locate", "--array", "ring7", "a.wav"}, "ring7");
  expect_refused({"voice", "locate", "--array", "ring6", "a.wav", "--channels", "0,1,2,3,4,9"}, "no channel 9");
  media::write_wav("one.wav", {.rate = 16000, .channels = 1, .samples = std::vector<float>(16000, 0.1f)});
  media::write_wav("other.wav", {.rate = 48000, .channels = 1, .samples = std::vector<float>(16000, 0.1f)});
  expect_refused({"voice", "locate", "--array", "line2", "one.wav", "other.wav"}, "48000 Hz");
  media::write_wav("short.wav", {.rate = 16000, .channels = 6, .samples = std::vector<float>(6, 0.1f)});
  expect_refused({"voice", "locate", "--array", "ring6", "short.wav"}, "short.wav");
  expect_refused({"voice", "node", "home.json", "--device", "z", "--hub", "127.0.0.1:9", "--key-file", "key"}, "'z'");
  expect_refused({"voice", "node", "home.json", "--device", "a", "--hub", "nowhere", "--key-file", "key"}, "host:port");
  write_file("weak", "short");
  expect_refused({"voice", "hub", "home.json", "--listen", "127.0.0.1:0", "--key-file", "weak"}, "16");
}

TEST_F(Voice, Locate) {
  const Ran ran = run_program({"voice", "locate", "--array", "ring6", "a.wav", "--json", "-o", "polar.svg",
                               "--spectrogram", "spectrogram.png"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  const Json out = parse_json(ran.out, "output");
  const dsp::Vec3 way = room_.mouth - room_.poses[0].position;
  EXPECT_NEAR(out["utterance"]["azimuth_deg"].get<double>(),
              dsp::wrap_angle(std::atan2(way.y, way.x) - room_.poses[0].azimuth) / kDegree, 1.5);
  EXPECT_GT(out["track"].size(), 5u);
  EXPECT_NE(read_file("polar.svg").find("<svg"), std::string::npos);
  EXPECT_EQ(read_file("spectrogram.png").substr(1, 3), "PNG");
}

}  // namespace
}  // namespace thimble::testing
