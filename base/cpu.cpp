#include "base/cpu.h"

#include <array>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "base/error.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace thimble {
namespace {

constexpr std::array<std::pair<Isa, std::string_view>, 9> kIsaNames{{
    {Isa::scalar, "scalar"},
    {Isa::neon, "neon"},
    {Isa::neon_dot, "neon_dot"},
    {Isa::neon_i8mm, "neon_i8mm"},
    {Isa::avx2, "avx2"},
    {Isa::avx512, "avx512"},
    {Isa::avx512_vnni, "avx512_vnni"},
    {Isa::avx512_bf16, "avx512_bf16"},
    {Isa::amx, "amx"},
}};

std::size_t read_cache_size(int index, std::size_t fallback) {
  std::ifstream in("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/size");
  std::size_t kib = 0;
  char unit = 'K';
  if (!(in >> kib)) return fallback;
  in >> unit;
  return kib << (unit == 'M' ? 20 : 10);
}

#if defined(__x86_64__)
std::uint64_t xgetbv0() {
  std::uint32_t lo = 0, hi = 0;
  __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return std::uint64_t{hi} << 32 | lo;
}

bool ask_for_amx() {
  constexpr int kReqXcompPerm = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kReqXcompPerm, kTileData) == 0;
}

void detect(CpuInfo& info) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return;
  const bool osxsave = c & (1u << 27), fma = c & (1u << 12), f16c = c & (1u << 29);
  const std::uint64_t xcr0 = osxsave ? xgetbv0() : 0;
  const bool ymm = (xcr0 & 0x6) == 0x6, zmm = (xcr0 & 0xe6) == 0xe6, tiles = (xcr0 & 0x60000) == 0x60000;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
  const unsigned leaves = a, b7 = b, c7 = c, d7 = d;
  unsigned a71 = 0;
  if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) a71 = a;
  info.avx2 = ymm && fma && f16c && (b7 & (1u << 5));
  info.avx_vnni = ymm && (a71 & (1u << 4));
  const unsigned f_dq_cd_bw_vl = (1u << 16) | (1u << 17) | (1u << 28) | (1u << 30) | (1u << 31);
  info.avx512 = info.avx2 && zmm && (b7 & f_dq_cd_bw_vl) == f_dq_cd_bw_vl;
  info.avx512_vnni = info.avx512 && (c7 & (1u << 11));
  info.avx512_bf16 = info.avx512_vnni && (a71 & (1u << 5));
  info.avx512_fp16 = info.avx512 && (d7 & (1u << 23));
  if (info.avx512_bf16 && tiles && (d7 & (1u << 24)) && ask_for_amx()) {
    info.amx_int8 = d7 & (1u << 25);
    info.amx_bf16 = d7 & (1u << 22);
  }
}
#elif defined(__aarch64__)
void detect(CpuInfo& info) {
  const unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
  info.neon = caps & HWCAP_ASIMD;
  info.neon_dot = info.neon && (caps & HWCAP_ASIMDDP);
  info.neon_i8mm = info.neon_dot && (caps2 & HWCAP2_I8MM);
  info.neon_bf16 = info.neon && (caps2 & HWCAP2_BF16);
}
#else
void detect(CpuInfo&) {}
#endif

CpuInfo make_info() {
  CpuInfo info;
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("model name")) {
      info.model = line.substr(line.find(':') + 2);
      break;
    }
  }
  info.l1d_bytes = read_cache_size(0, info.l1d_bytes);
  info.l2_bytes = read_cache_size(2, info.l2_bytes);
  info.l3_bytes = read_cache_size(3, info.l3_bytes);
  detect(info);
  return info;
}

}  // namespace

std::string_view to_string(Isa isa) {
  for (auto& [i, name] : kIsaNames) {
    if (i == isa) return name;
  }
  return "?";
}

std::optional<Isa> isa_from_string(std::string_view name) {
  for (auto& [i, n] : kIsaNames) {
    if (n == name) return i;
  }
  return std::nullopt;
}

const CpuInfo& cpu() {
  static const CpuInfo info = make_info();
  return info;
}

bool supports(const CpuInfo& info, Isa isa) {
  switch (isa) {
    case Isa::scalar: return true;
    case Isa::neon: return info.neon;
    case Isa::neon_dot: return info.neon_dot;
    case Isa::neon_i8mm: return info.neon_i8mm;
    case Isa::avx2: return info.avx2;
    case Isa::avx512: return info.avx512;
    case Isa::avx512_vnni: return info.avx512_vnni;
    case Isa::avx512_bf16: return info.avx512_bf16;
    case Isa::amx: return info.amx_int8 && info.amx_bf16;
  }
  return false;
}

std::vector<Isa> usable_isas() {
  std::vector<Isa> out;
  for (auto& [isa, name] : kIsaNames) {
    if (supports(cpu(), isa)) out.push_back(isa);
  }
  return out;
}

Isa best_isa() {
  static const Isa best = [] {
    Isa cap = Isa::amx;
    if (const char* wanted = std::getenv("THIMBLE_ISA"); wanted != nullptr && *wanted != 0) {
      const auto parsed = isa_from_string(wanted);
      if (!parsed)
        fail(ErrorKind::bad_input, "THIMBLE_ISA={} is not an ISA: try scalar, avx2, avx512, avx512_bf16, amx or neon",
             wanted);
      cap = *parsed;
    }
    Isa found = Isa::scalar;
    for (Isa isa : usable_isas()) {
      if (isa <= cap) found = isa;
    }
    return found;
  }();
  return best;
}

}  // namespace thimble
