#include <gtest/gtest.h>

#include <filesystem>
#include <numbers>

#include "base/error.h"
#include "base/file.h"
#include "voice/scene.h"

namespace thimble::voice {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

const char* const kScene = R"({"format": "thimble voice scene 1", "room": {"size": [6, 5, 2.7], "rt60": 0.4},
  "devices": [{"name": "kitchen", "position": [0.5, 1, 1.1], "azimuth_deg": 90, "array": "line2", "gain_db": 0.8},
              {"name": "desk", "position": [5, 4, 0.9], "array": "square4"}],
  "talker": {"position": [3, 2, 1.55], "facing_deg": 40}})";

Scene parsed(const Json& json) { return scene_from_json(json, "test.json"); }
Json good() { return Json::parse(kScene); }

std::string refusal(const Json& json) {
  try {
    parsed(json);
  } catch (const Error& e) {
    EXPECT_TRUE(e.kind() == ErrorKind::bad_input || e.kind() == ErrorKind::bad_file) << e.what();
    return e.what();
  }
  return "accepted";
}

void expect_refused(const Json& json, const std::string& word) {
  EXPECT_NE(refusal(json).find(word), std::string::npos) << refusal(json);
}

TEST(Scene, ReadsWhatItWrites) {
  const Scene scene = parsed(good());
  ASSERT_EQ(scene.devices.size(), 2u);
  EXPECT_EQ(scene.devices[0].gain_db, 0.8);
  EXPECT_EQ(scene.uncalibrated(), std::vector<std::string>{"desk"});
  EXPECT_NEAR(scene.talker->facing, 40 * kDegree, 1e-12);
  const Scene again = parsed(Json::parse(scene_to_json(scene).dump()));
  EXPECT_EQ(scene_to_json(again).dump(), scene_to_json(scene).dump());
}

TEST(Scene, TurnsMicrophonesIntoTheRoom) {
  const Scene scene = parsed(good());
  // line2 lies along the array's y, 60 mm apart; turned by 90 degrees that is -x.
  const auto mics = scene.devices[0].microphones();
  ASSERT_EQ(mics.size(), 2u);
  EXPECT_NEAR(mics[0].x, 0.47, 1e-12);
  EXPECT_NEAR(mics[0].y, 1, 1e-12);
  EXPECT_NEAR(mics[1].x, 0.53, 1e-12);
  EXPECT_NEAR(scene.devices[0].world_azimuth(100 * kDegree), -170 * kDegree, 1e-12);
}

TEST(Scene, FindsTheFacedDevice) {
  const Scene scene = parsed(good());
  const FacedDevice faced = faced_device(scene, *scene.talker);
  EXPECT_EQ(faced.device, 1u);
  EXPECT_NEAR(faced.off, 5 * kDegree, 1e-12);  // the desk lies at 45 degrees
  EXPECT_EQ(faced_device(scene, {{3, 2, 1.5}, 3.0}).device, 0u);
}

TEST(Scene, RefusesWrongPlaces) {
  Json json = good();
  json["devices"][1]["position"] = {0.52, 1, 1.1};
  expect_refused(json, "'kitchen' and 'desk' are 0.020 m apart");
  json = good();
  json["devices"][0]["position"] = {6.5, 1, 1.1};
  expect_refused(json, "'kitchen' at (6.5, 1, 1.1) is outside the room");
  json = good();
  json["devices"][0]["position"] = {0.01, 1, 1.1};
  expect_refused(json, "its microphone at");
  json = good();
  json["talker"]["position"] = {3, 2, 2.8};
  expect_refused(json, "talker at");
  json = good();
  json["talker"]["position"] = {0.55, 1, 1.1};
  expect_refused(json, "within 0.1 m");
}

TEST(Scene, RefusesWrongForms) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = good();
    json[Json::json_pointer(pointer)] = value;
    return json;
  };
  expect_refused(with("/format", "other"), "format");
  expect_refused(with("/devices", Json::array()), "0");
  expect_refused(with("/devices", 3), "devices");
  expect_refused(with("/devices/0", 3), "device 1");
  expect_refused(with("/devices/0/position", {1, 2}), "three numbers");
  expect_refused(with("/devices/0/position", {1, 2, "x"}), "three numbers");
  expect_refused(with("/devices/0/array", "ring7x"), "ring7x");
  expect_refused(with("/devices/0/azimuth", 3), "no key 'azimuth'");
  expect_refused(with("/devices/0/gain_db", 400), "gain_db");
  expect_refused(with("/devices/1/name", "kitchen"), "two devices are named 'kitchen'");
  expect_refused(with("/devices/1/name", ""), "name");
  expect_refused(with("/room/size", {6, 5, 0}), "room");
  expect_refused(with("/room/rt60", -1), "rt60");
  expect_refused(with("/talker/facing_deg", "north"), "facing_deg");
  Json json = good();
  json.erase("devices");
  expect_refused(json, "devices");
  expect_refused(Json::array(), "object");
}

TEST(Scene, FilesAreNamedInErrors) {
  const auto path = std::filesystem::temp_directory_path() / "thimble_scene_test.json";
  write_file(path, "{\"format\": ");
  EXPECT_THROW(
      {
        try {
          read_scene(path);
        } catch (const Error& e) {
          EXPECT_NE(std::string(e.what()).find("thimble_scene_test.json"), std::string::npos);
          throw;
        }
      },
      Error);
  write_scene(path, parsed(good()));
  EXPECT_EQ(scene_to_json(read_scene(path)).dump(), scene_to_json(parsed(good())).dump());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace thimble::voice
