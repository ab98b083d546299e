// The scene's JSON form and its checks: see voice/scene.h.
#include "voice/scene.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numbers>

#include "base/error.h"
#include "base/file.h"

namespace thimble::voice {
namespace {

constexpr const char* kFormat = "thimble voice scene 1";
constexpr double kDegree = std::numbers::pi / 180;
constexpr double kMaxGain = 60;            // dB
constexpr double kMinMouthDistance = 0.1;  // m from the talker to a microphone
constexpr std::size_t kMaxSceneBytes = 1 << 20;

bool finite(const dsp::Vec3& v) { return std::isfinite(v.x) && std::isfinite(v.y) && std::isfinite(v.z); }

std::string text(const dsp::Vec3& v) { return fmt::format("({:.4g}, {:.4g}, {:.4g})", v.x, v.y, v.z); }

bool inside(const dsp::Vec3& p, const dsp::Vec3& size) {
  return p.x > 0 && p.y > 0 && p.z > 0 && p.x < size.x && p.y < size.y && p.z < size.z;
}

void check_keys(const Json& object, std::initializer_list<std::string_view> known, std::string_view what) {
  if (!object.is_object()) fail(ErrorKind::bad_input, "{}: an object was wanted, not {}", what, object.type_name());
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string names;
      for (std::string_view k : known) names += (names.empty() ? "" : ", ") + std::string(k);
      fail(ErrorKind::bad_input, "{}: there is no key '{}'; there are {}", what, key, names);
    }
  }
}

dsp::Vec3 get_place(const Json& object, std::string_view key, std::string_view what) {
  const Json& a = get_array(object, key, what);
  if (a.size() != 3 || !std::all_of(a.begin(), a.end(), [](const Json& v) { return v.is_number(); })) {
    fail(ErrorKind::bad_input, "{}: '{}' must be three numbers, [x, y, z] in metres", what, key);
  }
  return {a[0].get<double>(), a[1].get<double>(), a[2].get<double>()};
}

std::optional<double> get_optional(const Json& object, std::string_view key, std::string_view what) {
  if (!object.contains(key)) return std::nullopt;
  return get_double(object, key, what);
}

RoomShape room_from_json(const Json& json, std::string_view what) {
  check_keys(json, {"size", "rt60"}, what);
  return {get_place(json, "size", what), get_optional(json, "rt60", what)};
}

Device device_from_json(const Json& json, std::string_view what) {
  check_keys(json, {"name", "position", "azimuth_deg", "array", "gain_db"}, what);
  Device device;
  device.name = get_string(json, "name", what);
  device.position = get_place(json, "position", what);
  device.azimuth = get_optional(json, "azimuth_deg", what).value_or(0) * kDegree;
  device.array_name = get_string(json, "array", what);
  device.array = with_context(std::string(what), [&] { return dsp::array_by_name(device.array_name); });
  device.gain_db = get_optional(json, "gain_db", what);
  return device;
}

Talker talker_from_json(const Json& json, std::string_view what) {
  check_keys(json, {"position", "facing_deg"}, what);
  return {get_place(json, "position", what), get_double(json, "facing_deg", what) * kDegree};
}

OrderedJson place_to_json(const dsp::Vec3& v) { return OrderedJson::array({v.x, v.y, v.z}); }

// Degrees without the last digits that the conversion made up.
double degrees(double radians) { return std::round(radians / kDegree * 1e9) / 1e9; }

void check_device(const Scene& scene, const Device& device) {
  if (device.name.empty() || device.name.size() > 64) {
    fail(ErrorKind::bad_input, "a device's name has {} characters; 1 to 64 are allowed", device.name.size());
  }
  if (!finite(device.position) || !std::isfinite(device.azimuth)) {
    fail(ErrorKind::bad_input, "device '{}': position and azimuth must be finite numbers", device.name);
  }
  if (device.array.size() < 2) {
    fail(ErrorKind::bad_input, "device '{}': an array of 2 microphones or more was wanted, it has {}", device.name,
         device.array.size());
  }
  if (device.gain_db && !(std::abs(*device.gain_db) <= kMaxGain)) {
    fail(ErrorKind::bad_input, "device '{}': gain_db is {}; it must lie within +-{} dB", device.name, *device.gain_db,
         kMaxGain);
  }
  if (!scene.room) return;
  if (!inside(device.position, scene.room->size)) {
    fail(ErrorKind::bad_input, "device '{}' at {} is outside the room of {} m", device.name, text(device.position),
         text(scene.room->size));
  }
  for (const dsp::Vec3& mic : device.microphones()) {
    if (!inside(mic, scene.room->size)) {
      fail(ErrorKind::bad_input, "device '{}': its microphone at {} is outside the room of {} m; move it from the wall",
           device.name, text(mic), text(scene.room->size));
    }
  }
}

void check_pairs(const Scene& scene) {
  for (std::size_t i = 0; i < scene.devices.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Device &a = scene.devices[j], &b = scene.devices[i];
      if (a.name == b.name) fail(ErrorKind::bad_input, "two devices are named '{}'", a.name);
      const double apart = distance(a.position, b.position);
      if (apart < kMinDeviceDistance) {
        fail(ErrorKind::bad_input, "devices '{}' and '{}' are {:.3f} m apart, as good as in one point; {} m is least",
             a.name, b.name, apart, kMinDeviceDistance);
      }
    }
  }
}

void check_talker(const Scene& scene) {
  const Talker& talker = *scene.talker;
  if (!finite(talker.position) || !std::isfinite(talker.facing)) {
    fail(ErrorKind::bad_input, "the talker's position and facing must be finite numbers");
  }
  if (scene.room && !inside(talker.position, scene.room->size)) {
    fail(ErrorKind::bad_input, "the talker at {} is outside the room of {} m", text(talker.position),
         text(scene.room->size));
  }
  for (const Device& device : scene.devices) {
    for (const dsp::Vec3& mic : device.microphones()) {
      if (distance(mic, talker.position) < kMinMouthDistance) {
        fail(ErrorKind::bad_input, "the talker's mouth is within {} m of a microphone of device '{}'",
             kMinMouthDistance, device.name);
      }
    }
  }
}

}  // namespace

std::vector<dsp::Vec3> Device::microphones() const {
  std::vector<dsp::Vec3> places = dsp::rotated(array, azimuth).mics;
  for (dsp::Vec3& p : places) p = p + position;
  return places;
}

std::vector<std::string> Scene::uncalibrated() const {
  std::vector<std::string> names;
  for (const Device& device : devices) {
    if (!device.gain_db) names.push_back(device.name);
  }
  return names;
}

double bearing(const dsp::Vec3& from, const dsp::Vec3& to) { return std::atan2(to.y - from.y, to.x - from.x); }

double distance(const dsp::Vec3& a, const dsp::Vec3& b) { return dsp::norm(a - b); }

FacedDevice faced_device(const Scene& scene, const Talker& talker) {
  check(!scene.devices.empty(), "a scene without devices");
  FacedDevice best{0, 4};
  for (std::size_t i = 0; i < scene.devices.size(); ++i) {
    const double off = std::abs(dsp::wrap_angle(bearing(talker.position, scene.devices[i].position) - talker.facing));
    if (off < best.off) best = {i, off};
  }
  return best;
}

void check_scene(const Scene& scene) {
  if (scene.devices.empty() || scene.devices.size() > kMaxDevices) {
    fail(ErrorKind::bad_input, "a scene has 1 to {} devices; this one has {}", kMaxDevices, scene.devices.size());
  }
  if (scene.room) {
    const dsp::Vec3& s = scene.room->size;
    for (double side : {s.x, s.y, s.z}) {
      if (!(side >= 0.5 && side <= 1000)) {
        fail(ErrorKind::bad_input, "the room is {} m; each side must lie in 0.5 to 1000 m", text(s));
      }
    }
    if (scene.room->rt60 && !(*scene.room->rt60 >= 0.02 && *scene.room->rt60 <= 20)) {
      fail(ErrorKind::bad_input, "the room's rt60 is {} s; it must lie in 0.02 to 20 s", *scene.room->rt60);
    }
  }
  for (const Device& device : scene.devices) check_device(scene, device);
  check_pairs(scene);
  if (scene.talker) check_talker(scene);
}

Scene scene_from_json(const Json& json, std::string_view what) {
  check_keys(json, {"format", "room", "devices", "talker"}, what);
  if (const std::string format = get_string(json, "format", what); format != kFormat) {
    fail(ErrorKind::bad_input, "{}: the format is '{}', not '{}'", what, format, kFormat);
  }
  Scene scene;
  if (json.contains("room")) scene.room = room_from_json(json["room"], fmt::format("{}: room", what));
  std::size_t index = 0;
  for (const Json& device : get_array(json, "devices", what)) {
    scene.devices.push_back(device_from_json(device, fmt::format("{}: device {}", what, ++index)));
    if (index > kMaxDevices) break;
  }
  if (json.contains("talker")) scene.talker = talker_from_json(json["talker"], fmt::format("{}: talker", what));
  with_context(fmt::format("in {}", what), [&] { check_scene(scene); });
  return scene;
}

OrderedJson scene_to_json(const Scene& scene) {
  OrderedJson json;
  json["format"] = kFormat;
  if (scene.room) {
    json["room"]["size"] = place_to_json(scene.room->size);
    if (scene.room->rt60) json["room"]["rt60"] = *scene.room->rt60;
  }
  json["devices"] = OrderedJson::array();
  for (const Device& device : scene.devices) {
    OrderedJson d;
    d["name"] = device.name;
    d["position"] = place_to_json(device.position);
    d["azimuth_deg"] = degrees(device.azimuth);
    d["array"] = device.array_name;
    if (device.gain_db) d["gain_db"] = *device.gain_db;
    json["devices"].push_back(std::move(d));
  }
  if (scene.talker) {
    json["talker"]["position"] = place_to_json(scene.talker->position);
    json["talker"]["facing_deg"] = degrees(scene.talker->facing);
  }
  return json;
}

Scene read_scene(const std::filesystem::path& path) {
  const std::string content = read_file(path, kMaxSceneBytes);
  return scene_from_json(parse_json(content, path.string(), 16), path.string());
}

void write_scene(const std::filesystem::path& path, const Scene& scene) {
  check_scene(scene);
  write_file(path, scene_to_json(scene).dump(2) + "\n");
}

}  // namespace thimble::voice
