// Speed of the matrix kernels and convolutions, as GFLOP/s and as a share of this machine's measured peak.
//   gemm_bench [--json] [--threads N] [--type f32|bf16] [--isa avx2] [--quick] [--shape MxNxK]
// One thread is timed by its processor time, several by the clock: on a busy machine ask for --threads 1.
// Peaks are measured first, in the same run; OpenBLAS's sgemm, where its library can be loaded, beside the f32 figures.
#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "bench/command.h"
#include "bench/peaks.h"
#include "kernels/conv/conv.h"
#include "kernels/gemm/gemm.h"

namespace thimble::bench {
namespace {

using namespace kernels;

struct Options : CommonOptions {
  std::vector<DType> types{DType::f32, DType::bf16};
};

Options parse(int argc, char** argv) {
  Options o;
  parse_options(argc, argv, o, "--json --quick --threads --type --isa --shape",
                [&](std::string_view, const auto& value) {
                  const auto type = dtype_from_string(value());
                  if (!type || (*type != DType::f32 && *type != DType::bf16)) {
                    fail(ErrorKind::bad_input, "--type: f32 or bf16");
                  }
                  o.types = {*type};
                });
  return o;
}

Buffer random_buffer(std::int64_t n, DType type, std::uint64_t seed) {
  Buffer values(static_cast<std::size_t>(n) * 4), out(static_cast<std::size_t>(n) * size_of(type));
  fill_normal(values.as<float>(), seed);
  convert(DType::f32, values.data(), type, out.data(), static_cast<std::size_t>(n));
  return out;
}

double gemm_gflops(const GemmKernel& kernel, std::int64_t M, std::int64_t N, std::int64_t K, ThreadPool& pool,
                   bool quick) {
  const Buffer A = random_buffer(M * K, kernel.type, 1), W = random_buffer(N * K, DType::f32, 2);
  Buffer packed(packed_bytes(kernel, N, K)), scratch(gemm_scratch_bytes(kernel, M, N, K, pool.threads()));
  Buffer C(static_cast<std::size_t>(M * N) * size_of(kernel.type));
  pack_weights(kernel, N, K, W.data(), DType::f32, K, packed.data());
  const GemmArgs args{.M = M,
                      .N = N,
                      .K = K,
                      .A = A.data(),
                      .lda = K,
                      .W = packed.data(),
                      .C = C.data(),
                      .ldc = N,
                      .c_type = kernel.type,
                      .epilogue = {}};
  const double seconds = median_time(pool, quick, [&] { gemm(kernel, args, pool, scratch.data()); });
  return 2e-9 * static_cast<double>(M * N * K) / seconds;
}

struct OpenBlas {
  using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  Sgemm sgemm = nullptr;

  explicit OpenBlas(int threads) {
    void* library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
    if (auto* set = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"))) set(threads);
  }

  double gflops(std::int64_t M, std::int64_t N, std::int64_t K, const ThreadPool& pool, bool quick) const {
    const Buffer A = random_buffer(M * K, DType::f32, 1), W = random_buffer(N * K, DType::f32, 2);
    Buffer C(static_cast<std::size_t>(M * N) * 4);
    const auto floats = [](const Buffer& b) { return b.as<float>().data(); };
    const double seconds = median_time(pool, quick, [&] {
      constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
      const int m = static_cast<int>(M), n = static_cast<int>(N), k = static_cast<int>(K);
      sgemm(kRowMajor, kNoTrans, kTrans, m, n, k, 1, floats(A), k, floats(W), k, 0, C.as<float>().data(), n);
    });
    return 2e-9 * static_cast<double>(M * N * K) / seconds;
  }
};

double conv_gflops(const ConvPlan& plan, ThreadPool& pool, bool quick) {
  const ConvShape& s = plan.shape;
  const Buffer x = random_buffer(s.B * s.H * s.W * s.C, plan.type, 1);
  const Buffer w = random_buffer(s.O * s.C / s.groups * s.kh * s.kw, DType::f32, 2);
  Buffer packed(conv_packed_bytes(plan)), scratch(conv_scratch_bytes(plan));
  Buffer y(static_cast<std::size_t>(s.B * s.out_h() * s.out_w() * s.O) * size_of(plan.type));
  conv_pack(plan, w.data(), DType::f32, pool, packed.data());
  const ConvArgs args{.x = x.data(), .w = packed.data(), .y = y.data(), .y_type = plan.type, .epilogue = {}};
  const double seconds = median_time(pool, quick, [&] { conv(plan, args, pool, scratch.data()); });
  const double macs = static_cast<double>(s.B * s.out_h() * s.out_w() * s.O) * static_cast<double>(s.C / s.groups) *
                      static_cast<double>(s.kh * s.kw);
  return 2e-9 * macs / seconds;
}

// The unit that the kernel uses sets the scale.
double peak_of(const GemmKernel& kernel, const Peaks& peaks) {
  if (kernel.layout == WeightLayout::bf16_amx) return peaks.amx_bf16;
  return kernel.layout == WeightLayout::bf16_pair ? peaks.dot_bf16 : peaks.fma_f32;
}

void run(const Options& o) {
  ThreadPool pool(o.threads);
  const Peaks peaks = measure_peaks(pool);
  const OpenBlas blas(o.threads);
  OrderedJson report;
  report["cpu"] = cpu().model;
  report["threads"] = o.threads;
  report["peak_gflops"] = {{"fma_f32", peaks.fma_f32}, {"dot_bf16", peaks.dot_bf16}, {"amx_bf16", peaks.amx_bf16}};
  report["read_gbs"] = peaks.read_gbs;
  report["results"] = OrderedJson::array();
  if (!o.json) {
    fmt::print("{}, {} threads\npeaks, GFLOP/s: f32 fma {:.0f}, bf16 dot {:.0f}, bf16 amx {:.0f}; read {:.1f} GB/s\n\n",
               cpu().model, o.threads, peaks.fma_f32, peaks.dot_bf16, peaks.amx_bf16, peaks.read_gbs);
    fmt::print("{:28} {:>30} {:>9} {:>7} {:>9}\n", "kernel", "shape", "GFLOP/s", "peak %", "OpenBLAS");
  }
  const auto add = [&](std::string_view kernel, const std::string& shape, double gflops, double peak, double other) {
    const double share = peak > 0 ? gflops / peak : 0;
    if (o.json) {
      OrderedJson row{{"kernel", kernel}, {"shape", shape}, {"gflops", gflops}, {"share_of_peak", share}};
      if (other > 0) row["openblas_gflops"] = other;
      report["results"].push_back(row);
    } else {
      fmt::print("{:28} {:>30} {:9.1f} {:7.1f} {:>9}\n", kernel, shape, gflops, 100 * share,
                 other > 0 ? fmt::format("{:.1f}", other) : "-");
      std::fflush(stdout);
    }
  };

  auto shapes = o.shapes;
  if (shapes.empty()) {
    for (std::int64_t M : {1024, 4096}) {
      for (std::int64_t size : {256, 512, 768, 1024, 1536}) shapes.push_back({M, size, size});
      shapes.push_back({M, 1536, 384});
      shapes.push_back({M, 384, 1536});
    }
    for (std::int64_t M : {1, 4, 16, 77, 256}) shapes.push_back({M, 1536, 1536});
  }
  const auto conv3 = [](std::int64_t size, std::int64_t C, std::int64_t O, std::int64_t stride = 1) {
    return ConvShape{.H = size,
                     .W = size,
                     .C = C,
                     .O = O,
                     .kh = 3,
                     .kw = 3,
                     .stride_h = stride,
                     .stride_w = stride,
                     .pad_top = 1,
                     .pad_left = 1,
                     .pad_bottom = 1,
                     .pad_right = 1};
  };
  std::vector<ConvShape> convs;
  if (o.shapes.empty()) {
    convs = {conv3(64, 64, 64),  conv3(64, 320, 320), conv3(32, 640, 640),   conv3(128, 128, 128),
             conv3(256, 128, 3), conv3(256, 3, 128),  conv3(64, 320, 320, 2)};
    convs.push_back(conv3(64, 256, 256));
    convs.back().groups = convs.back().O = convs.back().C;
    convs.push_back(conv3(32, 256, 256));
    convs.back().upsample = true;
  }
  for (DType type : o.types) {
    const GemmKernel& kernel = pick_gemm(type, o.isa);
    const double peak = peak_of(kernel, peaks);
    for (const auto& [M, N, K] : shapes) {
      const double other = type == DType::f32 && blas.sgemm ? blas.gflops(M, N, K, pool, o.quick) : 0;
      add(kernel.name, fmt::format("{}x{}x{}", M, N, K), gemm_gflops(kernel, M, N, K, pool, o.quick), peak, other);
    }
    for (const ConvShape& s : convs) {
      const ConvPlan plan = plan_conv(s, type, o.threads, o.isa);
      const std::string shape = fmt::format("3x3 {}>{} at {}{}{}{}", s.C, s.O, s.H, s.stride_h > 1 ? " stride 2" : "",
                                            s.groups > 1 ? " depthwise" : "", s.upsample ? " upsample" : "");
      add(conv_kernel_name(plan), shape, conv_gflops(plan, pool, o.quick), peak, 0);
    }
  }
  if (o.json) fmt::print("{}\n", report.dump(2));
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) {
  using namespace thimble::bench;
  return bench_main("gemm_bench", [&] { run(parse(argc, argv)); });
}
