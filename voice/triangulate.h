// A talker's place on the floor from the bearings of several devices: robust weighted least squares of the angles
// (Gauss-Newton from every crossing of two bearings; weights of a normal error mixed with outliers, for bearings that
// point at an echo).
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "dsp/geometry.h"
#include "voice/settings.h"

namespace thimble::voice {

struct Bearing {
  dsp::Vec3 from;       // the device
  double azimuth = 0;   // in the room, radians
  double sigma = 0.07;  // radians
};

struct Fix {
  bool found = false;
  std::string why;                     // when not found: what is degenerate
  dsp::Vec3 position;                  // z: the settings' mouth height
  std::array<double, 3> covariance{};  // xx, xy, yy, m^2
  double spread = 0;                   // sqrt of the larger eigenvalue, metres
  std::vector<double> residuals;       // radians, measured minus towards `position`
  double cost = 0;                     // negative log likelihood over all bearings
};

// Never throws for finite bearings: one bearing, devices in one point, parallel bearings and crossings behind the
// devices are `found == false`.
Fix triangulate(std::span<const Bearing> bearings, const PositionSettings& settings);

// -log likelihood of the bearings for a talker at `at`.
double bearing_cost(std::span<const Bearing> bearings, const dsp::Vec3& at, const PositionSettings& settings);

// One sigma of a bearing's error by its confidence, radians.
double bearing_sigma(double confidence, const PositionSettings& settings);

}  // namespace thimble::voice
