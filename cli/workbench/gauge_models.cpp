// thimble gauge analyze, thimble gauge check. Reads options, calls the library, prints tables or JSON.
#include "cli/workbench/gauge_models.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <sstream>

#include "base/cancel.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "gauge/analysis/analysis.h"
#include "gauge/analysis/collect.h"
#include "gauge/analysis/json.h"
#include "gauge/check/check.h"
#include "graph/reference.h"
#include "runtime/device.h"

namespace thimble::cli {
namespace {

// NAME:1x3x640x640
void read_shapes(const std::vector<std::string>& texts, gauge::ImportOptions& options) {
  for (const std::string& text : texts) {
    const auto colon = text.rfind(':');
    graph::Shape shape;
    std::istringstream sizes(colon == std::string::npos ? "" : text.substr(colon + 1));
    for (std::string part; std::getline(sizes, part, 'x');) {
      std::int64_t size = 0;
      if (!CLI::detail::lexical_cast(part, size) || size < 1) shape.clear();
      shape.push_back(size);
    }
    if (shape.empty() || std::ranges::min(shape) < 1) {
      fail(ErrorKind::bad_input, "--shape takes NAME:1x3x640x640, '{}' came", text);
    }
    options.shapes[text.substr(0, colon)] = shape;
  }
}

// NAME=16000
void read_values(const std::vector<std::string>& texts, gauge::ImportOptions& options) {
  for (const std::string& text : texts) {
    const auto equals = text.rfind('=');
    double value = 0;
    if (equals == std::string::npos || !CLI::detail::lexical_cast(text.substr(equals + 1), value)) {
      fail(ErrorKind::bad_input, "--value takes NAME=NUMBER, '{}' came", text);
    }
    options.values[text.substr(0, equals)] = value;
  }
}

struct Common {
  std::vector<std::string> paths, shapes, values;
  bool json = false;

  void add_to(CLI::App& app, const char* what) {
    app.add_option("paths", paths, what)->required();
    app.add_option("--shape", shapes, "an input's sizes where the file leaves them open: NAME:1x3x640x640");
    app.add_option("--value", values, "an input that is always one number: NAME=16000");
    app.add_flag("--json", json, "print as JSON");
  }
  gauge::ImportOptions options() const {
    gauge::ImportOptions out;
    read_shapes(shapes, out);
    read_values(values, out);
    return out;
  }
};

struct AnalyzeCommand {
  Common common;
  bool layers = false;
};

using gauge::Collection;

Collection analyze_all(const std::vector<std::string>& paths, const gauge::ImportOptions& options) {
  Collection out;
  ProgressBar bar("analyze");
  for (std::size_t i = 0; i < paths.size(); ++i) {
    interrupt_token().throw_if_cancelled();
    bar.update(static_cast<std::int64_t>(i), static_cast<std::int64_t>(paths.size()), paths[i]);
    gauge::collect_models(out, paths[i], options, interrupt_token());
  }
  return out;
}

std::string short_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

std::string joined(const std::map<std::string, int>& counts, std::size_t most) {
  std::vector<std::pair<int, std::string>> sorted;
  for (const auto& [kind, n] : counts) sorted.emplace_back(-n, kind);
  std::ranges::sort(sorted);
  std::string out;
  for (std::size_t i = 0; i < sorted.size() && i < most; ++i) {
    out += fmt::format("{}{} {}", i ? ", " : "", -sorted[i].first, sorted[i].second);
  }
  return sorted.size() > most ? out + fmt::format(" and {} kinds more", sorted.size() - most) : out;
}

void print_guess(const char* what, const gauge::Guess& g) {
  if (g.what == "unknown") {
    fmt::print("  {:<13}unknown\n", what);
  } else {
    fmt::print("  {:<13}{} ({:.0f} %): {}\n", what, g.what, 100 * g.confidence, fmt::join(g.evidence, "; "));
  }
}

void print_model(const gauge::Analysis& a, bool layers) {
  fmt::print("\n{}\n", a.path);
  fmt::print("  {:<13}{}, version {}, {}{}{}\n", "format", a.format, a.version,
             human_bytes(static_cast<double>(a.bytes)), a.producer.empty() ? "" : ", made by ", a.producer);
  for (const gauge::Port& p : a.inputs)
    fmt::print("  {:<13}{} {}{}\n", "input", p.name, p.type, graph::to_string(p.shape));
  for (const gauge::Port& p : a.outputs)
    fmt::print("  {:<13}{} {}{}\n", "output", p.name, p.type, graph::to_string(p.shape));
  fmt::print("  {:<13}{}\n", "operators", joined(a.operators, 12));
  if (!a.unknown.empty()) fmt::print("  {:<13}{}\n", "not known", joined(a.unknown, 12));
  fmt::print(
      "  {:<13}{} MACs, {} FLOPs{}\n", "cost", static_cast<std::int64_t>(a.total.macs), human_count(a.total.flops()),
      a.subgraphs.macs > 0 ? fmt::format("; in branches {} MACs more", static_cast<std::int64_t>(a.subgraphs.macs))
                           : "");
  if (a.uncounted > 0) fmt::print("  {:<13}{} layers have no count\n", "", a.uncounted);
  fmt::print("  {:<13}{}", "parameters", a.parameters);
  for (const auto& [type, s] : a.weights) fmt::print(", {} {}", s.elements, type);
  fmt::print("\n  {:<13}{}\n", "quantisation", a.quantisation);
  if (a.weight_elements > 0) {
    fmt::print("  {:<13}{:.2f} % of weights under 1e-9", "sparsity",
               100.0 * static_cast<double>(a.near_zero) / static_cast<double>(a.weight_elements));
    if (a.sparse_tensors > 0) {
      fmt::print("; {} tensors in a sparse format, density {:.4f}", a.sparse_tensors,
                 static_cast<double>(a.sparse_stored) / static_cast<double>(a.sparse_elements));
    }
    fmt::print("\n");
  }
  if (a.clustered_tensors > 0) {
    fmt::print("  {:<13}{} of {} large tensors hold at most 256 values\n", "clustering", a.clustered_tensors,
               a.clustered_candidates);
  }
  print_guess("modality", a.modality);
  print_guess("task", a.task);
  fmt::print("  {:<13}{}\n", "network", a.canonical.substr(0, 16));
  fmt::print("  {:<13}{}\n", "import", a.imported ? "whole" : a.import_note);
  for (const std::string& n : a.notes) fmt::print("  {:<13}{}\n", "note", n);
  if (!layers) return;
  fmt::print("\n  {:>5} {:<28}{:>16}{:>12}  {:<22}{}\n", "layer", "operator", "MACs", "parameters", "output", "name");
  for (const gauge::LayerReport& l : a.layers) {
    fmt::print("  {:>5} {:<28}{:>16}{:>12}  {:<22}{}\n",
               l.graph == 0 ? fmt::format("{}", l.op) : fmt::format("{}.{}", l.graph, l.op), l.type,
               l.counted ? fmt::format("{}", static_cast<std::int64_t>(l.operations.macs)) : "?", l.parameters,
               l.outputs.empty() ? "?" : graph::to_string(l.outputs[0]), l.name);
  }
}

void print_table(const Collection& all) {
  fmt::print("{:<40}{:<12}{:>10}{:>12}{:>16}  {:<16}{:<18}{}\n", "model", "format", "size", "parameters", "MACs",
             "quantisation", "task", "import");
  for (const gauge::Analysis& a : all.models) {
    fmt::print("{:<40}{:<12}{:>10}{:>12}{:>16}  {:<16}{:<18}{}\n", short_name(a.path), a.format,
               human_bytes(static_cast<double>(a.bytes)), a.parameters, static_cast<std::int64_t>(a.total.macs),
               a.quantisation, a.task.what, a.imported ? "whole" : a.import_note);
  }
}

void print_sharing(const Collection& all, const std::vector<gauge::Sharing>& pairs) {
  bool first = true;
  for (const gauge::Sharing& s : pairs) {
    if (s.verdict() == "shares constants") continue;
    if (first) fmt::print("\n{:<36}{:<36}{:>16}{:>10}{:>8}  {}\n", "model", "and", "tensors", "bytes", "share", "are");
    first = false;
    fmt::print("{:<36}{:<36}{:>16}{:>10}{:>7.1f}%  {}{}\n", short_name(all.models[s.a].path),
               short_name(all.models[s.b].path), fmt::format("{} of {}/{}", s.tensors, s.of_a, s.of_b),
               human_bytes(static_cast<double>(s.bytes)), 100 * s.share(), s.verdict(),
               s.verdict() == "fine-tuned" ? fmt::format(", {} layers differ", s.layers_apart) : "");
  }
}

void run_analyze(const AnalyzeCommand& command) {
  const Collection all = analyze_all(gauge::files_to_analyze(command.common.paths), command.common.options());
  if (all.models.empty() && all.failures.empty() && all.others.empty()) {
    fail(ErrorKind::bad_input, "no model was found in what was named");
  }
  const auto pairs = gauge::sharing(all.models);
  if (command.common.json) {
    OrderedJson out;
    out["models"] = OrderedJson::array();
    for (const gauge::Analysis& a : all.models) out["models"].push_back(gauge::to_json(a));
    out["sharing"] = gauge::to_json(pairs, all.models);
    out["failures"] = OrderedJson::array();
    for (const auto& f : all.failures) out["failures"].push_back({{"path", f.path}, {"reason", f.reason}});
    out["others"] = OrderedJson::array();
    for (const auto& o : all.others) out["others"].push_back({{"path", o.path}, {"format", o.format}});
    fmt::print("{}\n", out.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
    return;
  }
  if (all.models.size() == 1) {
    print_model(all.models[0], command.layers);
  } else {
    print_table(all);
    if (command.layers) {
      for (const gauge::Analysis& a : all.models) print_model(a, true);
    }
  }
  print_sharing(all, pairs);
  for (const auto& f : all.failures) fmt::print("{}: {}\n", f.path, f.reason);
  for (const auto& o : all.others) fmt::print("{}: {}, known by 'gauge scan' alone\n", o.path, o.format);
}

struct CheckCommand {
  Common common;
  std::string reference;
  double tolerance = 1e-3;
  int threads = 0;
  bool judge = false, explain = false;
};

OrderedJson check_json(const gauge::CheckResult& r) {
  OrderedJson out;
  out["path"] = r.path;
  out["format"] = r.format;
  out["runtime"] = r.runtime;
  out["parsed"] = r.parsed;
  out["imported"] = r.imported;
  out["ran"] = r.ran;
  out["reason"] = r.reason;
  out["nodes"] = r.nodes;
  out["notes"] = r.notes;
  out["outputs"] = OrderedJson::array();
  for (const gauge::OutputError& o : r.outputs) {
    out["outputs"].push_back({{"name", o.name},
                              {"largest_error", o.largest},
                              {"relative_error", o.relative},
                              {"elements", o.elements},
                              {"apart", o.apart}});
  }
  out["from_exact"] = OrderedJson();
  if (r.ours_from_exact) out["from_exact"] = {{"ours", *r.ours_from_exact}, {"theirs", *r.theirs_from_exact}};
  out["compile_seconds"] = r.compile_seconds;
  out["run_seconds"] = r.run_seconds;
  return out;
}

// Of folders, the models that have outputs to compare with.
std::vector<std::string> model_files(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& path : gauge::files_to_analyze(paths)) {
    const std::string suffix = std::filesystem::path(path).extension().string();
    if (!std::filesystem::is_directory(path) &&
        (suffix == ".tflite" || suffix == ".onnx" || suffix == ".param" || suffix == ".caffemodel" ||
         suffix == ".mnn" || suffix == ".json" || std::ranges::find(paths, path) != paths.end())) {
      out.push_back(path);
    }
  }
  return out;
}

void run_check(const CheckCommand& command) {
  const gauge::ImportOptions options = command.common.options();
  const auto executor =
      command.judge ? graph::make_reference_executor() : runtime::make_device_executor({.threads = command.threads});
  const auto exact = command.explain ? graph::make_reference_executor() : nullptr;
  std::vector<gauge::CheckResult> results;
  {
    ProgressBar bar("check");
    const std::vector<std::string> paths = model_files(command.common.paths);
    for (const std::string& path : paths) {
      interrupt_token().throw_if_cancelled();
      bar.update(std::ssize(results), std::ssize(paths), path);
      results.push_back(
          gauge::check_model(path, command.reference, *executor, options, exact.get(), command.tolerance));
    }
  }
  if (command.common.json) {
    OrderedJson out = OrderedJson::array();
    for (const gauge::CheckResult& r : results) out.push_back(check_json(r));
    fmt::print("{}\n", out.dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
    return;
  }
  int parsed = 0, imported = 0, ran = 0, equal = 0, compared = 0;
  fmt::print("{:<44}{:>8}{:>10}{:>6}{:>7}{:>12}{:>12}{:>10}  {}\n", "model", "parsed", "imported", "ran", "nodes",
             "error", "relative", "run", "remark");
  const auto mark = [](bool b) { return b ? "yes" : "no"; };
  for (const gauge::CheckResult& r : results) {
    double largest = 0;
    std::size_t apart = 0, elements = 0;
    for (const gauge::OutputError& o : r.outputs) {
      largest = std::max(largest, o.largest);
      apart += o.apart;
      elements += o.elements;
    }
    const bool has = !r.outputs.empty(), good = has && r.worst() <= command.tolerance;
    parsed += r.parsed;
    imported += r.imported;
    ran += r.ran;
    compared += has;
    equal += good;
    fmt::print("{:<44}{:>8}{:>10}{:>6}{:>7}{:>12}{:>12}{:>10}  {}\n", short_name(r.path), mark(r.parsed),
               mark(r.imported), mark(r.ran), r.nodes, has ? fmt::format("{:.2e}", largest) : "-",
               has ? fmt::format("{:.2e}", r.worst()) : "-", r.ran ? human_time(r.run_seconds) : "-",
               has ? (good ? r.runtime : fmt::format("{} of {} numbers differ from {}", apart, elements, r.runtime))
                   : r.reason);
    if (r.ours_from_exact) {
      fmt::print("{:<44}from exact arithmetic: ours {:.2e}, {} {:.2e}\n", "", *r.ours_from_exact, r.runtime,
                 *r.theirs_from_exact);
    }
  }
  fmt::print("{} models: {} parsed, {} imported, {} ran, {} compared, {} within {}\n", results.size(), parsed, imported,
             ran, compared, equal, command.tolerance);
}

}  // namespace

void add_gauge_analyze(CLI::App& gauge) {
  CLI::App* app = gauge.add_subcommand(
      "analyze", "what models consist of: operators, cost, parameters, quantisation, task, what they share");
  auto command = std::make_shared<AnalyzeCommand>();
  command->common.add_to(*app, "models, packages, folders of either, or databases of 'gauge scan'");
  app->add_flag("--layers", command->layers, "every layer with its cost");
  app->footer("Example: thimble gauge analyze pose_landmark_lite.tflite --layers");
  app->callback([command] { run_analyze(*command); });
}

void add_gauge_check(CLI::App& gauge) {
  CLI::App* app = gauge.add_subcommand("check", "run models here and compare with what their own runtime gave");
  auto command = std::make_shared<CheckCommand>();
  command->common.add_to(*app, "models, or folders of them");
  app->add_option(
         "--reference", command->reference,
         "folder of inputs and outputs made by tools/goldens/gauge_outputs.py; without it models only run, on zeros")
      ->check(CLI::ExistingDirectory);
  app->add_option("--tolerance", command->tolerance, "largest error, relative to the output's largest value")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--threads", command->threads, "0: one a processor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_flag("--judge", command->judge, "the slow reference interpreter instead of the runtime");
  app->add_flag("--explain", command->explain,
                "of results that are apart, how far either side is from exact arithmetic");
  app->footer("Example: thimble gauge check models/ --reference outputs/ --explain");
  app->callback([command] { run_check(*command); });
}

}  // namespace thimble::cli
