#include "voice/study/trial.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "voice/analyse.h"
#include "voice/study/render.h"

namespace thimble::voice {
namespace {

OrderedJson place_to_json(const dsp::Vec3& v) { return OrderedJson::array({v.x, v.y, v.z}); }

// `count` finite numbers.
std::vector<double> numbers(const Json& json, std::size_t count, std::string_view what) {
  if (!json.is_array() || json.size() != count) fail(ErrorKind::bad_file, "{}: {} numbers were wanted", what, count);
  std::vector<double> out;
  for (const Json& v : json) {
    if (!v.is_number() || !std::isfinite(v.get<double>())) fail(ErrorKind::bad_file, "{}: not a number", what);
    out.push_back(v.get<double>());
  }
  return out;
}

dsp::Vec3 place_from_json(const Json& json, std::string_view what) {
  const std::vector<double> v = numbers(json, 3, what);
  return {v[0], v[1], v[2]};
}

BandPowers powers_from_json(const Json& json, std::string_view what) {
  const std::vector<double> v = numbers(json, kBands, what);
  BandPowers powers{};
  std::copy(v.begin(), v.end(), powers.begin());
  return powers;
}

struct PowersField {
  const char* key;
  BandPowers Observation::*field;
};
constexpr PowersField kPowers[] = {{"raw", &Observation::raw},           {"beam", &Observation::beam},
                                   {"coherent", &Observation::coherent}, {"onset", &Observation::onset},
                                   {"noise", &Observation::noise},       {"beam_diffuse", &Observation::beam_diffuse}};
struct NumberField {
  const char* key;
  double Observation::*field;
};
constexpr NumberField kNumbers[] = {{"start", &Observation::start},
                                    {"duration", &Observation::duration},
                                    {"active", &Observation::active_seconds},
                                    {"azimuth", &Observation::azimuth},
                                    {"confidence", &Observation::confidence},
                                    {"peak_ratio", &Observation::peak_ratio},
                                    {"coherence", &Observation::steered_coherence},
                                    {"band_ratio_db", &Observation::band_ratio_db}};

OrderedJson observation_to_json(const Observation& o) {
  OrderedJson j;
  for (const auto& [key, field] : kNumbers) j[key] = o.*field;
  if (o.elevation) j["elevation"] = *o.elevation;
  for (const auto& [key, field] : kPowers) j[key] = o.*field;
  j["heard"] = o.heard;
  j["noise_known"] = o.noise_known;
  return j;
}

Observation observation_from_json(const Json& j, int device, std::string_view what) {
  Observation o;
  o.device = device;
  for (const auto& [key, field] : kNumbers) o.*field = get_double(j, key, what);
  if (j.contains("elevation")) o.elevation = get_double(j, "elevation", what);
  for (const auto& [key, field] : kPowers) o.*field = powers_from_json(get_array(j, key, what), what);
  o.heard = static_cast<unsigned>(get_int(j, "heard", what)) & ((1u << kBands) - 1);
  o.noise_known = j.contains("noise_known") && j["noise_known"] == true;
  return o;
}

}  // namespace

OrderedJson trial_to_json(const Trial& t) {
  OrderedJson j;
  j["index"] = t.index;
  j["room"] = t.room;
  j["talker"] = t.talker;
  j["cluster"] = t.cluster;
  j["rt60"] = t.rt60;
  j["snr_db"] = t.snr_db;
  j["nobody"] = t.nobody;
  j["mouth"] = place_to_json(t.truth.position);
  j["facing"] = t.truth.facing;
  j["devices"] = OrderedJson::array();
  for (std::size_t d = 0; d < t.poses.size(); ++d) {
    OrderedJson device;
    device["position"] = place_to_json(t.poses[d].position);
    device["azimuth"] = t.poses[d].azimuth;
    device["direct"] = t.truth.direct[d];
    if (t.observations[d]) device["observation"] = observation_to_json(*t.observations[d]);
    j["devices"].push_back(std::move(device));
  }
  return j;
}

Trial trial_from_json(const Json& j, std::string_view what) {
  Trial t;
  t.index = static_cast<std::size_t>(get_int(j, "index", what));
  t.room = get_string(j, "room", what);
  t.talker = get_string(j, "talker", what);
  t.cluster = static_cast<std::size_t>(get_int(j, "cluster", what));
  t.rt60 = get_double(j, "rt60", what);
  t.snr_db = get_double(j, "snr_db", what);
  t.nobody = j.contains("nobody") && j["nobody"] == true;
  t.truth.position = place_from_json(get_array(j, "mouth", what), what);
  t.truth.facing = get_double(j, "facing", what);
  for (const Json& device : get_array(j, "devices", what)) {
    const int id = static_cast<int>(t.poses.size());
    t.poses.push_back({.id = id,
                       .position = place_from_json(get_array(device, "position", what), what),
                       .azimuth = get_double(device, "azimuth", what),
                       .array = {},
                       .gain_db = {}});
    t.truth.direct.push_back(powers_from_json(get_array(device, "direct", what), what));
    t.observations.emplace_back();
    if (device.contains("observation")) {
      t.observations.back() = observation_from_json(get_object(device, "observation", what), id, what);
    }
  }
  if (t.poses.size() < 2) fail(ErrorKind::bad_file, "{}: a trial with {} devices", what, t.poses.size());
  return t;
}

Trial run_trial(const Sampler& sampler, const Corpus& corpus, const std::vector<const CorpusTalker*>& talkers,
                const Settings& settings, std::size_t index) {
  const Configuration c = sampler.at(index);
  const CorpusTalker& talker = *talkers.at(c.talker);
  const std::vector<double> speech = corpus.phrase(talker, c.phrase % talker.phrases.size());
  ThreadPool alone(1);
  const Rendered sound = render_scene(c.scene, speech, setup_of(c, sampler.options()), alone);

  Trial t;
  t.index = index;
  t.room = sampler.rooms()[c.room].name;
  t.talker = talker.id;
  t.cluster = c.room * talkers.size() + c.talker;
  t.rt60 = c.rt60, t.snr_db = c.snr_db, t.nobody = c.nobody;
  t.truth = {c.scene.talker->position, c.scene.talker->facing, sound.direct};
  for (std::size_t d = 0; d < c.scene.devices.size(); ++d) {
    const Device& device = c.scene.devices[d];
    t.poses.push_back({.id = static_cast<int>(d),
                       .position = device.position,
                       .azimuth = device.azimuth,
                       .array = {},
                       .gain_db = {}});
    try {
      t.observations.push_back(analyse_utterance(sound.devices[d], device.array, settings, static_cast<int>(d)));
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::bad_input) throw;  // bad_input: too little speech stands out of the noise
      t.observations.emplace_back();
    }
  }
  return t;
}

Decision decide_trial(const Trial& trial, int count, const Method& method) {
  check(count >= 1 && count <= std::ssize(trial.poses), "a trial has fewer devices than asked for");
  // The faced device is the trial's first; methods see the devices under other numbers, so that a tie is no hint.
  std::vector<int> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  Rng rng(trial.index, static_cast<std::uint64_t>(count));
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);

  std::vector<Observation> observations;
  std::vector<DevicePose> poses;
  Truth truth{trial.truth.position, trial.truth.facing, {}};
  for (int d : order) {
    const auto device = static_cast<std::size_t>(d);
    poses.push_back(trial.poses[device]);
    poses.back().id = static_cast<int>(poses.size()) - 1;
    if (!trial.observations[device]) continue;
    observations.push_back(*trial.observations[device]);
    observations.back().device = poses.back().id;
    truth.direct.push_back(trial.truth.direct[device]);
  }
  if (observations.empty()) {
    Decision nothing;
    nothing.note = "no device heard anything";
    return nothing;
  }
  Decision decision = method.decide(observations, poses, &truth);
  if (decision.device != kNobody) decision.device = order.at(static_cast<std::size_t>(decision.device));
  for (DeviceScore& score : decision.scores) score.device = order.at(static_cast<std::size_t>(score.device));
  return decision;
}

Outcome judge(const Trial& trial, const Decision& d) {
  Outcome out{.right = d.device == (trial.nobody ? kNobody : 0),
              .device = d.device,
              .confidence = d.confidence,
              .nobody = d.nobody,
              .facing_error = {},
              .position_error = {}};
  if (d.facing) out.facing_error = std::abs(dsp::wrap_angle(*d.facing - trial.truth.facing));
  if (d.position) {
    out.position_error = std::hypot(d.position->x - trial.truth.position.x, d.position->y - trial.truth.position.y);
  }
  return out;
}

double angular_gap(const Trial& trial, int count) {
  const dsp::Vec3& mouth = trial.truth.position;
  const double faced = bearing(mouth, trial.poses[0].position);
  double least = 4;
  for (std::size_t d = 1; d < static_cast<std::size_t>(count); ++d) {
    least = std::min(least, std::abs(dsp::wrap_angle(bearing(mouth, trial.poses[d].position) - faced)));
  }
  return least;
}

}  // namespace thimble::voice
