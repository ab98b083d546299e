// Judging and summing up: see voice/study/report.h. Text and pictures are in voice/study/tables.cpp.
#include "voice/study/report.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <numbers>
#include <thread>

#include "base/error.h"
#include "voice/study/statistics.h"

namespace thimble::voice {
namespace {

constexpr double kDegrees = 180 / std::numbers::pi;
constexpr const char* kStudied = "facing";
constexpr const char* kOracle = "oracle";

// A place in a table: numbers sort the rows, the text names them.
struct Group {
  double order = 0;
  std::string name;
  bool operator<(const Group& o) const { return order != o.order ? order < o.order : name < o.name; }
};

Group between(double value, std::initializer_list<double> edges, std::string_view unit) {
  double low = -1e9;
  for (double high : edges) {
    if (value < high) {
      return {high,
              low < -1e8 ? fmt::format("under {:g} {}", high, unit) : fmt::format("{:g}-{:g} {}", low, high, unit)};
    }
    low = high;
  }
  return {1e9, fmt::format("{:g} {} up", low, unit)};
}

struct Grouping {
  const char* by;
  std::function<Group(const Trial&, int count)> of;
};

std::vector<Grouping> groupings() {
  return {
      {"all",
       [](const Trial&, int) {
         return Group{0, "all"};
       }},
      {"rt60",
       [](const Trial& t, int) {
         return Group{t.rt60, fmt::format("{:g} s", t.rt60)};
       }},
      {"snr",
       [](const Trial& t, int) {
         return between(t.snr_db, {10, 15, 20, 25}, "dB");
       }},
      {"gap",
       [](const Trial& t, int n) {
         return between(angular_gap(t, n) * kDegrees, {45, 60, 90}, "deg");
       }},
      {"distance",
       [](const Trial& t, int) {
         return between(dsp::norm(t.poses[0].position - t.truth.position), {1.5, 2.5, 3.5}, "m");
       }},
      {"room",
       [](const Trial& t, int) {
         return Group{0, t.room};
       }},
      {"talker",
       [](const Trial& t, int) {
         return Group{0, t.talker};
       }},
  };
}

OrderedJson interval_json(double value, const Interval& i) {
  OrderedJson j;
  j["share"] = value, j["low"] = i.low, j["high"] = i.high;
  return j;
}

// The rows of trials `members` at one count.
OrderedJson table_row(std::span<const Trial> trials, const Judged& judged, std::size_t count,
                      const std::vector<std::size_t>& members) {
  OrderedJson row;
  row["trials"] = members.size();
  for (std::size_t m = 0; m < judged.methods.size(); ++m) {
    std::size_t hits = 0;
    for (std::size_t t : members) hits += judged.at(t, count, m).right;
    row["accuracy"][judged.methods[m]] =
        interval_json(static_cast<double>(hits) / static_cast<double>(members.size()), wilson(hits, members.size()));
  }
  for (std::size_t m = 1; m < judged.methods.size(); ++m) {
    std::vector<Pair> pairs;
    for (std::size_t t : members) {
      pairs.push_back({judged.at(t, count, 0).right, judged.at(t, count, m).right, trials[t].cluster});
    }
    const PairedDifference d = compare(pairs);
    OrderedJson& j = row["facing_minus"][judged.methods[m]];
    j["difference"] = d.difference, j["low"] = d.interval.low, j["high"] = d.interval.high;
    j["wins"] = d.a_only, j["losses"] = d.b_only, j["p"] = d.p;
  }
  return row;
}

OrderedJson tables(std::span<const Trial> trials, const Judged& judged) {
  OrderedJson rows = OrderedJson::array();
  for (const Grouping& grouping : groupings()) {
    for (std::size_t c = 0; c < judged.counts.size(); ++c) {
      std::map<Group, std::vector<std::size_t>> groups;
      for (std::size_t t = 0; t < trials.size(); ++t) {
        if (!trials[t].nobody) groups[grouping.of(trials[t], judged.counts[c])].push_back(t);
      }
      for (const auto& [group, members] : groups) {
        OrderedJson row;
        row["by"] = grouping.by, row["devices"] = judged.counts[c], row["group"] = group.name;
        row.update(table_row(trials, judged, c, members));
        rows.push_back(std::move(row));
      }
    }
  }
  return rows;
}

// Medians and 90th percentiles of what the studied method says beyond the device.
OrderedJson errors(std::span<const Trial> trials, const Judged& judged) {
  OrderedJson rows = OrderedJson::array();
  for (std::size_t c = 0; c < judged.counts.size(); ++c) {
    std::vector<double> facing, position, bearings;
    for (std::size_t t = 0; t < trials.size(); ++t) {
      const Outcome& o = judged.at(t, c, 0);
      if (o.facing_error && !trials[t].nobody) facing.push_back(*o.facing_error * kDegrees);
      if (o.position_error) position.push_back(*o.position_error);
      for (std::size_t d = 0; d < static_cast<std::size_t>(judged.counts[c]); ++d) {
        const auto& observation = trials[t].observations[d];
        if (!observation) continue;
        const double true_bearing = bearing(trials[t].poses[d].position, trials[t].truth.position);
        const double heard = bearing_in_room(*observation, trials[t].poses[d]);
        bearings.push_back(std::abs(dsp::wrap_angle(heard - true_bearing)) * kDegrees);
      }
    }
    OrderedJson row;
    row["devices"] = judged.counts[c];
    const auto add = [&](const char* name, const std::vector<double>& values) {
      if (values.empty()) return;
      row[name]["median"] = quantile(values, 0.5);
      row[name]["p90"] = quantile(values, 0.9);
      row[name]["count"] = values.size();
    };
    add("facing_error_deg", facing);
    add("position_error_m", position);
    add("bearing_error_deg", bearings);
    rows.push_back(std::move(row));
  }
  return rows;
}

// How well the studied method's belief in "nobody" tells trials in which nobody is faced from the others.
OrderedJson nobody(std::span<const Trial> trials, const Judged& judged) {
  OrderedJson rows = OrderedJson::array();
  for (std::size_t c = 0; c < judged.counts.size(); ++c) {
    std::vector<double> none, faced;
    std::size_t said = 0, wrongly = 0;
    for (std::size_t t = 0; t < trials.size(); ++t) {
      const Outcome& o = judged.at(t, c, 0);
      (trials[t].nobody ? none : faced).push_back(o.nobody);
      (trials[t].nobody ? said : wrongly) += o.device == kNobody;
    }
    if (none.empty() || faced.empty()) continue;
    OrderedJson row;
    row["devices"] = judged.counts[c];
    row["trials"] = none.size();
    row["roc_area"] = roc_area(none, faced);
    row["said_nobody"] = static_cast<double>(said) / static_cast<double>(none.size());
    row["said_nobody_wrongly"] = static_cast<double>(wrongly) / static_cast<double>(faced.size());
    rows.push_back(std::move(row));
  }
  return rows;
}

// Per row of the tables by count and by RT60: the best baseline, and the share of the oracle's gain over loudest.
OrderedJson aims(const OrderedJson& tables) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& table : tables) {
    const std::string by = table["by"];
    if (by != "all" && by != "rt60") continue;
    std::string best;
    const auto& accuracy = table["accuracy"];
    for (const auto& [method, value] : accuracy.items()) {
      if (is_baseline(method) && (best.empty() || value["share"] > accuracy[best]["share"])) best = method;
    }
    if (best.empty()) continue;
    OrderedJson row;
    row["devices"] = table["devices"], row["group"] = table["group"], row["trials"] = table["trials"];
    row["facing"] = accuracy[kStudied]["share"];
    row["best_baseline"] = best;
    row["baseline"] = accuracy[best]["share"];
    row["difference"] = table["facing_minus"][best];
    row["verdict"] = row["difference"]["low"] > 0 ? "above" : row["difference"]["high"] < 0 ? "below" : "undecided";
    if (accuracy.contains(kOracle) && accuracy.contains("loudest")) {
      const double loudest = accuracy["loudest"]["share"], gain = accuracy[kOracle]["share"].get<double>() - loudest;
      if (gain > 0) row["share_of_oracle_gain"] = (row["facing"].get<double>() - loudest) / gain;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

std::vector<std::string> studied_methods() {
  std::vector<std::string> names = method_names();
  std::stable_partition(names.begin(), names.end(), [](const std::string& n) { return n == kStudied; });
  return names;
}

bool is_baseline(std::string_view method) {
  return method != kStudied && method != kOracle && !method.starts_with("direct-");
}

Judged judge_all(std::span<const Trial> trials, std::vector<int> counts, std::vector<std::string> methods,
                 const Settings& settings, int threads, const ProgressFn& progress, const CancelToken& cancel) {
  Judged judged{std::move(counts), std::move(methods), {}};
  std::vector<std::unique_ptr<Method>> made;
  for (const std::string& name : judged.methods) made.push_back(make_method(name, settings));
  const std::size_t each = judged.counts.size() * made.size();
  judged.outcomes.resize(trials.size() * each);

  std::atomic<std::size_t> next = 0, done = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    for (std::size_t t = 0; (t = next.fetch_add(1)) < trials.size() && !cancel.cancelled();) {
      try {
        for (std::size_t c = 0; c < judged.counts.size(); ++c) {
          for (std::size_t m = 0; m < made.size(); ++m) {
            judged.outcomes[t * each + c * made.size() + m] =
                judge(trials[t], decide_trial(trials[t], judged.counts[c], *made[m]));
          }
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        return;
      }
      const auto finished = static_cast<std::int64_t>(++done);
      if (progress) {
        const std::lock_guard lock(mutex);
        progress(finished, std::ssize(trials), "deciding");
      }
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work);
  work();
  for (std::thread& t : pool) t.join();
  if (error) std::rethrow_exception(error);
  cancel.throw_if_cancelled();
  return judged;
}

OrderedJson summarise(std::span<const Trial> trials, const Judged& judged) {
  OrderedJson summary;
  const auto none = std::count_if(trials.begin(), trials.end(), [](const Trial& t) { return t.nobody; });
  summary["trials"] = std::ssize(trials) - none;
  summary["nobody_trials"] = none;
  summary["methods"] = judged.methods;
  summary["tables"] = tables(trials, judged);
  summary["errors"] = errors(trials, judged);
  summary["nobody"] = nobody(trials, judged);
  summary["aims"] = aims(summary["tables"]);
  return summary;
}

std::string csv_of(std::span<const Trial> trials, const Judged& judged) {
  std::string text =
      "index,room,talker,rt60_s,snr_db,gap_deg,nobody,devices,method,decided,right,confidence,facing_error_deg,"
      "position_error_m\n";
  for (std::size_t t = 0; t < trials.size(); ++t) {
    for (std::size_t c = 0; c < judged.counts.size(); ++c) {
      for (std::size_t m = 0; m < judged.methods.size(); ++m) {
        const Trial& trial = trials[t];
        const Outcome& o = judged.at(t, c, m);
        text += fmt::format("{},{},{},{:g},{:.2f},{:.1f},{:d},{},{},{},{:d},{:.4f},{},{}\n", trial.index, trial.room,
                            trial.talker, trial.rt60, trial.snr_db, angular_gap(trial, judged.counts[c]) * kDegrees,
                            trial.nobody, judged.counts[c], judged.methods[m], o.device, o.right, o.confidence,
                            o.facing_error ? fmt::format("{:.2f}", *o.facing_error * kDegrees) : "",
                            o.position_error ? fmt::format("{:.3f}", *o.position_error) : "");
      }
    }
  }
  return text;
}

}  // namespace thimble::voice
