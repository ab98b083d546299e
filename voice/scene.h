// Where things are: a room, devices with their poses and microphone arrays, and (when known) the talker. Metres,
// radians, x-y is the floor, z is up from it; the JSON form has metres and degrees:
//
//   {"format": "thimble voice scene 1",
//    "room": {"size": [6, 5, 2.7], "rt60": 0.4},
//    "devices": [{"name": "kitchen", "position": [0.5, 1, 1.1], "azimuth_deg": 90, "array": "ring6", "gain_db": 0.8},
//                {"name": "desk", "position": [5, 4, 0.9], "array": "square4"}],
//    "talker": {"position": [3, 2, 1.55], "facing_deg": 40}}
//
// "room", "rt60", "azimuth_deg" (0), "gain_db" and "talker" may be missing. Not here: what a room does to sound
// (dsp/room), what the devices make of it (voice/analyse.h).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "dsp/geometry.h"

namespace thimble::voice {

constexpr std::size_t kMaxDevices = 64;
constexpr double kMinDeviceDistance = 0.1;  // m between two devices' origins, on the floor plan or in height

struct RoomShape {
  dsp::Vec3 size;              // each in [0.5, 1000]; corners at the origin and at `size`
  std::optional<double> rt60;  // s, in [0.02, 20]
};

struct Device {
  std::string name;                  // unique in its scene, 1..64 characters
  dsp::Vec3 position;                // of the array's origin
  double azimuth = 0;                // that the array's x axis points to
  std::string array_name = "ring6";  // for dsp::array_by_name
  dsp::MicArray array;               // in the device's own axes: not turned, not moved
  // By how much its recordings are louder than those of a true microphone: subtract it. Missing: never calibrated.
  std::optional<double> gain_db;

  // Of a direction that the array saw in its own axes, in the room's.
  double world_azimuth(double own) const { return dsp::wrap_angle(own + azimuth); }
  std::vector<dsp::Vec3> microphones() const;  // in the room
};

struct Talker {
  dsp::Vec3 position;  // of the mouth
  double facing = 0;   // azimuth
};

struct Scene {
  std::optional<RoomShape> room;
  std::vector<Device> devices;
  std::optional<Talker> talker;

  std::vector<std::string> uncalibrated() const;  // names of the devices without gain_db
};

// Azimuth from `from` to `to` on the floor plan, and the distance in space.
double bearing(const dsp::Vec3& from, const dsp::Vec3& to);
double distance(const dsp::Vec3& a, const dsp::Vec3& b);

// The device whose bearing is nearest to the facing direction, and how far off it is (radians, >= 0).
struct FacedDevice {
  std::size_t device = 0;
  double off = 0;
};
FacedDevice faced_device(const Scene& scene, const Talker& talker);

// bad_input in one line that names the device and key, for: no devices or more than kMaxDevices, two in one point or of
// one name, a device, microphone or talker outside the room or inside each other, unknown arrays, numbers that are not
// finite or out of range.
void check_scene(const Scene& scene);

// Checked scenes only. `what` is the file's name in messages; unknown keys are refused, so that a misspelt one is seen.
Scene scene_from_json(const Json& json, std::string_view what);
OrderedJson scene_to_json(const Scene& scene);
Scene read_scene(const std::filesystem::path& path);
void write_scene(const std::filesystem::path& path, const Scene& scene);

}  // namespace thimble::voice
