#include "voice/study/sweep.h"

#include <charconv>
#include <span>

#include "base/error.h"
#include "base/file.h"

namespace thimble::voice {
namespace {

// Of the settings that measuring reads; those of the decision may change under recorded trials.
std::string measuring_hash(const Settings& settings) {
  OrderedJson json = settings_to_json(settings);
  for (const char* group : {"position", "fit", "origin"}) json.erase(group);
  const std::string text = json.dump();
  return sha256(std::as_bytes(std::span(text)));
}

// What makes a trial; where any of it differs the records are of another sweep.
OrderedJson header_of(const SweepOptions& o) {
  const SamplerOptions& s = o.sampler;
  OrderedJson j;
  j["format"] = "thimble voice trials 1";
  j["measured_with"] = measuring_hash(o.settings);
  j["seed"] = s.seed;
  j["split"] = to_string(o.split);
  j["rooms"] = s.tuning ? "tuning" : "sweep";
  j["devices"] = s.devices;
  j["rt60"] = s.rt60;
  j["snr_db"] = OrderedJson::array({s.snr_low, s.snr_high});
  j["gain_db"] = s.gain_db;
  j["mismatch"] = s.mismatch;
  j["facing_sigma_deg"] = s.facing_sigma_deg;
  j["nobody"] = s.nobody;
  j["array"] = s.array;
  j["positions"] = s.positions;
  return j;
}

}  // namespace

std::uint64_t seed_of(std::string_view settings_hash) {
  std::uint64_t seed = 0;
  const std::string_view digits = settings_hash.substr(0, 8);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed, 16);
  if (error != std::errc{} || end != digits.data() + digits.size() || digits.size() != 8) {
    fail(ErrorKind::bad_input, "'{}' is no hash", settings_hash);
  }
  return seed;
}

SweepState run_sweep(const SweepOptions& options, const ProgressFn& progress, const CancelToken& cancel) {
  const Corpus corpus = open_corpus(options.corpus);
  const auto talkers = corpus.of(options.split);
  if (talkers.empty()) {
    fail(ErrorKind::bad_input, "{} has no talkers of the split '{}'", options.corpus.string(),
         to_string(options.split));
  }
  const Sampler sampler(options.sampler, talkers.size());
  const OrderedJson header = header_of(options);
  make_records(
      options.folder, header, sampler.size(),
      [&](std::size_t i) { return trial_to_json(run_trial(sampler, corpus, talkers, options.settings, i)); },
      options.record, progress, cancel);
  return {read_records(options.folder, header).size(), sampler.size()};
}

std::vector<Trial> read_trials(const SweepOptions& options) {
  std::vector<Trial> trials;
  for (const auto& [index, record] : read_records(options.folder, header_of(options))) {
    trials.push_back(trial_from_json(record, fmt::format("{} piece {}", options.folder.string(), index)));
  }
  if (trials.empty()) fail(ErrorKind::bad_input, "{} holds no finished configuration", options.folder.string());
  return trials;
}

OrderedJson report_sweep(const SweepOptions& options, const ProgressFn& progress, const CancelToken& cancel) {
  const std::vector<Trial> trials = read_trials(options);
  const Judged judged = judge_all(trials, options.sampler.devices, studied_methods(), options.settings,
                                  options.record.threads, progress, cancel);
  OrderedJson summary;
  summary["settings"] = options.settings_hash;
  summary["origin"] = options.settings.origin;
  summary["seed"] = options.sampler.seed;
  summary["sweep"] = header_of(options);
  summary.update(summarise(trials, judged));
  const std::string heading =
      fmt::format("settings {} ({})\nscenes of seed {}, talkers of the split '{}'\n", options.settings_hash,
                  options.settings.origin, options.sampler.seed, to_string(options.split));
  write_file(options.folder / "summary.json", summary.dump(1) + "\n");
  write_file(options.folder / "tables.txt", heading + text_tables(summary));
  write_file(options.folder / "trials.csv", csv_of(trials, judged));
  write_plots(options.folder, summary);
  return summary;
}

}  // namespace thimble::voice
