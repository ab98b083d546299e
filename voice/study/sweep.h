// The sweep from end to end: sample, render, measure, record, judge, sum up. Resumable; shared by MPI ranks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "voice/study/corpus.h"
#include "voice/study/records.h"
#include "voice/study/report.h"
#include "voice/study/sampler.h"

namespace thimble::voice {

struct SweepOptions {
  std::filesystem::path folder, corpus;
  Split split = Split::test;
  SamplerOptions sampler;
  Settings settings;
  std::string settings_hash;  // what the output names
  RecordOptions record;
};

// The seed that a sweep has unless another is given: made of the settings' hash, so that settings cannot have been
// tuned on the scenes that judge them.
std::uint64_t seed_of(std::string_view settings_hash);

struct SweepState {
  std::size_t recorded = 0, wanted = 0;
  bool complete() const { return recorded == wanted; }
};

// Makes what is missing of this rank's share. The state counts all ranks' records.
SweepState run_sweep(const SweepOptions& options, const ProgressFn& progress, const CancelToken& cancel);

// The recorded trials in order.
std::vector<Trial> read_trials(const SweepOptions& options);

// Judges the recorded trials and writes summary.json, tables.txt, trials.csv and the plots into the folder.
OrderedJson report_sweep(const SweepOptions& options, const ProgressFn& progress, const CancelToken& cancel);

}  // namespace thimble::voice
