// Speed of the integer matrix kernels and of W4A16: GOP/s, share of this machine's measured peak, and the rate at which
// weights are read, which is what bounds few rows.
//   qgemm_bench [--json] [--threads N] [--isa avx2] [--quick] [--only w8a8|w4a8|w4a16] [--group N] [--shape MxNxK]
// One thread is timed by its processor time, several by the clock: on a busy machine ask for --threads 1.
// "quantised" includes the quantisation of the activations from bf16, which the first figure finds done. Outputs are
// bf16, with a bias.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "bench/command.h"
#include "bench/peaks.h"
#include "kernels/qgemm/qgemm.h"
#include "kernels/qgemm/w4a16.h"

namespace thimble::bench {
namespace {

using namespace kernels;

struct Options : CommonOptions {
  std::string only;
  std::int64_t group = -1;  // all
};

Options parse(int argc, char** argv) {
  Options o;
  parse_options(argc, argv, o, "--json --quick --threads --isa --only --group --shape",
                [&](std::string_view name, const auto& value) {
                  if (name == "--only") {
                    o.only = value();
                  } else {
                    o.group = std::atoi(value().c_str());
                  }
                });
  return o;
}

Buffer random_bf16(std::int64_t n, std::uint64_t seed) {
  Buffer out(static_cast<std::size_t>(n) * 2);
  Rng rng(seed);
  for (bf16& v : out.as<bf16>()) v = to_bf16(static_cast<float>(rng.uniform(-2, 2)));
  return out;
}

Buffer random_bytes(std::int64_t n, int most, std::uint64_t seed) {
  Buffer out(static_cast<std::size_t>(n));
  Rng rng(seed);
  for (std::int8_t& v : out.as<std::int8_t>()) v = static_cast<std::int8_t>(rng.uniform(-most, most));
  return out;
}

struct Figures {
  double product = 0, quantized = 0;  // seconds; quantized 0: nothing to quantise
  std::size_t weight_bytes = 0;
};

Figures time_qgemm(const QgemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, std::int64_t group,
                   ThreadPool& pool, bool quick) {
  const Buffer x = random_bf16(M * K, 1), w = random_bytes(N * K, kernel.weight_bits == 4 ? 7 : 127, 2);
  const std::vector<float> scale(static_cast<std::size_t>(N * (group ? (K + group - 1) / group : 1)), 0.01f);
  const std::vector<float> bias(static_cast<std::size_t>(N), 0.5f);
  Buffer W(qgemm_weight_bytes(kernel, N, K, group)), A(qgemm_activation_bytes(kernel, M, K, group));
  Buffer scratch(qgemm_scratch_bytes(kernel, M, N, K, group, pool.threads())), C(static_cast<std::size_t>(M * N) * 2);
  pack_qweights(kernel, N, K, group, {w.data(), K, false, scale.data()}, W.data());
  const auto pack = [&] { pack_activations(kernel, M, K, group, {x.data(), DType::bf16, K}, pool, A.data()); };
  pack();
  QgemmArgs args;
  args.M = M;
  args.N = N;
  args.K = K;
  args.group = group;
  args.A = A.data();
  args.W = W.data();
  args.C = C.data();
  args.ldc = N;
  args.c_type = DType::bf16;
  args.epilogue.bias = bias.data();
  const auto product = [&] { qgemm(kernel, args, pool, scratch.data()); };
  Figures f;
  f.weight_bytes = W.size();
  f.product = median_time(pool, quick, product);
  f.quantized = median_time(pool, quick, [&] {
    pack();
    product();
  });
  return f;
}

Figures time_w4a16(const W4A16Kernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, std::int64_t group,
                   ThreadPool& pool, bool quick) {
  const Buffer x = random_bf16(M * K, 1), w = random_bytes(N * K, 7, 2);
  const std::vector<float> scale(static_cast<std::size_t>(N * (group ? (K + group - 1) / group : 1)), 0.01f);
  const std::vector<float> bias(static_cast<std::size_t>(N), 0.5f);
  Buffer W(w4a16_weight_bytes(kernel, N, K, group)), C(static_cast<std::size_t>(M * N) * 2);
  Buffer scratch(w4a16_scratch_bytes(kernel, M, N, K, pool.threads()));
  pack_w4a16(kernel, N, K, group, {w.data(), K, false, scale.data()}, W.data());
  GemmArgs args{.M = M,
                .N = N,
                .K = K,
                .A = x.data(),
                .lda = K,
                .W = W.data(),
                .C = C.data(),
                .ldc = N,
                .c_type = DType::bf16,
                .epilogue = {}};
  args.epilogue.bias = bias.data();
  Figures f;
  f.weight_bytes = W.size();
  f.product = median_time(pool, quick, [&] { w4a16(kernel, args, group, pool, scratch.data()); });
  return f;
}

// The unit that the kernel uses sets the scale.
double peak_of(const QgemmKernel& kernel, const Peaks& peaks) {
  if (kernel.isa == Isa::amx) return peaks.i8_amx;
  if (kernel.isa == Isa::avx512_vnni) return peaks.i8_avx512_vnni;
  if (kernel.isa != Isa::avx2) return 0;
  return kernel.name.find("vnni") != std::string_view::npos ? peaks.i8_avx_vnni : peaks.i8_avx2;
}
double peak_of(const GemmKernel& kernel, const Peaks& peaks) {
  if (kernel.layout == WeightLayout::bf16_amx) return peaks.amx_bf16;
  return kernel.layout == WeightLayout::bf16_pair ? peaks.dot_bf16 : peaks.fma_f32;
}

void run(const Options& o) {
  ThreadPool pool(o.threads);
  const Peaks peaks = measure_peaks(pool);
  OrderedJson report;
  report["cpu"] = cpu().model;
  report["threads"] = o.threads;
  report["peak_gops"] = {{"i8_avx2", peaks.i8_avx2},
                         {"i8_avx_vnni", peaks.i8_avx_vnni},
                         {"i8_avx512_vnni", peaks.i8_avx512_vnni},
                         {"i8_amx", peaks.i8_amx},
                         {"dot_bf16", peaks.dot_bf16}};
  report["read_gbs"] = peaks.read_gbs;
  report["results"] = OrderedJson::array();
  if (!o.json) {
    fmt::print(
        "{}, {} threads\npeaks, GOP/s: int8 AVX2 {:.0f}, AVX-VNNI {:.0f}, AVX-512 VNNI {:.0f}, AMX {:.0f}; bf16 dot "
        "{:.0f}; read {:.1f} GB/s\n\n",
        cpu().model, o.threads, peaks.i8_avx2, peaks.i8_avx_vnni, peaks.i8_avx512_vnni, peaks.i8_amx, peaks.dot_bf16,
        peaks.read_gbs);
    fmt::print("{:26} {:>5} {:>16} {:>9} {:>6} {:>10} {:>6} {:>12}\n", "kernel", "group", "MxNxK", "GOP/s", "peak %",
               "quantised", "peak %", "weights GB/s");
  }
  auto shapes = o.shapes;
  if (shapes.empty()) {
    std::vector<std::array<std::int64_t, 2>> matrices{{1152, 1152}, {3072, 3072}, {6144, 1536}};
    if (!o.quick) {
      for (const auto& more : {std::array<std::int64_t, 2>{1536, 1536}, {2240, 2240}, {1536, 6144}, {12288, 3072}}) {
        matrices.push_back(more);
      }
      matrices.push_back({3072, 12288});
    }
    const std::vector<std::int64_t> rows =
        o.quick ? std::vector<std::int64_t>{1, 77, 1024} : std::vector<std::int64_t>{1, 16, 77, 256, 1024, 4096};
    for (const auto& [N, K] : matrices) {
      for (std::int64_t M : rows) shapes.push_back({M, N, K});
    }
  }
  const auto add = [&](std::string_view kernel, std::int64_t group, const std::array<std::int64_t, 3>& s, double peak,
                       const Figures& f) {
    const double ops = 2e-9 * static_cast<double>(s[0] * s[1] * s[2]), rate = ops / f.product;
    const double with = f.quantized > 0 ? ops / f.quantized : rate;
    const double gbs = 1e-9 * static_cast<double>(f.weight_bytes) / f.product;
    const double scale = peak > 0 ? 100 / peak : 0;
    const std::string shape = fmt::format("{}x{}x{}", s[0], s[1], s[2]);
    if (o.json) {
      report["results"].push_back({{"kernel", kernel},
                                   {"group", group},
                                   {"shape", shape},
                                   {"gops", rate},
                                   {"share_of_peak", rate * scale / 100},
                                   {"gops_quantised", with},
                                   {"weights_gbs", gbs}});
    } else {
      fmt::print("{:26} {:>5} {:>16} {:9.1f} {:6.1f} {:10.1f} {:6.1f} {:12.2f}\n", kernel, group, shape, rate,
                 rate * scale, with, with * scale, gbs);
      std::fflush(stdout);
    }
  };
  const auto groups = [&](std::vector<std::int64_t> all) {
    return o.group >= 0 ? std::vector<std::int64_t>{o.group} : all;
  };
  for (int bits : {8, 4}) {
    if (!o.only.empty() && o.only != fmt::format("w{}a8", bits)) continue;
    for (std::int64_t group :
         groups(bits == 8 ? std::vector<std::int64_t>{0} : std::vector<std::int64_t>{0, 128, 32})) {
      const QgemmKernel& kernel = pick_qgemm(bits, group, o.isa);
      for (const auto& s : shapes) {
        add(kernel.name, group, s, peak_of(kernel, peaks), time_qgemm(kernel, s[0], s[1], s[2], group, pool, o.quick));
      }
    }
  }
  if (o.only.empty() || o.only == "w4a16") {
    const W4A16Kernel kernel = pick_w4a16(DType::bf16, o.isa);
    for (std::int64_t group : groups({64})) {
      for (const auto& s : shapes) {
        add(fmt::format("w4a16 {}", kernel.gemm->name), group, s, peak_of(*kernel.gemm, peaks),
            time_w4a16(kernel, s[0], s[1], s[2], group, pool, o.quick));
      }
    }
  }
  if (o.json) fmt::print("{}\n", report.dump(2));
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) {
  using namespace thimble::bench;
  return bench_main("qgemm_bench", [&] { run(parse(argc, argv)); });
}
