#include "voice/settings.h"

#include <cmath>
#include <cstddef>
#include <set>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"

namespace thimble::voice {

// The text of voice/frozen.json, made into a source file by the build.
extern const char* const kFrozenText;

namespace {

// Walks all settings in the order they are written: visitor(group, key, value, low, high).
template <class S, class Visitor>
void walk(S& s, Visitor&& v) {
  constexpr double kBig = 1e6;
  v("activity", "frame_seconds", s.activity.frame_seconds, 0.008, 0.128);
  v("activity", "hop_seconds", s.activity.hop_seconds, 0.004, 0.064);
  v("activity", "range_db", s.activity.range_db, 3, 90);
  v("activity", "min_seconds", s.activity.min_seconds, 0.05, 10);
  v("activity", "start_db", s.activity.start_db, 1, 60);
  v("activity", "end_db", s.activity.end_db, 0.5, 60);
  v("activity", "hang_seconds", s.activity.hang_seconds, 0.05, 5);
  v("activity", "preroll_seconds", s.activity.preroll_seconds, 0, 2);
  v("activity", "max_seconds", s.activity.max_seconds, 1, 60);
  v("direction", "low_hz", s.direction.low_hz, 50, 20000);
  v("direction", "high_hz", s.direction.high_hz, 100, 24000);
  v("direction", "step_deg", s.direction.step_deg, 0.5, 15);
  v("direction", "onset_share", s.direction.onset_share, 0.05, 1);
  v("direction", "elevation_max_deg", s.direction.elevation_max_deg, 0, 85);
  v("power", "superdirective", s.power.superdirective, 0, 1);
  v("power", "loading", s.power.loading, 1e-6, 10);
  v("power", "onset_rise_db", s.power.onset_rise_db, 0.5, 40);
  v("power", "onset_seconds", s.power.onset_seconds, 0.002, 0.032);
  v("power", "echoes", s.power.echoes, 0, 8);
  v("power", "min_snr_db", s.power.min_snr_db, -30, 60);
  v("position", "mouth_height", s.position.mouth_height, 0, 3);
  v("position", "min_angle_deg", s.position.min_angle_deg, 0.1, 80);
  v("position", "bearing_sigma_deg", s.position.bearing_sigma_deg, 0.1, 45);
  v("position", "outlier", s.position.outlier, 1e-6, 0.9);
  v("position", "max_distance", s.position.max_distance, 0.5, 1000);
  v("fit", "angle_step_deg", s.fit.angle_step_deg, 0.5, 30);
  v("fit", "band_weights", s.fit.band_weights, 0, 100);
  v("fit", "raw", s.fit.raw, 0, 100);
  v("fit", "beam", s.fit.beam, 0, 100);
  v("fit", "coherent", s.fit.coherent, 0, 100);
  v("fit", "onset", s.fit.onset, 0, 100);
  v("fit", "residual_db", s.fit.residual_db, 0.1, 100);
  v("fit", "noise_penalty", s.fit.noise_penalty, 0, 100);
  v("fit", "facing_sigma_deg", s.fit.facing_sigma_deg, 0.5, 90);
  v("fit", "reverberation_db", s.fit.reverberation_db, -60, 60);
  v("fit", "reverberation_spread_db", s.fit.reverberation_spread_db, 0.1, 60);
  v("fit", "gain_spread_db", s.fit.gain_spread_db, 0, 40);
  v("fit", "gain_learning", s.fit.gain_learning, 0, 1);
  v("fit", "loudness", s.fit.loudness, -kBig, kBig);
  v("fit", "position_spread", s.fit.position_spread, 0, 10);
  v("fit", "nobody_prior", s.fit.nobody_prior, 0, 0.99);
  v("fit", "min_confidence", s.fit.min_confidence, 0, 1);
}

double number_in(const Json& value, double low, double high, const std::string& where) {
  if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < low ||
      value.get<double>() > high)
    fail(ErrorKind::bad_input, "{}: a number from {} to {} was wanted, {} came", where, low, high,
         value.dump().substr(0, 40));
  return value.get<double>();
}

struct Reader {
  const Json& json;
  std::string_view what;
  std::set<std::string> known;  // "group.key"

  template <class T>
  void operator()(const char* group, const char* key, T& out, double low, double high) {
    known.insert(std::string(group) + "." + key);
    if (!json.contains(group) || !json[group].contains(key)) return;
    const Json& value = json[group][key];
    const std::string where = fmt::format("{}: {}.{}", what, group, key);
    if constexpr (std::is_same_v<T, bool>) {
      if (!value.is_boolean()) fail(ErrorKind::bad_input, "{}: true or false was wanted", where);
      out = value.get<bool>();
    } else if constexpr (std::is_arithmetic_v<T>) {
      const double number = number_in(value, low, high, where);
      if (std::is_integral_v<T> && number != std::floor(number))
        fail(ErrorKind::bad_input, "{}: a whole number was wanted, {} came", where, number);
      out = static_cast<T>(number);
    } else {
      if (!value.is_array() || value.size() != out.size())
        fail(ErrorKind::bad_input, "{}: a list of {} numbers was wanted", where, out.size());
      for (std::size_t i = 0; i < out.size(); ++i) out[i] = number_in(value[i], low, high, where);
    }
  }
};

}  // namespace

Settings settings_from_json(const Json& json, std::string_view what) {
  if (!json.is_object()) fail(ErrorKind::bad_input, "{}: settings are a JSON object", what);
  Settings settings;
  Reader reader{json, what, {}};
  walk(settings, reader);
  for (const auto& [group, members] : json.items()) {
    if (group == "origin" && members.is_string()) {
      settings.origin = members.get<std::string>();
      continue;
    }
    if (!members.is_object()) fail(ErrorKind::bad_input, "{}: there is no setting '{}'", what, group);
    for (const auto& [key, value] : members.items()) {
      if (!reader.known.contains(group + "." + key))
        fail(ErrorKind::bad_input, "{}: there is no setting '{}.{}'", what, group, key);
    }
  }
  if (settings.direction.low_hz >= settings.direction.high_hz)
    fail(ErrorKind::bad_input, "{}: direction.low_hz must lie under direction.high_hz", what);
  if (settings.activity.hop_seconds > settings.activity.frame_seconds / 2)
    fail(ErrorKind::bad_input, "{}: activity.hop_seconds is at most half of activity.frame_seconds", what);
  return settings;
}

OrderedJson settings_to_json(const Settings& settings) {
  OrderedJson out;
  out["origin"] = settings.origin;
  walk(settings,
       [&](const char* group, const char* key, const auto& value, double, double) { out[group][key] = value; });
  return out;
}

Settings read_settings(const std::string& path) {
  constexpr std::size_t kLimit = 1 << 20;
  return settings_from_json(parse_json(read_file(path, kLimit), path), path);
}

void write_settings(const std::string& path, const Settings& settings) {
  write_file(path, settings_to_json(settings).dump(2) + "\n");
}

const Settings& frozen() {
  static const Settings settings =
      settings_from_json(parse_json(kFrozenText, "voice/frozen.json"), "voice/frozen.json");
  return settings;
}

std::string frozen_hash() {
  const std::string_view text = kFrozenText;
  return sha256(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace thimble::voice
