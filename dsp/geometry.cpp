#include "dsp/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numbers>
#include <utility>

#include "base/error.h"

namespace thimble::dsp {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr int kMaxMics = 64, kMaxGrid = 100'000;
constexpr double kMaxReach = 100, kLeastSpacing = 1e-4;

constexpr std::string_view kKnown =
    "ring6, ring4, ring8, square4, line2, line4, ring:COUNT:RADIUS, square:SIDE, line:COUNT:STEP or "
    "xyz:X,Y,Z;X,Y,Z;... in millimetres";

double number(std::string_view word, std::string_view name) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) {
    fail(ErrorKind::bad_input, "array `{}`: `{}` is no number; known are {}", name, word, kKnown);
  }
  return value;
}

std::vector<std::string_view> split(std::string_view text, char mark) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t at = text.find(mark);
    words.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return words;
    text.remove_prefix(at + 1);
  }
}

int whole(std::string_view word, std::string_view name) {
  const double value = number(word, name);
  if (value < 2 || value > kMaxMics || value != std::floor(value))
    fail(ErrorKind::bad_input, "array `{}`: `{}` microphones, a whole number of 2 to {} was wanted", name, word,
         kMaxMics);
  return static_cast<int>(value);
}

// All arrays pass here, so that later code need not ask.
MicArray checked(std::string name, std::vector<Vec3> mics) {
  if (mics.size() < 2 || mics.size() > kMaxMics)
    fail(ErrorKind::bad_input, "array {}: {} microphones, 2 to {} were wanted", name, mics.size(), kMaxMics);
  for (std::size_t i = 0; i < mics.size(); ++i) {
    if (!(norm(mics[i]) <= kMaxReach))
      fail(ErrorKind::bad_input, "array {}: microphone {} lies {} m from the origin, the limit is {} m", name, i + 1,
           norm(mics[i]), kMaxReach);
    for (std::size_t j = 0; j < i; ++j) {
      if (norm(mics[i] - mics[j]) < kLeastSpacing)
        fail(ErrorKind::bad_input, "array {}: microphones {} and {} are in one place", name, j + 1, i + 1);
    }
  }
  return {std::move(name), std::move(mics)};
}

}  // namespace

Vec3 unit_vector(const Direction& d) {
  const double flat = std::cos(d.elevation);
  return {flat * std::cos(d.azimuth), flat * std::sin(d.azimuth), std::sin(d.elevation)};
}

Direction direction_of(const Vec3& v) { return {std::atan2(v.y, v.x), std::atan2(v.z, std::hypot(v.x, v.y))}; }

double angle_between(const Direction& a, const Direction& b) {
  const Vec3 u = unit_vector(a), v = unit_vector(b);
  const Vec3 cross{u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x};
  return std::atan2(norm(cross), dot(u, v));  // unlike acos, exact for small angles
}

double wrap_angle(double radians) {
  const double turned = std::fmod(radians + kPi, 2 * kPi);
  return turned < 0 ? turned + kPi : turned - kPi;
}

double MicArray::aperture() const {
  double most = 0;
  for (const Vec3& a : mics)
    for (const Vec3& b : mics) most = std::max(most, norm(a - b));
  return most;
}

MicArray ring_array(int count, double radius, double first_azimuth) {
  std::vector<Vec3> mics;
  for (int i = 0; i < std::min(count, kMaxMics + 1); ++i)
    mics.push_back(unit_vector({first_azimuth + 2 * kPi * i / count, 0}) * radius);
  return checked(fmt::format("ring of {}", count), std::move(mics));
}

MicArray square_array(double side) {
  MicArray array = ring_array(4, side / std::numbers::sqrt2, kPi / 4);
  array.name = "square";
  return array;
}

MicArray line_array(int count, double spacing) {
  std::vector<Vec3> mics;
  for (int i = 0; i < std::min(count, kMaxMics + 1); ++i) mics.push_back({0, ((count - 1) / 2.0 - i) * spacing, 0});
  return checked(fmt::format("line of {}", count), std::move(mics));
}

MicArray xyz_array(std::vector<Vec3> places) { return checked("xyz", std::move(places)); }

MicArray rotated(const MicArray& array, double azimuth) {
  const double c = std::cos(azimuth), s = std::sin(azimuth);
  MicArray turned = array;
  for (Vec3& m : turned.mics) m = {c * m.x - s * m.y, s * m.x + c * m.y, m.z};
  return turned;
}

MicArray array_by_name(std::string_view name) {
  const auto named = [&](MicArray array) {
    array.name = std::string(name);
    return array;
  };
  if (name == "ring6") return named(ring_array(6, 0.0463));
  if (name == "ring4") return named(ring_array(4, 0.0323));
  if (name == "ring8") return named(ring_array(8, 0.05));
  if (name == "square4") return named(square_array(0.065));
  if (name == "line2") return named(line_array(2, 0.06));
  if (name == "line4") return named(line_array(4, 0.035));
  constexpr double kMillimetre = 1e-3;
  const auto words = split(name, ':');
  if (words[0] == "ring" && words.size() == 3)
    return named(ring_array(whole(words[1], name), kMillimetre * number(words[2], name)));
  if (words[0] == "square" && words.size() == 2) return named(square_array(kMillimetre * number(words[1], name)));
  if (words[0] == "line" && words.size() == 3)
    return named(line_array(whole(words[1], name), kMillimetre * number(words[2], name)));
  if (words[0] == "xyz" && words.size() == 2) {
    std::vector<Vec3> places;
    for (const std::string_view place : split(words[1], ';')) {
      const auto parts = split(place, ',');
      if (parts.size() != 3)
        fail(ErrorKind::bad_input, "array `{}`: `{}` is no place X,Y,Z; known are {}", name, place, kKnown);
      places.push_back(Vec3{number(parts[0], name), number(parts[1], name), number(parts[2], name)} * kMillimetre);
    }
    return named(xyz_array(std::move(places)));
  }
  fail(ErrorKind::bad_input, "no microphone array `{}`; known are {}", name, kKnown);
}

double arrival_delay(const Vec3& mic, const Direction& d, double speed) { return -dot(mic, unit_vector(d)) / speed; }

void steering_vector(const MicArray& array, const Direction& d, double frequency, std::span<Complex> out,
                     double speed) {
  check(out.size() == array.size(), "a steering vector holds one number a microphone");
  for (std::size_t m = 0; m < array.size(); ++m)
    out[m] = std::polar(1.0, -2 * kPi * frequency * arrival_delay(array.mics[m], d, speed));
}

void steering_vector_near(const MicArray& array, const Vec3& source, double frequency, std::span<Complex> out,
                          double speed) {
  check(out.size() == array.size(), "a steering vector holds one number a microphone");
  constexpr double kNearest = 1e-3;
  const double r = norm(source);
  for (std::size_t m = 0; m < array.size(); ++m) {
    const double r_m = norm(array.mics[m] - source);
    if (!(r >= kNearest && r_m >= kNearest))
      fail(ErrorKind::bad_input, "a source within 1 mm of microphone {} or of the array's origin", m + 1);
    out[m] = std::polar(r / r_m, -2 * kPi * frequency * (r_m - r) / speed);
  }
}

DirectionGrid DirectionGrid::circle(int count, double elevation) {
  if (count < 3 || count > kMaxGrid)
    fail(ErrorKind::bad_input, "a circle of {} directions, 3 to {} were wanted", count, kMaxGrid);
  DirectionGrid grid;
  const auto n = static_cast<std::size_t>(count);
  for (std::size_t i = 0; i < n; ++i) {
    grid.directions_.push_back({wrap_angle(2 * kPi * static_cast<double>(i) / count), elevation});
    grid.neighbours_.push_back({(i + n - 1) % n, (i + 1) % n});
  }
  grid.step_ = 2 * kPi / count;
  grid.circle_ = true;
  return grid;
}

DirectionGrid DirectionGrid::scattered(std::vector<Direction> directions, double step) {
  DirectionGrid grid;
  grid.directions_ = std::move(directions);
  grid.step_ = step;
  // The ring of next neighbours on a Fibonacci sphere ends near 1.5 mean distances.
  const double reach = std::cos(1.5 * step);
  std::vector<Vec3> units;
  for (const Direction& d : grid.directions_) units.push_back(unit_vector(d));
  grid.neighbours_.resize(units.size());
  for (std::size_t i = 0; i < units.size(); ++i)
    for (std::size_t j = 0; j < units.size(); ++j)
      if (i != j && dot(units[i], units[j]) > reach) grid.neighbours_[i].push_back(j);
  return grid;
}

DirectionGrid DirectionGrid::sphere(int count) {
  constexpr int kMost = 20'000;  // neighbours are found pair by pair
  if (count < 12 || count > kMost)
    fail(ErrorKind::bad_input, "a sphere of {} directions, 12 to {} were wanted", count, kMost);
  std::vector<Direction> directions;
  const double golden_angle = kPi * (3 - std::sqrt(5.0));
  for (int i = 0; i < count; ++i)
    directions.push_back({wrap_angle(golden_angle * i), std::asin(1 - (2 * i + 1.0) / count)});
  return scattered(std::move(directions), std::sqrt(4 * kPi / count));
}

DirectionGrid DirectionGrid::upper_half(int count) {
  std::vector<Direction> upper = sphere(2 * count).directions_;
  std::erase_if(upper, [](const Direction& d) { return d.elevation < 0; });
  return scattered(std::move(upper), std::sqrt(2 * kPi / count));
}

std::vector<DirectionPeak> find_peaks(const DirectionGrid& grid, std::span<const double> values, std::size_t count) {
  check(values.size() == grid.size(), "one value a direction");
  std::vector<std::size_t> tops;
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Of equal neighbours the first is the peak.
    const bool top = std::all_of(grid.neighbours(i).begin(), grid.neighbours(i).end(), [&](std::size_t j) {
      return values[j] < values[i] || (values[j] == values[i] && i < j);
    });
    if (top) tops.push_back(i);
  }
  std::stable_sort(tops.begin(), tops.end(), [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  if (tops.size() > count) tops.resize(count);
  std::vector<DirectionPeak> peaks;
  for (const std::size_t i : tops) {
    DirectionPeak peak{i, grid[i], values[i]};
    if (grid.is_circle()) {
      const double before = values[grid.neighbours(i)[0]], after = values[grid.neighbours(i)[1]];
      const double bend = before - 2 * values[i] + after;
      if (bend < 0) {
        const double shift = 0.5 * (before - after) / bend;  // in -0.5..0.5
        peak.direction.azimuth = wrap_angle(peak.direction.azimuth + shift * grid.step());
        peak.value = values[i] - 0.25 * (before - after) * shift;
      }
    }
    peaks.push_back(peak);
  }
  return peaks;
}

double peak_ratio(std::span<const DirectionPeak> peaks) {
  constexpr double kNoRival = 100;
  if (peaks.size() < 2 || !(peaks[1].value > 0)) return kNoRival;
  return std::min(kNoRival, peaks[0].value / peaks[1].value);
}

}  // namespace thimble::dsp
