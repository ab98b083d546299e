// The table of matrix kernels, and the choice among them with reasons.
#include <algorithm>

#include "base/error.h"
#include "kernels/gemm/functions.h"
#include "kernels/gemm/gemm.h"

namespace thimble::kernels {
namespace {

// Nominal multiply-adds a cycle and core, from the widths and numbers of units that processors have; widening costs a
// little. Only the order within one machine matters. Measured peaks: bench/gemm_bench.
[[maybe_unused]] bool is_amd(const CpuInfo& info) { return info.model.find("AMD") != std::string::npos; }
[[maybe_unused]] double rate_amx(const CpuInfo&) { return 512; }
[[maybe_unused]] double rate_avx512_bf16(const CpuInfo& info) { return is_amd(info) ? 64 : 16; }
[[maybe_unused]] double rate_avx512(const CpuInfo&) { return 32; }
[[maybe_unused]] double rate_avx512_wide(const CpuInfo&) { return 30; }
[[maybe_unused]] double rate_avx2(const CpuInfo&) { return 16; }
[[maybe_unused]] double rate_avx2_wide(const CpuInfo&) { return 15; }
[[maybe_unused]] double rate_neon(const CpuInfo&) { return 8; }
[[maybe_unused]] double rate_neon_wide(const CpuInfo&) { return 7; }
double rate_scalar(const CpuInfo&) { return 1; }

using namespace internal;

constexpr GemmKernel kKernels[] = {
#define THIMBLE_GEMM(isa, type, a_panel, layout, mr, nr, kr, kc, rate, epilogue, begin, end) \
  {"gemm_" #type "_" #isa,                                                                   \
   Isa::isa,                                                                                 \
   DType::type,                                                                              \
   DType::a_panel,                                                                           \
   WeightLayout::layout,                                                                     \
   mr,                                                                                       \
   nr,                                                                                       \
   kr,                                                                                       \
   kc,                                                                                       \
   stride_##type##_##isa,                                                                    \
   rate,                                                                                     \
   gemm_##type##_##isa,                                                                      \
   epilogue_##epilogue,                                                                      \
   begin,                                                                                    \
   end},
#include "kernels/gemm/kernels.inc"
#undef THIMBLE_GEMM
};

}  // namespace

std::span<const GemmKernel> gemm_kernels() { return kKernels; }

std::vector<GemmChoice> explain_gemm(DType type, Isa cap) {
  std::vector<GemmChoice> choices;
  for (const GemmKernel& kernel : kKernels) {
    if (kernel.type != type) continue;
    std::string refused;
    if (!supports(cpu(), kernel.isa)) {
      refused = fmt::format("this machine has no {}", to_string(kernel.isa));
    } else if (kernel.isa > cap) {
      refused = fmt::format("capped at {}", to_string(cap));
    }
    choices.push_back({&kernel, std::move(refused)});
  }
  std::stable_sort(choices.begin(), choices.end(), [](const GemmChoice& a, const GemmChoice& b) {
    return a.kernel->rate(cpu()) > b.kernel->rate(cpu());
  });
  return choices;
}

const GemmKernel& pick_gemm(DType type, Isa cap) {
  for (const GemmChoice& choice : explain_gemm(type, cap)) {
    if (choice.refused.empty()) return *choice.kernel;
  }
  fail(ErrorKind::unsupported, "[gemm] no kernel for activations of type {}; f32 and bf16 are supported",
       to_string(type));
}

}  // namespace thimble::kernels
