#include "api/profile.h"

#include <algorithm>

#include "base/progress.h"

namespace thimble::api {
namespace {

// "blocks.0.attn" of "blocks.0.attn.to_q.weight": without the layer and the parameter.
std::string scope_of(const graph::Graph& g, int node) {
  if (node < 0) return {};
  for (const graph::ValueId v : g.nodes[static_cast<std::size_t>(node)].inputs) {
    if (g.value(v).kind != graph::ValueKind::parameter) continue;
    std::string name = g.value(v).name;
    for (int i = 0; i < 2; ++i) {
      const auto dot = name.rfind('.');
      if (dot == std::string::npos) return name;
      name.resize(dot);
    }
    return name;
  }
  return {};
}

DType type_of(const std::string& output) { return output.starts_with("bf16") ? DType::bf16 : DType::f32; }

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  return out;
}

// Of scores in attention, and of activations made of exponentials.
double exponentials_of(const graph::Graph& g, const runtime::StepReport& s) {
  if (s.node < 0) return 0;
  const graph::Node& node = g.nodes[static_cast<std::size_t>(s.node)];
  if (const auto* a = std::get_if<graph::Attention>(&node.op)) {
    const graph::Shape& q = g.type(node.inputs[0]).shape;
    return static_cast<double>(q[0] * q[1] * g.type(node.inputs[1]).shape[1] * a->heads);
  }
  constexpr std::string_view kMadeOf[] = {"gelu", "silu", "sigmoid", "tanh", "softmax", "exp"};
  const bool some = std::ranges::any_of(kMadeOf, [&](auto name) { return s.op.find(name) != std::string::npos; });
  return some ? static_cast<double>(g.type(node.output).elements()) : 0;
}

// The first `levels` names of a scope.
std::string prefix(const std::string& scope, int levels) {
  std::size_t end = 0;
  for (int i = 0; i < levels; ++i) {
    end = scope.find('.', end + (i > 0 ? 1 : 0));
    if (end == std::string::npos) return scope;
  }
  return scope.substr(0, end);
}

struct Drawing {
  static constexpr double kWidth = 1600, kRow = 26, kTop = 44, kCharacter = 6.6;
  std::string body;

  void box(double x, double width, int row, const std::string& colour, const std::string& label,
           const std::string& tip) {
    const double y = kTop + row * kRow;
    body += fmt::format(
        "<g><title>{}</title><rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" fill=\"{}\" "
        "stroke=\"#fff\" stroke-width=\"0.5\"/>",
        escaped(tip), x, y, std::max(width, 0.1), kRow - 1, colour);
    const auto room = static_cast<std::size_t>(std::max(0.0, (width - 6) / kCharacter));
    if (room >= 3) {
      const std::string text = label.size() <= room ? label : label.substr(0, room - 1) + "…";
      body += fmt::format("<text x=\"{:.2f}\" y=\"{:.1f}\">{}</text>", x + 3, y + kRow - 9, escaped(text));
    }
    body += "</g>\n";
  }
};

std::string colour_of(const ProfileRow& r) {
  const auto has = [&](const char* what) { return r.kernel.find(what) != std::string::npos; };
  if (has("attention") || has("map ") || has("apply ")) return "#8fc98f";
  if (has("w8a8") || has("w4a") || has("pack for")) return "#f2b36b";
  if (has("gemm") || has("depthwise")) return "#8fb4de";
  if (has("norm")) return "#d7a6d8";
  if (has("plain")) return "#e58b88";
  return "#cfcfcf";
}

}  // namespace

std::vector<ProfileRow> profile(const runtime::DeviceProgram& program, const graph::Graph& graph,
                                runtime::Rates& rates) {
  std::vector<ProfileRow> rows;
  const auto ns = program.profile_ns();
  const double runs = static_cast<double>(std::max<std::int64_t>(1, program.profiled_runs()));
  for (const runtime::StepReport& s : program.report().steps) {
    ProfileRow r;
    r.step = static_cast<int>(rows.size());
    r.op = s.op;
    r.output = s.output;
    r.kernel = s.kernel;
    r.refused = s.refused;
    r.scope = scope_of(graph, s.node);
    if (r.scope.empty() && !rows.empty()) r.scope = rows.back().scope;
    r.seconds = static_cast<double>(ns[rows.size()]) / runs / 1e9;
    r.flops = s.flops;
    r.bytes = static_cast<double>(s.moved_bytes);
    const double rate = rates.of_kernel(s.kernel, type_of(s.output));
    r.exponentials = exponentials_of(graph, s);
    const auto time = [](double work, double per_second) { return per_second > 0 ? work / per_second : 0; };
    const double computing = std::max(time(r.flops, rate), time(r.exponentials, rates.exponentials())),
                 moving = time(r.bytes, rates.reading());
    r.by_memory = moving > computing;
    r.share_of_peak = r.seconds > 0 ? std::max(computing, moving) / r.seconds : 0;
    rows.push_back(std::move(r));
  }
  return rows;
}

double roofline(std::span<const ProfileRow> rows) {
  double seconds = 0;
  for (const ProfileRow& r : rows) seconds += r.share_of_peak * r.seconds;
  return seconds;
}

std::string profile_svg(const std::string& title, std::span<const ProfileRow> rows) {
  double all = 0;
  for (const ProfileRow& r : rows) all += r.seconds;
  const double scale = all > 0 ? Drawing::kWidth / all : 0;
  Drawing d;
  d.box(0, Drawing::kWidth, 0, "#e8e8e8", fmt::format("{}: {}", title, human_time(all)), title);
  // Neighbours of one scope are one box, at three depths.
  constexpr int kLevels = 3;
  for (int level = 1; level <= kLevels; ++level) {
    double x = 0;
    for (std::size_t i = 0; i < rows.size();) {
      const std::string name = prefix(rows[i].scope, level);
      double seconds = 0;
      for (; i < rows.size() && prefix(rows[i].scope, level) == name; ++i) seconds += rows[i].seconds;
      d.box(x, seconds * scale, level, level % 2 ? "#f3e2b8" : "#ead29a", name,
            fmt::format("{}: {}, {:.1f} %", name, human_time(seconds), all > 0 ? 100 * seconds / all : 0));
      x += seconds * scale;
    }
  }
  double x = 0;
  for (const ProfileRow& r : rows) {
    const double rate = r.seconds > 0 ? r.flops / r.seconds / 1e9 : 0;
    d.box(x, r.seconds * scale, kLevels + 1, colour_of(r), r.op,
          fmt::format("{} {}\n{}\n{:.1f} us, {:.1f} %; {:.1f} GFLOP/s; {:.0f} % of the {}'s best{}", r.op, r.output,
                      r.kernel, r.seconds * 1e6, all > 0 ? 100 * r.seconds / all : 0, rate, 100 * r.share_of_peak,
                      r.by_memory ? "memory" : "kernel", r.refused.empty() ? "" : "\nnot " + r.refused));
    x += r.seconds * scale;
  }
  const double height = Drawing::kTop + (kLevels + 2) * Drawing::kRow + 8;
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
             "{1:.0f}\" font-family=\"monospace\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" "
             "fill=\"#fff\"/>\n<text x=\"3\" y=\"18\">{2}</text>\n<text x=\"3\" y=\"34\" fill=\"#666\">products of "
             "floats blue, of integers orange, attention green, norms violet, plain loops red, the rest grey</text>\n",
             Drawing::kWidth, height, escaped(title)) +
         d.body + "</svg>\n";
}

}  // namespace thimble::api
