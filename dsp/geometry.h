// Microphone arrays, directions and what a plane wave looks like across an array. Metres, seconds, radians.
// x points ahead, y to the left, z up; azimuth turns from x to y, elevation up from the x-y plane.
#pragma once

#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dsp/fft.h"

namespace thimble::dsp {

constexpr double kSpeedOfSound = 343.0;  // m/s, dry air at 20 degrees Celsius

struct Vec3 {
  double x = 0, y = 0, z = 0;

  Vec3 operator+(const Vec3& o) const { return {x + o.x, y + o.y, z + o.z}; }
  Vec3 operator-(const Vec3& o) const { return {x - o.x, y - o.y, z - o.z}; }
  Vec3 operator*(double k) const { return {x * k, y * k, z * k}; }
  bool operator==(const Vec3&) const = default;
};
inline double dot(const Vec3& a, const Vec3& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline double norm(const Vec3& a) { return std::sqrt(dot(a, a)); }

struct Direction {
  double azimuth = 0, elevation = 0;
};
Vec3 unit_vector(const Direction& d);
Direction direction_of(const Vec3& v);                         // of the zero vector: straight ahead
double angle_between(const Direction& a, const Direction& b);  // 0..pi
double wrap_angle(double radians);                             // into [-pi, pi)

// Microphone places relative to the array's own origin.
struct MicArray {
  std::string name;
  std::vector<Vec3> mics;

  std::size_t size() const { return mics.size(); }
  double aperture() const;  // the largest distance between two microphones
};

MicArray ring_array(int count, double radius, double first_azimuth = 0);  // in the x-y plane, counter-clockwise
MicArray square_array(double side);              // four corners, the first at azimuth 45 degrees, counter-clockwise
MicArray line_array(int count, double spacing);  // along y, centred, the first at the left end (+y)
MicArray xyz_array(std::vector<Vec3> places);    // 2..64 finite places, no two nearer than 0.1 mm, none past 100 m
MicArray rotated(const MicArray& array, double azimuth);

// By name:
//   ring6    6 microphones, radius 46.3 mm, first ahead (the class of six-microphone boards)
//   ring4    4 microphones, radius 32.3 mm, first ahead
//   ring8    8 microphones, radius 50 mm, first ahead
//   square4  4 microphones, side 65 mm
//   line2    2 microphones, 60 mm apart
//   line4    4 microphones, 35 mm apart
// or by measure in millimetres: ring:6:46.3  square:65  line:4:35  xyz:0,0,0;50,0,0;0,50,0
// bad_input lists what is known.
MicArray array_by_name(std::string_view name);

// How much later than at the origin a plane wave from `d` reaches `mic`: -(mic . u) / c, in seconds.
double arrival_delay(const Vec3& mic, const Direction& d, double speed = kSpeedOfSound);

// Steering vector of a plane wave: a_m = exp(-2 pi i f arrival_delay_m), |a_m| = 1. `out` holds one number a
// microphone.
void steering_vector(const MicArray& array, const Direction& d, double frequency, std::span<Complex> out,
                     double speed = kSpeedOfSound);
// Of a point source, relative to the wave at the origin: exp(-2 pi i f (r_m - r) / c) r / r_m.
// bad_input when the source is within 1 mm of the origin or of a microphone.
void steering_vector_near(const MicArray& array, const Vec3& source, double frequency, std::span<Complex> out,
                          double speed = kSpeedOfSound);

// Candidate directions, and which are neighbours.
class DirectionGrid {
 public:
  static DirectionGrid circle(int count, double elevation = 0);  // azimuths 2 pi i / count, count >= 3
  static DirectionGrid sphere(int count);                        // Fibonacci points, count >= 12
  static DirectionGrid upper_half(int count);                    // those with elevation >= 0

  std::size_t size() const { return directions_.size(); }
  const std::vector<Direction>& directions() const { return directions_; }
  const Direction& operator[](std::size_t i) const { return directions_[i]; }
  bool is_circle() const { return circle_; }
  double step() const { return step_; }  // mean distance of neighbours in radians
  std::span<const std::size_t> neighbours(std::size_t i) const { return neighbours_[i]; }

 private:
  static DirectionGrid scattered(std::vector<Direction> directions, double step);

  std::vector<Direction> directions_;
  std::vector<std::vector<std::size_t>> neighbours_;
  double step_ = 0;
  bool circle_ = false;
};

struct DirectionPeak {
  std::size_t index = 0;  // on the grid
  Direction direction;    // on a circle refined by a parabola through the neighbours, on a sphere the grid's own
  double value = 0;
};

// The `count` highest local maxima, highest first; fewer when the map has fewer, never none.
std::vector<DirectionPeak> find_peaks(const DirectionGrid& grid, std::span<const double> values, std::size_t count);

// First peak over second, at most 100: how sure a direction is. 100 without a positive second one.
double peak_ratio(std::span<const DirectionPeak> peaks);

}  // namespace thimble::dsp
