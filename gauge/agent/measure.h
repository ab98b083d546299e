// Timed runs: warm-up, repetition until enough is known, and what the machine was doing meanwhile.
// Not here: what is run, and energy (energy.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "base/json.h"

namespace thimble::gauge {

// Of times in milliseconds. Quantiles are interpolated between neighbours.
struct Distribution {
  std::size_t count = 0;
  double median = 0, p90 = 0, p99 = 0, iqr = 0, min = 0, max = 0, mean = 0;
  double cv = 0;  // standard deviation over mean
};
Distribution distribution(std::vector<double> times);
OrderedJson to_json(const Distribution& d);

struct Repetition {
  int warmup = 3;
  int runs = 50;        // wanted
  double seconds = 10;  // stop earlier than `runs` when they took this long; five are made all the same
  double pause_ms = 0;  // between runs
  bool enough(std::size_t made, double spent_seconds) const {
    return made >= static_cast<std::size_t>(runs) || (spent_seconds >= seconds && made >= 5);
  }
};

// Times of single runs, in the order in which they were made.
struct Timing {
  std::vector<double> ms;      // wall
  std::vector<double> cpu_ms;  // of all threads of the process
  double seconds = 0;          // all runs together, pauses included
};
void repeat(Timing& timing, const Repetition& how, const std::function<void()>& run, const CancelToken* cancel);
// `count` runs more, after one that is not measured and brings the caches back.
void burst(Timing& timing, int count, double pause_ms, const std::function<void()>& run);

// What else bears on a time. Absent facts are empty or negative.
struct RunContext {
  std::string processor, governor, kernel;
  int processors = 0;
  double megahertz = -1, celsius = -1, load = -1;
  std::int64_t preempted = 0;  // involuntary context switches while measuring
  std::string affinity;        // list of processors that the process may use
};
RunContext run_context(const std::string& root = "/");  // a root other than / is for tests
OrderedJson to_json(const RunContext& c);
std::int64_t involuntary_switches();

// "0,2-3": the process and the threads it starts later run on these only. bad_input for other texts and for
// processors that the machine lacks.
void set_affinity(const std::string& list);

}  // namespace thimble::gauge
