// Results as JSON, and the scenarios.
#include "gauge/bench/bench.h"

namespace thimble::gauge {
namespace {

constexpr double kBatteryJoules = 4000e-3 * 3600 * 3.85;  // 4000 mAh at 3.85 V

OrderedJson or_null(bool known, const OrderedJson& v) { return known ? v : OrderedJson(nullptr); }

}  // namespace

// The three of gaugeNN (Almeida et al., IMC 2021).
std::vector<Scenario> scenarios(double window) {
  return {{"hour of audio", fmt::format("one inference for each {} s", window), 3600 / window},
          {"hour of video call", "15 pictures a second", 15 * 3600.0},
          {"day of typing", "275 words, one inference a word", 275}};
}

OrderedJson scenarios_json(const BenchResult& r, double window) {
  OrderedJson out = OrderedJson::array();
  for (const Scenario& s : scenarios(window)) {
    OrderedJson row{{"name", s.name}, {"of", s.of}, {"inferences", s.inferences}};
    if (r.latency) row["busy_seconds"] = s.inferences * r.latency->median / 1e3;
    if (r.energy.known()) {
      row["joules"] = s.inferences * r.energy.joules;
      row["share_of_4000_mah"] = s.inferences * r.energy.joules / kBatteryJoules;
    } else {
      row["joules"] = nullptr;
    }
    out.push_back(row);
  }
  return out;
}

OrderedJson to_json(const BenchResult& r, double window) {
  OrderedJson out;
  out["model"] = r.model;
  out["model_sha256"] = r.model_sha256;
  out["device"] = r.device;
  out["backend"] = r.backend;
  out["backend_version"] = r.version;
  out["threads"] = r.threads;
  out["batch"] = r.batch;
  out["refused"] = or_null(!r.refused.empty(), r.refused);
  if (r.latency) {
    out["latency_ms"] = to_json(*r.latency);
    out["cpu_ms"] = {{"median", r.cpu_ms}, {"min", r.cpu_least_ms}};
  } else {
    const std::string& why = r.refused.empty() ? r.no_latency : r.refused;
    out["latency_ms"] = {{"reason", why.empty() ? "nothing was measured" : why}};
  }
  out["open_ms"] = or_null(r.open_ms > 0, r.open_ms);
  out["instructions"] = or_null(r.instructions.has_value(), r.instructions.value_or(0));
  out["peak_bytes"] = or_null(r.peak_bytes > 0, r.peak_bytes);
  out["planned_bytes"] = or_null(r.planned_bytes > 0, r.planned_bytes);
  out["energy"] = to_json(r.energy);
  out["flops"] = or_null(r.flops > 0, r.flops);
  if (r.difference) {
    out["compared_with"] = {{"backend", r.compared_with},
                            {"max_relative_error", r.difference->relative},
                            {"share_apart", r.difference->apart_share}};
  } else {
    out["compared_with"] = nullptr;
  }
  out["scenarios"] = or_null(r.latency.has_value() || r.energy.known(), scenarios_json(r, window));
  out["context"] = to_json(r.context);
  return out;
}

}  // namespace thimble::gauge
