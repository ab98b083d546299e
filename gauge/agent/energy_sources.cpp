// RAPL and batteries, read from sysfs.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "gauge/agent/energy.h"

namespace thimble::gauge {
namespace {

namespace fs = std::filesystem;

std::optional<double> number(const fs::path& path) {
  std::ifstream in(path);
  double v = 0;
  return in >> v ? std::optional(v) : std::nullopt;
}

std::string word(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// Names in a folder, sorted; none when it cannot be read.
std::vector<fs::path> children(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code e;
  for (fs::directory_iterator it(folder, e), end; !e && it != end; it.increment(e)) out.push_back(it->path());
  std::ranges::sort(out);
  return out;
}

class Rapl : public EnergySource {
 public:
  struct Domain {
    fs::path counter;
    double range;  // microjoules at which it starts anew
    double last;
  };
  Rapl(std::string name, std::vector<Domain> domains) : name_(std::move(name)), domains_(std::move(domains)) {}
  std::string name() const override { return name_; }
  void poll(double) override {
    for (Domain& d : domains_) {
      const auto v = number(d.counter);
      if (!v) continue;
      joules_ += (*v >= d.last ? *v - d.last : *v - d.last + d.range) * 1e-6;
      d.last = *v;
    }
  }

 private:
  std::string name_;
  std::vector<Domain> domains_;
};

class Battery : public EnergySource {
 public:
  explicit Battery(fs::path folder) : folder_(std::move(folder)) {}
  std::string name() const override {
    return "battery " + folder_.filename().string() + (number(folder_ / "power_now") ? " power_now" : " current_now");
  }
  std::optional<double> watts() const {
    if (const auto p = number(folder_ / "power_now")) return std::fabs(*p) * 1e-6;
    const auto i = number(folder_ / "current_now"), v = number(folder_ / "voltage_now");
    if (!i || !v) return std::nullopt;
    return battery_watts(*i, *v);
  }
  void poll(double seconds) override {
    const auto w = watts();
    if (w && last_ && seconds > since_) joules_ += (*w + *last_) / 2 * (seconds - since_);
    last_ = w;
    since_ = seconds;
  }

 private:
  fs::path folder_;
  std::optional<double> last_;
  double since_ = 0;
};

}  // namespace

double battery_watts(double current, double voltage) {
  // The kernel asks for microamperes and microvolts. A device that runs a network draws more than 20 mA, so numbers
  // under 20000 are milliamperes; no battery has under 1000 microvolts or over 1000 V, so its unit shows too.
  const double amperes = std::fabs(current) * (std::fabs(current) < 20000 ? 1e-3 : 1e-6);
  const double volts = std::fabs(voltage) * (std::fabs(voltage) < 100000 ? 1e-3 : 1e-6);
  return amperes * volts;
}

EnergyChoice open_rapl(const std::string& root) {
  const fs::path folder = fs::path(root) / "sys/class/powercap";
  if (!fs::exists(folder)) return {nullptr, "RAPL: no powercap folder in sysfs"};
  std::vector<Rapl::Domain> domains;
  std::string names, refused;
  for (const fs::path& p : children(folder)) {
    const std::string name = p.filename().string();
    // intel-rapl:0 is a package, intel-rapl:0:0 a part of one.
    if (!name.starts_with("intel-rapl:") || std::ranges::count(name, ':') != 1) continue;
    const auto v = number(p / "energy_uj"), range = number(p / "max_energy_range_uj");
    if (!v || !range || *range <= 0) {
      refused = fs::exists(p / "energy_uj") ? "energy_uj cannot be read; since Linux 5.10 only root may"
                                            : "energy_uj is missing";
      continue;
    }
    domains.push_back({p / "energy_uj", *range, *v});
    names += " " + word(p / "name");
  }
  if (domains.empty()) {
    return {nullptr, "RAPL: " + (refused.empty() ? "no package in the powercap folder" : refused)};
  }
  return {std::make_unique<Rapl>("rapl" + names, std::move(domains)), {}};
}

EnergyChoice open_battery(const std::string& root) {
  std::string reason = "battery: none in sysfs";
  for (const fs::path& p : children(fs::path(root) / "sys/class/power_supply")) {
    if (word(p / "type") != "Battery") continue;
    const std::string name = p.filename().string(), status = word(p / "status");
    if (status != "Discharging") {
      reason =
          fmt::format("battery {}: it is '{}', so what flows is not what the device uses; unplug it", name, status);
      continue;
    }
    auto battery = std::make_unique<Battery>(p);
    if (!battery->watts()) {
      reason = fmt::format("battery {}: neither power_now nor current_now and voltage_now", name);
      continue;
    }
    return {std::move(battery), {}};
  }
  return {nullptr, reason};
}

}  // namespace thimble::gauge
