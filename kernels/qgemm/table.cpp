// The table of integer matrix kernels, and the choice among them with reasons.
#include "base/error.h"
#include "kernels/qgemm/functions.h"
#include "kernels/qgemm/qgemm.h"

namespace thimble::kernels {
namespace {

// What a row needs beyond its ISA level.
bool any(const CpuInfo&) { return true; }
[[maybe_unused]] bool avx_vnni(const CpuInfo& info) { return info.avx_vnni; }

using namespace internal;

constexpr QgemmKernel kKernels[] = {
#define THIMBLE_QGEMM(bits, isa, needs, a, layout, mr, nr, kr, kc, group, micro, ops, begin, end) \
  {"qgemm_w" #bits "a8_" #micro,                                                                  \
   bits,                                                                                          \
   Isa::isa,                                                                                      \
   needs,                                                                                         \
   QPanel::a,                                                                                     \
   QLayout::layout,                                                                               \
   mr,                                                                                            \
   nr,                                                                                            \
   kr,                                                                                            \
   kc,                                                                                            \
   stride_w##bits##a8_##micro,                                                                    \
   group,                                                                                         \
   qmicro_##micro,                                                                                \
   &qops_##ops,                                                                                   \
   begin,                                                                                         \
   end},
#include "kernels/qgemm/kernels.inc"
#undef THIMBLE_QGEMM
};

}  // namespace

std::span<const QgemmKernel> qgemm_kernels() { return kKernels; }

std::vector<QgemmChoice> explain_qgemm(int weight_bits, std::int64_t group, Isa cap) {
  std::vector<QgemmChoice> choices;
  for (const QgemmKernel& kernel : kKernels) {
    if (kernel.weight_bits != weight_bits) continue;
    std::string refused;
    if (!supports(cpu(), kernel.isa) || !kernel.needs(cpu())) {
      refused = fmt::format("this machine cannot run {}", kernel.name);
    } else if (kernel.isa > cap) {
      refused = fmt::format("capped at {}", to_string(cap));
    } else if (group != 0 && group < kernel.min_group) {
      refused = fmt::format("groups of {} are smaller than {}", group, kernel.min_group);
    }
    choices.push_back({&kernel, std::move(refused)});
  }
  return choices;
}

const QgemmKernel& pick_qgemm(int weight_bits, std::int64_t group, Isa cap) {
  if (group == 0 || group == 32 || group == 64 || group == 128) {
    for (const QgemmChoice& choice : explain_qgemm(weight_bits, group, cap)) {
      if (choice.refused.empty()) return *choice.kernel;
    }
  }
  fail(
      ErrorKind::unsupported,
      "[qgemm] no kernel for weights of {} bits in groups of {}; there are 8 and 4 bits, whole channels (0) and groups "
      "of 32, 64 and 128",
      weight_bits, group);
}

}  // namespace thimble::kernels
