// Checks that all methods share, the baselines that need no fit, and the names of all.
#include "voice/method.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "voice/decide.h"

namespace thimble::voice {
namespace {

double to_db(double power) { return 10 * std::log10(std::max(power, 1e-30)); }

void check_observation(const Observation& o) {
  const auto bad = [](double v) { return !std::isfinite(v) || v < 0; };
  const auto bad_powers = [&](const BandPowers& p) { return std::any_of(p.begin(), p.end(), bad); };
  if (!std::isfinite(o.azimuth) || bad(o.confidence) || bad(o.steered_coherence) || !std::isfinite(o.band_ratio_db) ||
      bad_powers(o.raw) || bad_powers(o.beam) || bad_powers(o.coherent) || bad_powers(o.onset) || bad_powers(o.noise) ||
      bad_powers(o.beam_diffuse))
    fail(ErrorKind::bad_input, "the observation of device {} has numbers that are not finite or negative powers",
         o.device);
}

void take_off_gain(Observation& o, double gain_db) {
  const double factor = std::pow(10.0, -gain_db / 10);
  for (BandPowers* powers : {&o.raw, &o.beam, &o.coherent, &o.onset, &o.noise})
    for (double& p : *powers) p *= factor;
}

// A method that is one number a device.
class ScoreMethod final : public Method {
 public:
  using Scores = std::function<std::vector<double>(std::span<const Observation>, std::span<const DevicePose>)>;
  ScoreMethod(std::string name, double nats, Scores scores)
      : name_(std::move(name)), nats_(nats), scores_(std::move(scores)) {}
  std::string_view name() const override { return name_; }

 protected:
  Decision decide_checked(std::span<const Observation> observations, std::span<const DevicePose> poses,
                          const Truth*) const override {
    return decide_by_score(observations, scores_(observations, poses), nats_);
  }

 private:
  std::string name_;
  double nats_;  // belief gained a unit of score
  Scores scores_;
};

// Methods that need the distances: by loudness where there is no position.
class DistanceMethod final : public Method {
 public:
  DistanceMethod(bool power, const Settings& settings) : power_(power), settings_(settings) {}
  std::string_view name() const override { return power_ ? "raw-distance" : "nearest"; }

 protected:
  Decision decide_checked(std::span<const Observation> observations, std::span<const DevicePose> poses,
                          const Truth*) const override {
    std::vector<double> scores = loudness_db(observations, &Observation::raw);
    const Fix fix = triangulate(bearings_of(observations, poses, settings_.position), settings_.position);
    constexpr double kNatsPerDb = 0.3;
    if (!fix.found) {
      Decision d = decide_by_score(observations, scores, kNatsPerDb);
      d.note = fix.why + ": decided by loudness";
      return d;
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const double distance_db = 20 * std::log10(std::max(norm(poses[i].position - fix.position), 0.1));
      scores[i] = power_ ? scores[i] + distance_db : -distance_db;
    }
    Decision d = decide_by_score(observations, scores, kNatsPerDb);
    d.position = fix.position;
    d.position_spread = fix.spread;
    return d;
  }

 private:
  bool power_;
  Settings settings_;
};

}  // namespace

std::vector<Bearing> bearings_of(std::span<const Observation> observations, std::span<const DevicePose> poses,
                                 const PositionSettings& settings) {
  std::vector<Bearing> out;
  for (std::size_t i = 0; i < observations.size(); ++i)
    out.push_back({poses[i].position, bearing_in_room(observations[i], poses[i]),
                   bearing_sigma(observations[i].confidence, settings)});
  return out;
}

std::vector<double> loudness_db(std::span<const Observation> observations, BandPowers Observation::*powers) {
  constexpr int kFirst = 2;  // 1.4 kHz
  std::vector<double> out(observations.size());
  const auto add = [&](int from, int end) {
    int bands = 0;
    for (int b = from; b < end; ++b) {
      if (!std::all_of(observations.begin(), observations.end(), [&](const Observation& o) { return o.hears(b); }))
        continue;
      ++bands;
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] += to_db((observations[i].*powers)[static_cast<std::size_t>(b)]);
    }
    for (double& v : out) v /= std::max(bands, 1);
    return bands > 0;
  };
  if (add(kFirst, kBands) || add(0, kFirst)) return out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const BandPowers& p = observations[i].*powers;
    out[i] = to_db(std::accumulate(p.begin(), p.end(), 0.0));
  }
  return out;
}

Decision decide_by_score(std::span<const Observation> observations, std::span<const double> scores, double nats) {
  Decision out;
  const auto best = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  double total = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    out.scores.push_back({observations[i].device, scores[i]});
    total += std::exp(nats * (scores[i] - scores[best]));
  }
  out.device = observations[best].device;
  out.confidence = 1 / total;
  return out;
}

Faced nearest_to(double facing, const dsp::Vec3& mouth, std::span<const DevicePose> poses) {
  Faced out{0, 10, 10};
  for (std::size_t i = 0; i < poses.size(); ++i) {
    const double way = std::atan2(poses[i].position.y - mouth.y, poses[i].position.x - mouth.x);
    const double off = std::abs(dsp::wrap_angle(facing - way));
    if (off < out.off) {
      out.next_off = out.off;
      out.off = off;
      out.index = i;
    } else {
      out.next_off = std::min(out.next_off, off);
    }
  }
  return out;
}

Decision Method::decide(std::span<const Observation> observations, std::span<const DevicePose> poses,
                        const Truth* truth) const {
  if (observations.empty()) fail(ErrorKind::bad_input, "no device heard anything");
  std::vector<Observation> heard(observations.begin(), observations.end());
  std::vector<DevicePose> places;
  for (std::size_t i = 0; i < heard.size(); ++i) {
    check_observation(heard[i]);
    for (std::size_t j = 0; j < i; ++j)
      if (heard[i].device == heard[j].device)
        fail(ErrorKind::bad_input, "two observations of device {}", heard[i].device);
    const auto pose =
        std::find_if(poses.begin(), poses.end(), [&](const DevicePose& p) { return p.id == heard[i].device; });
    if (pose == poses.end()) fail(ErrorKind::bad_input, "device {} has no place in the scene", heard[i].device);
    if (!std::isfinite(pose->position.x + pose->position.y + pose->position.z + pose->azimuth))
      fail(ErrorKind::bad_input, "the place of device {} is not finite", pose->id);
    if (pose->gain_db) take_off_gain(heard[i], *pose->gain_db);
    places.push_back(*pose);
  }
  if (truth && !truth->direct.empty() && truth->direct.size() != heard.size())
    fail(ErrorKind::bad_input, "{} true powers for {} observations", truth->direct.size(), heard.size());
  Decision out = decide_checked(heard, places, truth);
  if (heard.size() == 1) {
    out.confidence = std::min(out.confidence, 1.0 / static_cast<double>(std::max<std::size_t>(poses.size(), 1)));
    out.note = "one device alone heard the voice";
  }
  std::string silent;
  for (const DevicePose& p : poses) {
    const auto same = [&](const Observation& o) { return o.device == p.id; };
    if (std::none_of(heard.begin(), heard.end(), same)) silent += fmt::format("{}{}", silent.empty() ? "" : ", ", p.id);
  }
  if (!silent.empty()) out.note += fmt::format("{}nothing from device {}", out.note.empty() ? "" : "; ", silent);
  return out;
}

std::vector<std::string> method_names() {
  return {"facing",   "loudest",        "loudest-beam", "nearest",  "band-ratio", "raw-distance",
          "gcc-peak", "pattern-cosine", "direct-a",     "direct-b", "direct-c",   "oracle"};
}

std::unique_ptr<Method> make_method(std::string_view name, const Settings& settings) {
  using Observations = std::span<const Observation>;
  using Poses = std::span<const DevicePose>;
  const auto each = [](double Observation::*member) {
    return [member](Observations observations, Poses) {
      std::vector<double> out;
      for (const Observation& o : observations) out.push_back(o.*member);
      return out;
    };
  };
  constexpr double kNatsPerDb = 0.3, kNatsPerCoherence = 20;
  if (name == "facing") return make_facing_method(settings);
  if (name == "loudest")
    return std::make_unique<ScoreMethod>("loudest", kNatsPerDb,
                                         [](Observations o, Poses) { return loudness_db(o, &Observation::raw); });
  if (name == "loudest-beam")
    return std::make_unique<ScoreMethod>("loudest-beam", kNatsPerDb,
                                         [](Observations o, Poses) { return loudness_db(o, &Observation::beam); });
  if (name == "band-ratio")
    return std::make_unique<ScoreMethod>("band-ratio", kNatsPerDb, each(&Observation::band_ratio_db));
  if (name == "gcc-peak")
    return std::make_unique<ScoreMethod>("gcc-peak", kNatsPerCoherence, each(&Observation::steered_coherence));
  if (name == "nearest" || name == "raw-distance")
    return std::make_unique<DistanceMethod>(name == "raw-distance", settings);
  if (auto fit = make_fit_method(name, settings)) return fit;
  std::string known;
  for (const std::string& n : method_names()) known += (known.empty() ? "" : ", ") + n;
  fail(ErrorKind::bad_input, "there is no method '{}'; there are {}", name, known);
}

}  // namespace thimble::voice
