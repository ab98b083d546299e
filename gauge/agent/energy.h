// Where joules come from: counters of the processor, batteries, and recordings of a power monitor. Each source says why
// it cannot be used instead of giving zeros. All read files below a root, so that tests can give them any.
//
//   RAPL      /sys/class/powercap/intel-rapl:*/energy_uj: package domains (AMD's too), microjoules that wrap
//   battery   /sys/class/power_supply/*/ of type Battery: power_now, or current_now x voltage_now, or energy_now
//   Monsoon   a recording of the power monitor's main channel, time, current and voltage, as CSV
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace thimble::gauge {

// Joules used since it was made; monotonic. poll() must come often: counters wrap (RAPL's within minutes at full
// power) and powers are integrated between polls by the trapezoid rule.
class EnergySource {
 public:
  virtual ~EnergySource() = default;
  virtual std::string name() const = 0;   // "rapl package-0", "battery BAT0 power_now"
  virtual void poll(double seconds) = 0;  // a clock that only grows
  double joules() const { return joules_; }

 protected:
  double joules_ = 0;
};

struct EnergyChoice {
  std::unique_ptr<EnergySource> source;  // null: none, because
  std::string reason;
};

EnergyChoice open_rapl(const std::string& root = "/");
EnergyChoice open_battery(const std::string& root = "/");
// The first that can be used; else a reason for each.
EnergyChoice open_energy(const std::string& root = "/");

// Units and signs of batteries differ between drivers: amperes may come in milli instead of micro, and discharge may be
// positive. Watts that the battery gives, from the raw numbers.
double battery_watts(double current, double voltage);

// A CSV file with a header that names time (s), current (mA) and voltage (V), in any order and under the usual
// titles ("Time(ms)", "Main Avg Current (mA)", "Main Avg Voltage (V)"). bad_file with the line otherwise.
class MonsoonRecording {
 public:
  static MonsoonRecording open(const std::string& path);
  static MonsoonRecording parse(std::string_view text, const std::string& name);
  double joules(double from, double to) const;  // seconds on the recording's clock; gaps over 0.1 s count nothing
  double begin() const { return samples_.front().seconds; }
  double end() const { return samples_.back().seconds; }

 private:
  struct Sample {
    double seconds, watts;
  };
  std::vector<Sample> samples_;
};

// Samples of the monitor itself (HVPM): raw counts to milliamperes by the zero and reference measurements around them.
struct MonsoonCalibration {
  double zero = 0, reference = 0;  // mean raw counts
  double scale = 0;                // milliamperes at the reference
};
double monsoon_milliamperes(double raw, const MonsoonCalibration& c);
// Fine and coarse channel of one sample: fine while it is below its range.
double monsoon_milliamperes(double fine_raw, double coarse_raw, const MonsoonCalibration& fine,
                            const MonsoonCalibration& coarse);

// Polls a source every 100 ms on a thread of its own.
class EnergyMeter {
 public:
  explicit EnergyMeter(EnergySource& source);
  ~EnergyMeter();
  double joules();  // since it was made, polled now

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One inference: (all - idle power x time) / runs. With no source only the reason is set.
struct EnergyPerRun {
  std::string source, reason;
  double joules = 0;     // an inference, idle power taken off
  double with_idle = 0;  // an inference, all that was used
  double idle_watts = 0;
  bool known() const { return !source.empty(); }
};
EnergyPerRun energy_per_run(const std::string& source, double window_joules, double window_seconds, double idle_joules,
                            double idle_seconds, std::size_t runs);
OrderedJson to_json(const EnergyPerRun& e);

}  // namespace thimble::gauge
