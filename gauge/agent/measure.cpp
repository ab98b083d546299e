#include "gauge/agent/measure.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#include "base/cpu.h"
#include "base/error.h"
#include "base/threads.h"

namespace thimble::gauge {
namespace {

using Clock = std::chrono::steady_clock;

double process_cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

void one(Timing& timing, double pause_ms, const std::function<void()>& run) {
  const double cpu = process_cpu_ms();
  const auto start = Clock::now();
  run();
  const double took = since(start);
  timing.ms.push_back(took * 1e3);
  timing.cpu_ms.push_back(process_cpu_ms() - cpu);
  if (pause_ms > 0) std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(pause_ms));
}

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

double number(const std::string& path) {
  std::ifstream in(path);
  double v = -1;
  return in >> v ? v : -1;
}

// "0,2-3" as a set; empty when it is no such list.
std::vector<int> processors(const std::string& list) {
  std::vector<int> out;
  std::size_t at = 0;
  const auto integer = [&](int& v) {
    const std::size_t start = at;
    v = 0;
    while (at < list.size() && list[at] >= '0' && list[at] <= '9' && v < CPU_SETSIZE) v = v * 10 + (list[at++] - '0');
    return at > start && v < CPU_SETSIZE;
  };
  while (at < list.size()) {
    int first = 0, last = 0;
    if (!integer(first)) return {};
    last = first;
    if (at < list.size() && list[at] == '-') {
      ++at;
      if (!integer(last) || last < first) return {};
    }
    for (int p = first; p <= last; ++p) out.push_back(p);
    if (at < list.size() && (list[at] != ',' || ++at == list.size())) return {};
  }
  return out;
}

std::string affinity_list() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {};
  std::string out;
  for (int p = 0; p < CPU_SETSIZE; ++p) {
    if (CPU_ISSET(static_cast<std::size_t>(p), &set)) out += fmt::format("{}{}", out.empty() ? "" : ",", p);
  }
  return out;
}

}  // namespace

Distribution distribution(std::vector<double> times) {
  Distribution d;
  d.count = times.size();
  if (times.empty()) return d;
  std::ranges::sort(times);
  d.min = times.front();
  d.max = times.back();
  d.median = quantile(times, 0.5);
  d.p90 = quantile(times, 0.9);
  d.p99 = quantile(times, 0.99);
  d.iqr = quantile(times, 0.75) - quantile(times, 0.25);
  for (const double t : times) d.mean += t / static_cast<double>(d.count);
  double squares = 0;
  for (const double t : times) squares += (t - d.mean) * (t - d.mean);
  if (d.mean > 0) d.cv = std::sqrt(squares / static_cast<double>(d.count)) / d.mean;
  return d;
}

OrderedJson to_json(const Distribution& d) {
  return {{"median", d.median}, {"p90", d.p90},   {"p99", d.p99}, {"iqr", d.iqr},   {"min", d.min},
          {"max", d.max},       {"mean", d.mean}, {"cv", d.cv},   {"runs", d.count}};
}

void repeat(Timing& timing, const Repetition& how, const std::function<void()>& run, const CancelToken* cancel) {
  for (int i = 0; i < how.warmup; ++i) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    run();
  }
  const auto start = Clock::now();
  while (!how.enough(timing.ms.size(), since(start))) {
    if (cancel != nullptr) cancel->throw_if_cancelled();
    one(timing, how.pause_ms, run);
  }
  timing.seconds += since(start);
}

void burst(Timing& timing, int count, double pause_ms, const std::function<void()>& run) {
  run();
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) one(timing, pause_ms, run);
  timing.seconds += since(start);
}

std::int64_t involuntary_switches() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

RunContext run_context(const std::string& root) {
  RunContext c;
  c.processor = cpu().model;
  c.processors = usable_processors();
  utsname name{};
  if (uname(&name) == 0) c.kernel = fmt::format("{} {} {}", name.sysname, name.release, name.machine);
  c.governor = first_line(root + "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  const double khz = number(root + "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq");
  if (khz > 0) c.megahertz = khz / 1e3;
  const double millidegrees = number(root + "sys/class/thermal/thermal_zone0/temp");
  if (millidegrees > 0) c.celsius = millidegrees / 1e3;
  c.load = number(root + "proc/loadavg");
  c.affinity = affinity_list();
  return c;
}

OrderedJson to_json(const RunContext& c) {
  OrderedJson out{{"processor", c.processor},
                  {"processors", c.processors},
                  {"affinity", c.affinity},
                  {"kernel", c.kernel},
                  {"preempted", c.preempted}};
  const auto put = [&](const char* key, double v) {
    if (v >= 0) {
      out[key] = v;
    } else {
      out[key] = nullptr;
    }
  };
  if (c.governor.empty()) {
    out["governor"] = nullptr;
  } else {
    out["governor"] = c.governor;
  }
  put("megahertz", c.megahertz);
  put("celsius", c.celsius);
  put("load", c.load);
  return out;
}

void set_affinity(const std::string& list) {
  const std::vector<int> wanted = processors(list);
  if (wanted.empty()) fail(ErrorKind::bad_input, "affinity is a list of processors such as 0,2-3; '{}' came", list);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int p : wanted) CPU_SET(static_cast<std::size_t>(p), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    fail(ErrorKind::bad_input, "affinity {}: this machine has only processors {}", list, affinity_list());
  }
}

}  // namespace thimble::gauge
