// The plan as text.
#include <algorithm>

#include "base/progress.h"
#include "runtime/device.h"

namespace thimble::runtime {

std::string print_report(const PlanReport& report) {
  std::string out = report.executor + "\n";
  std::size_t op = 2, type = 6, kernel = 6;
  for (const StepReport& s : report.steps) {
    op = std::max(op, s.op.size());
    type = std::max(type, s.output.size());
    kernel = std::max(kernel, s.kernel.size());
  }
  out += fmt::format("step  node  {:<{}}  {:<{}}  {:<{}}  {:>9}  {:>9}  {}\n", "op", op, "result", type, "kernel",
                     kernel, "MFLOP", "weights", "place");
  for (std::size_t i = 0; i < report.steps.size(); ++i) {
    const StepReport& s = report.steps[i];
    const std::string node = s.node < 0 ? "-" : fmt::format("{}", s.node);
    out += fmt::format("{:>4}  {:>4}  {:<{}}  {:<{}}  {:<{}}  {:>9.3f}  {:>9}  {} + {}", i, node, s.op, op, s.output,
                       type, s.kernel, kernel, s.flops / 1e6, s.weight_bytes, s.place, s.offset);
    if (!s.refused.empty()) out += fmt::format("  (not {})", s.refused);
    out += '\n';
  }
  const graph::MemoryReport& m = report.memory;
  out +=
      fmt::format("{} steps, {:.3f} GFLOP; weights {}, activations {}, scratch {}, peak {}\n", report.steps.size(),
                  report.flops / 1e9, human_bytes(static_cast<double>(m.weight_bytes)),
                  human_bytes(static_cast<double>(m.activation_bytes)),
                  human_bytes(static_cast<double>(m.scratch_bytes)), human_bytes(static_cast<double>(m.peak_bytes())));
  return out;
}

}  // namespace thimble::runtime
