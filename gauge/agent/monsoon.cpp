// Recordings and raw samples of a Monsoon power monitor. The device itself is driven by its own tools.
#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/error.h"
#include "base/file.h"
#include "gauge/agent/energy.h"

namespace thimble::gauge {
namespace {

constexpr double kGap = 0.1;          // seconds without a sample in which nothing is counted
constexpr double kFineRange = 64000;  // raw counts from which the fine channel is saturated

std::vector<std::string_view> cells(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find(',', at), line.size());
    std::string_view cell = line.substr(at, end - at);
    while (!cell.empty() && std::isspace(static_cast<unsigned char>(cell.front()))) cell.remove_prefix(1);
    while (!cell.empty() && std::isspace(static_cast<unsigned char>(cell.back()))) cell.remove_suffix(1);
    out.push_back(cell);
    at = end + 1;
  }
  return out;
}

std::string lower(std::string_view s) {
  std::string out(s);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

MonsoonRecording MonsoonRecording::open(const std::string& path) { return parse(read_file(path), path); }

MonsoonRecording MonsoonRecording::parse(std::string_view text, const std::string& name) {
  MonsoonRecording r;
  int time = -1, current = -1, voltage = -1, line_number = 0;
  double time_unit = 1, current_unit = 1e-3;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const auto row = cells(text.substr(at, end - at));
    at = end + 1;
    ++line_number;
    if (line_number == 1) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string title = lower(row[i]);
        const auto has = [&](const char* part) { return title.find(part) != std::string::npos; };
        if (has("usb") || has("aux")) continue;
        if (time < 0 && has("time")) {
          time = static_cast<int>(i);
          time_unit = has("ms") ? 1e-3 : 1;
        } else if (current < 0 && (has("current") || has("(ma)"))) {
          current = static_cast<int>(i);
          current_unit = has("(a)") ? 1 : 1e-3;
        } else if (voltage < 0 && has("volt")) {
          voltage = static_cast<int>(i);
        }
      }
      if (time < 0 || current < 0 || voltage < 0) {
        fail(ErrorKind::bad_file, "{}: its first line names no time, current and voltage", name);
      }
      continue;
    }
    if (row.size() == 1 && row[0].empty()) continue;
    const auto value = [&](int i) {
      double v = 0;
      const std::string_view cell = static_cast<std::size_t>(i) < row.size() ? row[static_cast<std::size_t>(i)] : "";
      const auto [p, e] = std::from_chars(cell.data(), cell.data() + cell.size(), v);
      if (e != std::errc() || p != cell.data() + cell.size()) {
        fail(ErrorKind::bad_file, "{}: line {}: a number was wanted, '{}' came", name, line_number, cell);
      }
      return v;
    };
    const Sample s{value(time) * time_unit, value(current) * current_unit * value(voltage)};
    if (!r.samples_.empty() && s.seconds < r.samples_.back().seconds) {
      fail(ErrorKind::bad_file, "{}: line {}: time goes back", name, line_number);
    }
    r.samples_.push_back(s);
  }
  if (r.samples_.size() < 2) fail(ErrorKind::bad_file, "{}: fewer than two samples", name);
  return r;
}

double MonsoonRecording::joules(double from, double to) const {
  double sum = 0;
  for (std::size_t i = 1; i < samples_.size(); ++i) {
    const Sample &a = samples_[i - 1], &b = samples_[i];
    const double span = b.seconds - a.seconds, begin = std::max(from, a.seconds), end = std::min(to, b.seconds);
    if (span <= 0 || span > kGap || end <= begin) continue;
    const auto power = [&](double t) { return a.watts + (b.watts - a.watts) * (t - a.seconds) / span; };
    sum += (power(begin) + power(end)) / 2 * (end - begin);
  }
  return sum;
}

double monsoon_milliamperes(double raw, const MonsoonCalibration& c) {
  return c.reference == c.zero ? 0 : (raw - c.zero) * c.scale / (c.reference - c.zero);
}

double monsoon_milliamperes(double fine_raw, double coarse_raw, const MonsoonCalibration& fine,
                            const MonsoonCalibration& coarse) {
  return fine_raw < kFineRange ? monsoon_milliamperes(fine_raw, fine) : monsoon_milliamperes(coarse_raw, coarse);
}

}  // namespace thimble::gauge
