// The summary of voice/study/report.h as text and as pictures.
#include <algorithm>
#include <map>

#include "plot/chart.h"
#include "voice/study/report.h"

namespace thimble::voice {
namespace {

constexpr int kFirst = 14, kColumn = 11;
constexpr const char* kHeads[][2] = {{"loudest-beam", "loud-beam"},
                                     {"band-ratio", "ratio"},
                                     {"raw-distance", "raw*r^2"},
                                     {"gcc-peak", "gcc"},
                                     {"pattern-cosine", "cosine"}};

std::string head(const std::string& method) {
  for (const auto& [name, shorter] : kHeads) {
    if (method == name) return shorter;
  }
  return method;
}

std::string percent(const OrderedJson& share) { return fmt::format("{:.1f}", share.get<double>() * 100); }

// Rows of one grouping, a block for each count of devices.
void accuracy_table(std::string& out, const OrderedJson& summary, const std::string& by) {
  out += fmt::format("\naccuracy in % by {}\n{:<8}{:<{}}{:>7}", by == "all" ? "count of devices" : by, "devices", "",
                     kFirst, "trials");
  for (const auto& method : summary["methods"]) out += fmt::format("{:>{}}", head(method), kColumn);
  out += "\n";
  for (const auto& row : summary["tables"]) {
    if (row["by"] != by) continue;
    out += fmt::format("{:<8}{:<{}}{:>7}", row["devices"].get<int>(), row["group"].get<std::string>(), kFirst,
                       row["trials"].get<int>());
    for (const auto& method : summary["methods"]) {
      out += fmt::format("{:>{}}", percent(row["accuracy"][method.get<std::string>()]["share"]), kColumn);
    }
    out += "\n";
  }
}

void difference_table(std::string& out, const OrderedJson& summary) {
  out += fmt::format(
      "\nfacing minus another method, points of %, with the 95 % interval of the paired bootstrap over clusters of one "
      "room and talker, trials won and lost, McNemar's p\n");
  for (const auto& row : summary["tables"]) {
    if (row["by"] != "all") continue;
    for (const auto& [method, d] : row["facing_minus"].items()) {
      out += fmt::format("{:<8}{:<16}{:>+7.1f}  [{:+.1f}, {:+.1f}]  won {}, lost {}, p {:.2g}\n",
                         row["devices"].get<int>(), method, d["difference"].get<double>() * 100,
                         d["low"].get<double>() * 100, d["high"].get<double>() * 100, d["wins"].get<int>(),
                         d["losses"].get<int>(), d["p"].get<double>());
    }
  }
}

void aims_table(std::string& out, const OrderedJson& summary) {
  out += "\nagainst the best baseline of each row\n";
  for (const auto& row : summary["aims"]) {
    out +=
        fmt::format("{} devices, {:<8} facing {:>5} %, {} {:>5} %, difference {:+.1f} [{:+.1f}, {:+.1f}]: {}",
                    row["devices"].get<int>(), row["group"].get<std::string>(), percent(row["facing"]),
                    row["best_baseline"].get<std::string>(), percent(row["baseline"]),
                    row["difference"]["difference"].get<double>() * 100, row["difference"]["low"].get<double>() * 100,
                    row["difference"]["high"].get<double>() * 100, row["verdict"].get<std::string>());
    if (row.contains("share_of_oracle_gain")) {
      out +=
          fmt::format("; {:.0f} % of the oracle's gain over loudest", row["share_of_oracle_gain"].get<double>() * 100);
    }
    out += "\n";
  }
}

void other_tables(std::string& out, const OrderedJson& summary) {
  out += "\nerrors of facing: median (90th percentile)\n";
  for (const auto& row : summary["errors"]) {
    out += fmt::format("{} devices:", row["devices"].get<int>());
    for (const auto& [key, unit] :
         std::initializer_list<std::pair<const char*, const char*>>{{"facing_error_deg", "deg facing"},
                                                                    {"position_error_m", "m position"},
                                                                    {"bearing_error_deg", "deg bearing"}}) {
      if (!row.contains(key)) continue;
      out += fmt::format("  {:.3g} ({:.3g}) {}", row[key]["median"].get<double>(), row[key]["p90"].get<double>(), unit);
    }
    out += "\n";
  }
  if (summary["nobody"].empty()) return;
  out += "\nnobody faced\n";
  for (const auto& row : summary["nobody"]) {
    out += fmt::format(
        "{} devices: area under the ROC curve {:.3f}; says nobody in {:.1f} % of {} such trials and in "
        "{:.1f} % of the others\n",
        row["devices"].get<int>(), row["roc_area"].get<double>(), row["said_nobody"].get<double>() * 100,
        row["trials"].get<int>(), row["said_nobody_wrongly"].get<double>() * 100);
  }
}

bool is_drawn(const std::string& method) { return is_baseline(method) || method == "facing" || method == "oracle"; }

// One line a method over the groups of `by`, at the largest count.
void write_lines(const std::filesystem::path& folder, const OrderedJson& summary, const std::string& by,
                 const std::string& label, double (*place)(const std::string&)) {
  int most = 0;
  for (const auto& row : summary["tables"]) most = std::max(most, row["devices"].get<int>());
  plot::LineChart chart{
      .title = fmt::format("accuracy with {} devices", most), .x_label = label, .y_label = "share right"};
  chart.markers = true;
  for (const auto& method : summary["methods"]) {
    const std::string name = method;
    if (!is_drawn(name)) continue;
    plot::Series series{name, {}, {}};
    for (const auto& row : summary["tables"]) {
      if (row["by"] != by || row["devices"] != most) continue;
      series.x.push_back(place(row["group"]));
      series.y.push_back(row["accuracy"][name]["share"]);
    }
    chart.series.push_back(std::move(series));
  }
  chart.write_png(folder / fmt::format("accuracy-{}.png", by));
  chart.write_svg(folder / fmt::format("accuracy-{}.svg", by));
}

double first_number(const std::string& text) { return std::stod(text); }

// "under 10 dB", "10-15 dB", "25 dB up": the middle of a step of 5 dB.
double middle_of_snr(const std::string& text) {
  if (text.starts_with("under")) return std::stod(text.substr(6)) - 2.5;
  return std::stod(text) + 2.5;
}

}  // namespace

std::string text_tables(const OrderedJson& summary) {
  std::string out = fmt::format("{} trials in which a device is faced, {} in which none is\n",
                                summary["trials"].get<int>(), summary["nobody_trials"].get<int>());
  if (summary["trials"] > 0) {
    for (const char* by : {"all", "rt60", "snr", "gap", "distance", "room", "talker"}) accuracy_table(out, summary, by);
    difference_table(out, summary);
    aims_table(out, summary);
  }
  other_tables(out, summary);
  return out;
}

void write_plots(const std::filesystem::path& folder, const OrderedJson& summary) {
  plot::BarChart bars{.title = "which device is faced: accuracy", .y_label = "share right"};
  for (const auto& row : summary["tables"]) {
    if (row["by"] == "all") bars.labels.push_back(fmt::format("{} devices", row["devices"].get<int>()));
  }
  for (const auto& method : summary["methods"]) {
    const std::string name = method;
    if (!is_drawn(name)) continue;
    bars.series.push_back(name);
    bars.values.emplace_back();
    for (const auto& row : summary["tables"]) {
      if (row["by"] == "all") bars.values.back().push_back(row["accuracy"][name]["share"]);
    }
  }
  if (bars.labels.empty()) return;
  bars.write_png(folder / "accuracy-devices.png");
  bars.write_svg(folder / "accuracy-devices.svg");
  write_lines(folder, summary, "rt60", "RT60, s", first_number);
  write_lines(folder, summary, "snr", "signal-to-noise ratio, dB", middle_of_snr);
}

}  // namespace thimble::voice
