// Thimble's decider: belief over who is faced, by Bayes' rule. A talker who means device d faces it to within some
// degrees; how likely the powers are for that is asked of the model (voice/facing_model.h), averaged over the places
// that the bearings allow and over that spread; then loudness adds what it adds.
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <numeric>

#include "voice/decide.h"
#include "voice/facing_model.h"

namespace thimble::voice {
namespace {

constexpr double kDegree = std::numbers::pi / 180;

struct Place {
  dsp::Vec3 at;
  double cost;  // of the bearings, from the best place on
};

// The fix and a grid about it, along the axes of its error; places that the bearings refuse are left out.
std::vector<Place> likely_places(const Fix& fix, std::span<const Bearing> bearings, const PositionSettings& settings,
                                 double spread) {
  std::vector<Place> places = {{fix.position, 0}};
  if (spread <= 0) return places;
  const auto [xx, xy, yy] = fix.covariance;
  const double turn = 0.5 * std::atan2(2 * xy, xx - yy), root = std::hypot((xx - yy) / 2, xy);
  constexpr double kWidest = 0.6;  // metres
  const auto reach = [&](double variance) {
    return std::min(kWidest, std::hypot(std::sqrt(std::max(0.0, variance)), spread));
  };
  const double major = reach((xx + yy) / 2 + root), minor = reach((xx + yy) / 2 - root);
  for (int i = -2; i <= 2; ++i) {
    for (int j = -1; j <= 1; ++j) {
      if (i == 0 && j == 0) continue;
      const double u = 0.8 * i * major, v = 1.2 * j * minor;
      Place place{
          fix.position + dsp::Vec3{u * std::cos(turn) - v * std::sin(turn), u * std::sin(turn) + v * std::cos(turn), 0},
          0};
      const double z = u * u / (major * major) + v * v / (minor * minor);
      place.cost = std::max(std::max(0.0, bearing_cost(bearings, place.at, settings) - fix.cost) * 0.5, 0.25 * z);
      if (place.cost < 6) places.push_back(place);
    }
  }
  return places;
}

// Sums of exp(-cost) without under- or overflow.
class LogSum {
 public:
  void add(double cost) {
    if (cost < least_) {
      sum_ = sum_ * std::exp(cost - least_) + 1;
      least_ = cost;
    } else {
      sum_ += std::exp(least_ - cost);
    }
  }
  double cost() const { return sum_ > 0 ? least_ - std::log(sum_) : std::numeric_limits<double>::infinity(); }

 private:
  double least_ = std::numeric_limits<double>::infinity(), sum_ = 0;
};

struct Turn {
  double cost, facing;
};
// Mean of exp(i facing) under the belief exp(-cost), whose sum over all is exp(-whole).
std::complex<double> mean_direction(const std::vector<Turn>& turns, double whole) {
  std::complex<double> mean = 0;
  for (const Turn& t : turns) mean += std::polar(std::exp(whole - t.cost), t.facing);
  return mean;
}

class FacingMethod final : public Method {
 public:
  explicit FacingMethod(const Settings& settings) : settings_(settings) {}
  std::string_view name() const override { return "facing"; }

 protected:
  Decision decide_checked(std::span<const Observation> observations, std::span<const DevicePose> poses,
                          const Truth*) const override {
    const std::size_t devices = observations.size();
    const FitSettings& fit = settings_.fit;
    const double nats = fit.loudness[std::min<std::size_t>(devices < 2 ? 0 : devices - 2, fit.loudness.size() - 1)];
    const std::vector<double> loud = loudness_db(observations, &Observation::beam);
    const std::vector<Bearing> bearings = bearings_of(observations, poses, settings_.position);
    const Fix fix = triangulate(bearings, settings_.position);
    if (!fix.found) {
      constexpr double kLoudAlone = 0.3;  // nats a dB when there is nothing else to go by
      Decision d = decide_by_score(observations, loud, std::max(nats, kLoudAlone));
      d.note = fix.why + ": decided by the loudest beam";
      return d;
    }

    const FacingModel model(observations, poses, settings_);
    const std::vector<Place> places = likely_places(fix, bearings, settings_.position, fit.position_spread);
    const double sigma = fit.facing_sigma_deg * kDegree;
    const double mean_loud = std::accumulate(loud.begin(), loud.end(), 0.0) / static_cast<double>(devices);
    std::vector<LogSum> meant(devices);
    LogSum none;
    dsp::Vec3 mean_place;
    double place_weight = 0;
    std::vector<std::vector<Turn>> turns(devices);
    const int around = std::max(8, static_cast<int>(std::lround(360 / (4 * fit.angle_step_deg))));
    for (const Place& place : places) {
      std::vector<double> ways(devices);
      for (std::size_t d = 0; d < devices; ++d) {
        ways[d] = std::atan2(poses[d].position.y - place.at.y, poses[d].position.x - place.at.x);
        // The devices' own hypotheses: angles over two sigma to both sides.
        const int steps = std::max(1, static_cast<int>(std::lround(fit.facing_sigma_deg / fit.angle_step_deg)));
        double total = 0;
        for (int i = -steps; i <= steps; ++i) total += std::exp(-2.0 * i * i / (steps * steps));
        for (int i = -steps; i <= steps; ++i) {
          const double off = 2 * sigma * i / steps;
          const double cost =
              model.cost(place.at, ways[d] + off) + place.cost + 0.5 * off * off / (sigma * sigma) + std::log(total);
          meant[d].add(cost);
          turns[d].push_back({cost, ways[d] + off});
        }
      }
      mean_place = mean_place + place.at * std::exp(-place.cost);
      place_weight += std::exp(-place.cost);
    }

    // Facing no device: every other angle, from the likeliest place in the name of all.
    for (int i = 0; i < around; ++i) {
      const double facing = 2 * std::numbers::pi * i / around;
      if (nearest_to(facing, fix.position, poses).off < 2.5 * sigma) continue;
      none.add(model.cost(fix.position, facing) + std::log(around / place_weight));
    }

    // Beliefs from costs, loudness as further evidence.
    std::vector<double> costs(devices + 1);
    for (std::size_t d = 0; d < devices; ++d)
      costs[d] = meant[d].cost() - nats * (loud[d] - mean_loud) -
                 std::log((1 - fit.nobody_prior) / static_cast<double>(devices));
    costs[devices] =
        fit.nobody_prior > 0 ? none.cost() - std::log(fit.nobody_prior) : std::numeric_limits<double>::infinity();
    const double best_cost = *std::min_element(costs.begin(), costs.end());
    double total = 0;
    for (double& c : costs) total += c = std::exp(best_cost - c);

    Decision out;
    for (std::size_t d = 0; d < devices; ++d) out.scores.push_back({observations[d].device, costs[d] / total});
    out.nobody = costs[devices] / total;
    const auto best = static_cast<std::size_t>(std::max_element(costs.begin(), costs.end() - 1) - costs.begin());
    const bool nobody = costs[devices] > costs[best] || costs[best] / total < fit.min_confidence;
    out.device = nobody ? kNobody : observations[best].device;
    out.confidence = nobody ? 1 - costs[best] / total : costs[best] / total;
    out.position = mean_place * (1 / place_weight);
    out.position_spread = fix.spread;
    const std::complex<double> mean_turn = mean_direction(turns[best], meant[best].cost());
    out.facing = std::arg(mean_turn);
    out.facing_spread = std::sqrt(std::max(0.0, -2 * std::log(std::max(std::abs(mean_turn), 1e-9))));
    if (nobody) {  // any direction may be meant: the best of all
      double lowest = std::numeric_limits<double>::infinity();
      for (double a = -180; a < 180; a += fit.angle_step_deg) {
        const double cost = model.cost(fix.position, a * kDegree);
        if (cost >= lowest) continue;
        lowest = cost;
        out.facing = a * kDegree;
      }
      out.facing_spread = 2 * sigma;
    }
    out.gain_residual_db = model.residuals_db(*out.position, *out.facing);
    return out;
  }

 private:
  Settings settings_;
};

}  // namespace

std::unique_ptr<Method> make_facing_method(const Settings& settings) {
  return std::make_unique<FacingMethod>(settings);
}

}  // namespace thimble::voice
