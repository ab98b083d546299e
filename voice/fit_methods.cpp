// Baselines that try every facing angle: plain fits of the pattern to powers freed of distance, the fit with one shared
// reverberant power a band, and cosine similarity with the pattern. All take the triangulated position; without one
// they fall back to the loudest device.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "voice/decide.h"
#include "voice/pattern.h"

namespace thimble::voice {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

double to_db(double power) { return 10 * std::log10(std::max(power, 1e-30)); }

// One band of all devices that hear it.
struct Row {
  std::vector<double> power, distance, pattern;  // linear, metres, linear
};
// Lower is better.
using Cost = double (*)(const Row&);

// Mean over devices taken off both, squared difference of what is left, in dB.
double plain_cost(const Row& row) {
  double mean = 0;
  std::vector<double> errors;
  for (std::size_t i = 0; i < row.power.size(); ++i) {
    errors.push_back(to_db(row.power[i]) + 20 * std::log10(row.distance[i]) - to_db(row.pattern[i]));
    mean += errors.back() / static_cast<double>(row.power.size());
  }
  double cost = 0;
  for (const double e : errors) cost += (e - mean) * (e - mean);
  return cost;
}

// P = s D / r^2 + rho with s, rho >= 0 by least squares of the relative error; then squared log ratios.
double reverberant_cost(const Row& row) {
  double aa = 0, ab = 0, bb = 0, a1 = 0, b1 = 0;
  for (std::size_t i = 0; i < row.power.size(); ++i) {
    const double a = row.pattern[i] / (row.distance[i] * row.distance[i]) / row.power[i], b = 1 / row.power[i];
    aa += a * a;
    ab += a * b;
    bb += b * b;
    a1 += a;
    b1 += b;
  }
  const double det = aa * bb - ab * ab;
  double s = 0, rho = 0;
  if (det > 1e-12 * aa * bb) {
    s = (bb * a1 - ab * b1) / det;
    rho = (aa * b1 - ab * a1) / det;
  }
  if (rho <= 0 || det <= 1e-12 * aa * bb) {
    rho = 0;
    s = a1 / aa;
  } else if (s < 0) {
    s = 0;
    rho = b1 / bb;
  }
  double cost = 0;
  for (std::size_t i = 0; i < row.power.size(); ++i) {
    const double model = s * row.pattern[i] / (row.distance[i] * row.distance[i]) + rho;
    const double error = to_db(row.power[i]) - to_db(model);
    cost += error * error;
  }
  return cost;
}

// Between amplitudes at 1 m and the pattern's: 1 - cosine.
double cosine_cost(const Row& row) {
  double product = 0, measured = 0, expected = 0;
  for (std::size_t i = 0; i < row.power.size(); ++i) {
    const double x = std::sqrt(row.power[i]) * row.distance[i], y = std::sqrt(row.pattern[i]);
    product += x * y;
    measured += x * x;
    expected += y * y;
  }
  return 1 - product / std::sqrt(measured * expected);
}

class FitMethod final : public Method {
 public:
  FitMethod(std::string_view name, BandPowers Observation::*powers, Cost cost, double scale, const Settings& settings)
      : name_(name), powers_(powers), cost_(cost), scale_(scale), settings_(settings) {}
  std::string_view name() const override { return name_; }

 protected:
  Decision decide_checked(std::span<const Observation> observations, std::span<const DevicePose> poses,
                          const Truth* truth) const override {
    const bool oracle = powers_ == nullptr;
    if (oracle && !truth) fail(ErrorKind::bad_input, "the oracle needs the truth, which only a simulated scene has");
    const Fix fix = triangulate(bearings_of(observations, poses, settings_.position), settings_.position);
    if (!fix.found && !oracle) {
      constexpr double kNatsPerDb = 0.3;
      Decision d = decide_by_score(observations, loudness_db(observations, &Observation::beam), kNatsPerDb);
      d.note = fix.why + ": decided by the loudest beam";
      return d;
    }
    const dsp::Vec3 mouth = fix.found ? fix.position : truth->position;

    std::vector<BandPowers> powers;
    for (std::size_t i = 0; i < observations.size(); ++i)
      powers.push_back(oracle ? true_powers(*truth, i, poses[i]) : observations[i].*powers_);
    std::vector<double> least(observations.size(), std::numeric_limits<double>::infinity());
    double best = std::numeric_limits<double>::infinity(), facing = 0;
    for (double degrees = -180; degrees < 180; degrees += settings_.fit.angle_step_deg) {
      const double cost = cost_of(degrees * kDegree, mouth, observations, poses, powers, oracle);
      const Faced faced = nearest_to(degrees * kDegree, mouth, poses);
      least[faced.index] = std::min(least[faced.index], cost);
      if (cost >= best) continue;
      best = cost;
      facing = degrees * kDegree;
    }
    std::vector<double> scores;
    for (const double cost : least) scores.push_back(std::max(-cost * scale_, -1e6));
    Decision out = decide_by_score(observations, scores, 1);
    out.facing = facing;
    out.position = mouth;
    out.position_spread = fix.spread;
    return out;
  }

 private:
  BandPowers true_powers(const Truth& truth, std::size_t i, const DevicePose& pose) const {
    if (!truth.direct.empty()) return truth.direct[i];
    const dsp::Vec3 way = pose.position - truth.position;
    const double r = std::max(norm(way), 0.1);
    const double angle =
        std::acos(std::clamp((way.x * std::cos(truth.facing) + way.y * std::sin(truth.facing)) / r, -1.0, 1.0));
    BandPowers out{};
    for (int b = 0; b < kBands; ++b) out[static_cast<std::size_t>(b)] = VoicePattern::shared().gain(b, angle) / (r * r);
    return out;
  }

  double cost_of(double facing, const dsp::Vec3& mouth, std::span<const Observation> observations,
                 std::span<const DevicePose> poses, std::span<const BandPowers> powers, bool everything) const {
    double cost = 0;
    for (std::size_t b = 0; b < kBands; ++b) {
      Row row;
      for (std::size_t i = 0; i < observations.size(); ++i) {
        if (!(powers[i][b] > 0) || !(everything || observations[i].hears(static_cast<int>(b)))) continue;
        const dsp::Vec3 way = poses[i].position - mouth;
        const double r = std::max(norm(way), 0.1);
        const double angle =
            std::acos(std::clamp((way.x * std::cos(facing) + way.y * std::sin(facing)) / r, -1.0, 1.0));
        row.power.push_back(powers[i][b]);
        row.distance.push_back(r);
        row.pattern.push_back(VoicePattern::shared().gain(static_cast<int>(b), angle));
      }
      if (row.power.size() >= 2) cost += settings_.fit.band_weights[b] * cost_(row);
    }
    return cost;
  }

  std::string name_;
  BandPowers Observation::*powers_;  // null: the true ones
  Cost cost_;
  double scale_;  // nats a unit of cost
  Settings settings_;
};

}  // namespace

std::unique_ptr<Method> make_fit_method(std::string_view name, const Settings& settings) {
  const double per_db = 0.5 / (settings.fit.residual_db * settings.fit.residual_db);
  constexpr double kPerCosine = 20;
  const auto make = [&](BandPowers Observation::*powers, Cost cost, double scale) {
    return std::make_unique<FitMethod>(name, powers, cost, scale, settings);
  };
  if (name == "pattern-cosine") return make(&Observation::raw, cosine_cost, kPerCosine);
  if (name == "direct-a") return make(&Observation::coherent, plain_cost, per_db);
  if (name == "direct-b") return make(&Observation::beam, reverberant_cost, per_db);
  if (name == "direct-c") return make(&Observation::onset, plain_cost, per_db);
  if (name == "oracle") return make(nullptr, plain_cost, per_db);
  return nullptr;
}

}  // namespace thimble::voice
