// What the processor can do, and the ISA levels kernels are compiled for.
// `THIMBLE_ISA=avx2` in the environment caps the choice (for tests and bug reports).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thimble {

// Ordered within an architecture: a higher level implies the lower ones.
enum class Isa { scalar, neon, neon_dot, neon_i8mm, avx2, avx512, avx512_vnni, avx512_bf16, amx };

std::string_view to_string(Isa isa);
std::optional<Isa> isa_from_string(std::string_view name);

struct CpuInfo {
  std::string model;
  bool avx2 = false;      // AVX2 + FMA + F16C
  bool avx_vnni = false;  // 256-bit VNNI without AVX-512
  bool avx512 = false;    // F, BW, VL, DQ, CD
  bool avx512_vnni = false;
  bool avx512_bf16 = false;
  bool avx512_fp16 = false;
  bool amx_int8 = false;  // includes the kernel's permission for tile data
  bool amx_bf16 = false;
  bool neon = false;
  bool neon_dot = false;
  bool neon_i8mm = false;
  bool neon_bf16 = false;
  std::size_t l1d_bytes = 32 << 10;
  std::size_t l2_bytes = 1 << 20;
  std::size_t l3_bytes = 8 << 20;
};

// Detected once; asks Linux for AMX tile permission (arch_prctl) the first time.
const CpuInfo& cpu();

bool supports(const CpuInfo& info, Isa isa);

// The best level of this machine, capped by THIMBLE_ISA.
Isa best_isa();

// All levels this machine can run, scalar first.
std::vector<Isa> usable_isas();

}  // namespace thimble
