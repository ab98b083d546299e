#include "voice/triangulate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace thimble::voice {
namespace {

using dsp::Vec3;
constexpr double kDegree = std::numbers::pi / 180;

double azimuth_to(const Vec3& from, const Vec3& to) { return std::atan2(to.y - from.y, to.x - from.x); }

// The likelihood ratio of "points at the talker" and the sum of both, for an error e.
struct Mixture {
  double likelihood, inlier;
};
Mixture mixture(double e, double sigma, double outlier) {
  const double z = e / sigma;
  const double good = (1 - outlier) * std::exp(-0.5 * z * z) / (sigma * std::sqrt(2 * std::numbers::pi));
  const double bad = outlier / (2 * std::numbers::pi);
  return {good + bad, good / (good + bad)};
}

// Where two bearings cross in front of both devices and steeply enough.
bool crossing(const Bearing& a, const Bearing& b, const PositionSettings& s, Vec3& out) {
  const double ax = std::cos(a.azimuth), ay = std::sin(a.azimuth), bx = std::cos(b.azimuth), by = std::sin(b.azimuth);
  const double cross = ax * by - ay * bx;
  if (std::abs(cross) < std::sin(s.min_angle_deg * kDegree)) return false;
  const double dx = b.from.x - a.from.x, dy = b.from.y - a.from.y;
  const double along_a = (dx * by - dy * bx) / cross, along_b = (dx * ay - dy * ax) / cross;
  constexpr double kNear = 0.05;  // metres in front of a device
  if (along_a < kNear || along_b < kNear || std::min(along_a, along_b) > s.max_distance) return false;
  out = {a.from.x + along_a * ax, a.from.y + along_a * ay, s.mouth_height};
  return true;
}

struct Normal {  // J^T W J and J^T W e of the angles over x and y
  double xx = 0, xy = 0, yy = 0, x = 0, y = 0;
};
Normal normal_equations(std::span<const Bearing> bearings, const Vec3& at, const PositionSettings& s) {
  Normal n;
  for (const Bearing& b : bearings) {
    const double dx = at.x - b.from.x, dy = at.y - b.from.y;
    const double square = std::max(dx * dx + dy * dy, 1e-4);
    const double e = dsp::wrap_angle(b.azimuth - std::atan2(dy, dx));
    const double weight = mixture(e, b.sigma, s.outlier).inlier / (b.sigma * b.sigma);
    const double jx = -dy / square, jy = dx / square;
    n.xx += weight * jx * jx;
    n.xy += weight * jx * jy;
    n.yy += weight * jy * jy;
    n.x += weight * jx * e;
    n.y += weight * jy * e;
  }
  return n;
}

}  // namespace

double bearing_sigma(double confidence, const PositionSettings& settings) {
  return settings.bearing_sigma_deg * kDegree / std::clamp(confidence, 0.15, 1.0);
}

double bearing_cost(std::span<const Bearing> bearings, const Vec3& at, const PositionSettings& settings) {
  double cost = 0;
  for (const Bearing& b : bearings)
    cost -=
        std::log(mixture(dsp::wrap_angle(b.azimuth - azimuth_to(b.from, at)), b.sigma, settings.outlier).likelihood);
  return cost;
}

Fix triangulate(std::span<const Bearing> bearings, const PositionSettings& settings) {
  Fix fix;
  if (bearings.size() < 2) {
    fix.why = "one bearing alone gives no position";
    return fix;
  }
  fix.cost = std::numeric_limits<double>::infinity();
  bool apart = false;
  for (std::size_t i = 0; i < bearings.size(); ++i) {
    for (std::size_t j = i + 1; j < bearings.size(); ++j) {
      apart =
          apart || std::hypot(bearings[i].from.x - bearings[j].from.x, bearings[i].from.y - bearings[j].from.y) > 0.05;
      Vec3 at;
      if (!crossing(bearings[i], bearings[j], settings, at)) continue;
      const double cost = bearing_cost(bearings, at, settings);
      if (cost >= fix.cost) continue;
      fix.found = true;
      fix.position = at;
      fix.cost = cost;
    }
  }
  if (!apart) {
    fix.found = false;
    fix.why = "all devices stand in one point of the floor";
    return fix;
  }
  if (!fix.found) {
    fix.why = "the bearings are nearly parallel or cross behind the devices";
    return fix;
  }

  constexpr int kSteps = 25;
  for (int step = 0; step < kSteps; ++step) {
    const Normal n = normal_equations(bearings, fix.position, settings);
    const double det = n.xx * n.yy - n.xy * n.xy;
    if (det <= 1e-12 * (n.xx + n.yy) * (n.xx + n.yy)) break;
    Vec3 move{(n.yy * n.x - n.xy * n.y) / det, (n.xx * n.y - n.xy * n.x) / det, 0};
    double cost = fix.cost;
    for (int half = 0; half < 8; ++half, move = move * 0.5) {
      cost = bearing_cost(bearings, fix.position + move, settings);
      if (cost <= fix.cost) break;
    }
    if (cost > fix.cost) break;
    fix.position = fix.position + move;
    fix.cost = cost;
    if (norm(move) < 1e-9) break;
  }

  const Normal n = normal_equations(bearings, fix.position, settings);
  const double det = n.xx * n.yy - n.xy * n.xy, mean = (n.xx + n.yy) / 2;
  const double root = std::sqrt(std::max(0.0, mean * mean - det)), least = mean - root;
  if (least <= 0 || 1 / std::sqrt(least) > settings.max_distance) {
    fix.found = false;
    fix.why = "the bearings leave the distance open";
    return fix;
  }
  fix.covariance = {n.yy / det, -n.xy / det, n.xx / det};
  fix.spread = 1 / std::sqrt(least);
  for (const Bearing& b : bearings)
    fix.residuals.push_back(dsp::wrap_angle(b.azimuth - azimuth_to(b.from, fix.position)));
  return fix;
}

}  // namespace thimble::voice
