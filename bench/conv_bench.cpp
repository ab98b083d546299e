// Speed of convolutions at the shapes of our models, as operations a second, bytes a second and share of this machine's
// measured peak for the unit that multiplies.
//   conv_bench [--threads N] [--isa avx2] [--group unet|vae|edge|all] [--type f32|bf16|i8] [--json]
// The best of many runs is told, which neighbours disturb least; one thread is timed by its processor time.
// Bytes are those of input, output and weights, each once.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/rng.h"
#include "bench/command.h"
#include "bench/peaks.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/qconv.h"

namespace thimble::bench {
namespace {

using namespace kernels;

struct Options : CommonOptions {
  std::string group = "all", type;
};

Options parse(int argc, char** argv) {
  Options o;
  o.threads = 1;
  parse_options(argc, argv, o, "--threads --isa --group --type --json", [&](std::string_view name, const auto& value) {
    (name == "--group" ? o.group : o.type) = value();
    if (!o.type.empty() && o.type != "f32" && o.type != "bf16" && o.type != "i8") {
      fail(ErrorKind::bad_input, "--type: f32, bf16 or i8");
    }
  });
  return o;
}

struct Row {
  std::string group;
  ConvShape shape;
};

ConvShape same(std::int64_t size, std::int64_t C, std::int64_t O, std::int64_t taps, std::int64_t stride = 1) {
  const std::int64_t pad = taps / 2;
  return {.H = size,
          .W = size,
          .C = C,
          .O = O,
          .kh = taps,
          .kw = taps,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = pad,
          .pad_left = pad,
          .pad_bottom = pad,
          .pad_right = pad};
}

ConvShape depthwise(std::int64_t size, std::int64_t C, std::int64_t taps, std::int64_t stride = 1) {
  ConvShape s = same(size, C, C, taps, stride);
  s.groups = C;
  return s;
}

ConvShape doubled(std::int64_t size, std::int64_t C) {
  ConvShape s = same(size, C, C, 3);
  s.upsample = true;
  return s;
}

std::vector<Row> rows() {
  std::vector<Row> all;
  const auto add = [&](const char* group, std::initializer_list<ConvShape> shapes) {
    for (const ConvShape& s : shapes) all.push_back({group, s});
  };
  add("unet", {same(64, 4, 320, 3), same(64, 320, 320, 3), same(32, 640, 640, 3), same(32, 1920, 640, 3),
               same(16, 1280, 1280, 3), same(16, 2560, 1280, 3), same(8, 1280, 1280, 3), same(8, 2560, 1280, 3),
               same(64, 320, 320, 3, 2), doubled(16, 1280), doubled(32, 640), same(64, 320, 4, 3)});
  add("vae", {same(64, 512, 512, 3), same(128, 512, 512, 3), doubled(128, 512), same(256, 256, 256, 3),
              same(512, 128, 128, 3), same(512, 128, 3, 3), same(512, 3, 128, 3), same(1024, 128, 128, 3)});
  add("edge", {same(128, 3, 24, 5, 2),  same(224, 3, 32, 3, 2), same(112, 32, 16, 1),     same(112, 16, 96, 1),
               same(56, 24, 144, 1),    same(56, 144, 24, 1),   same(28, 192, 32, 1),     same(14, 384, 64, 1),
               same(14, 576, 96, 1),    same(7, 960, 160, 1),   same(64, 28, 32, 1),      same(128, 64, 64, 3),
               same(48, 64, 64, 3),     depthwise(112, 32, 3),  depthwise(112, 96, 3, 2), depthwise(56, 144, 3),
               depthwise(28, 192, 3),   depthwise(14, 384, 3),  depthwise(7, 960, 3),     depthwise(64, 24, 5),
               depthwise(32, 72, 5, 2), depthwise(16, 96, 5)});
  return all;
}

template <class F>
double least_time(const ThreadPool& pool, F&& f) {
  f();
  double least = 1e30;
  const double start = now(pool);
  for (int i = 0; i < 400 && (i < 5 || now(pool) - start < 0.25); ++i) {
    const double t = now(pool);
    f();
    least = std::min(least, now(pool) - t);
  }
  return least;
}

Buffer numbers(std::int64_t n, DType type) {
  Buffer values(static_cast<std::size_t>(n) * 4), out(static_cast<std::size_t>(n) * size_of(type));
  fill_normal(values.as<float>(), 1);
  convert(DType::f32, values.data(), type, out.data(), static_cast<std::size_t>(n));
  return out;
}

struct Timed {
  double seconds = 0, rounding = 0, bytes = 0, peak = 0;
  std::string kernel;
};

Timed floats(const ConvShape& s, DType type, const Options& o, const Peaks& peaks, ThreadPool& pool) {
  const ConvPlan plan = plan_conv(s, type, o.threads, o.isa);
  const Buffer x = numbers(s.B * s.H * s.W * s.C, type), w = numbers(s.O * s.C / s.groups * s.kh * s.kw, DType::f32);
  Buffer packed(conv_packed_bytes(plan)), scratch(conv_scratch_bytes(plan));
  Buffer y(static_cast<std::size_t>(s.B * s.out_h() * s.out_w() * s.O) * size_of(type));
  conv_pack(plan, w.data(), DType::f32, pool, packed.data());
  ConvArgs args{.x = x.data(), .w = packed.data(), .y = y.data(), .y_type = type, .epilogue = {}};
  args.epilogue.act = Activation::relu;
  Timed t;
  t.seconds = least_time(pool, [&] { conv(plan, args, pool, scratch.data()); });
  t.bytes = static_cast<double>(x.size() + y.size() + packed.size());
  t.kernel = conv_kernel_name(plan);
  const bool products = plan.kind == ConvPlan::Kind::gemm || plan.kind == ConvPlan::Kind::implicit;
  t.peak = peaks.fma_f32;
  if (products && plan.gemm->layout == WeightLayout::bf16_pair) t.peak = peaks.dot_bf16;
  if (products && plan.gemm->layout == WeightLayout::bf16_amx) t.peak = peaks.amx_bf16;
  return t;
}

Timed bytes(const ConvShape& s, const Options& o, const Peaks& peaks, ThreadPool& pool) {
  const QConvPlan plan = plan_qconv(s, o.threads, o.isa);
  const Buffer x = numbers(s.B * s.H * s.W * s.C, DType::bf16);
  const std::vector<std::int8_t> w(static_cast<std::size_t>(s.O * s.C * s.kh * s.kw), 3);
  const std::vector<float> scale(static_cast<std::size_t>(s.O), 0.01f);
  Buffer packed(qconv_packed_bytes(plan)), rounded(rounded_bytes(plan)), scratch(qconv_scratch_bytes(plan));
  Buffer y(static_cast<std::size_t>(s.B * s.out_h() * s.out_w() * s.O) * 2);
  qconv_pack(plan, w.data(), scale.data(), packed.data());
  QConvArgs args{.x = rounded.data(), .w = packed.data(), .y = y.data(), .y_type = DType::bf16, .epilogue = {}};
  Timed t;
  t.rounding =
      least_time(pool, [&] { round_pictures(plan, {.x = x.data(), .type = DType::bf16}, pool, rounded.data()); });
  t.seconds = t.rounding + least_time(pool, [&] { qconv(plan, args, pool, scratch.data()); });
  t.bytes = static_cast<double>(x.size() + y.size() + packed.size());
  t.kernel = plan.kernel->name;
  t.peak = peaks.i8_avx2;
  if (plan.kernel->layout == QLayout::amx) t.peak = peaks.i8_amx;
  if (plan.kernel->isa == Isa::avx512_vnni) t.peak = peaks.i8_avx512_vnni;
  if (plan.kernel->name.find("avx_vnni") != std::string_view::npos) t.peak = peaks.i8_avx_vnni;
  return t;
}

void run(const Options& o) {
  ThreadPool pool(o.threads);
  const Peaks peaks = measure_peaks(pool);
  OrderedJson report{{"cpu", cpu().model}, {"threads", o.threads}};
  report["peak_gops"] = {{"f32", peaks.fma_f32}, {"bf16", peaks.dot_bf16}, {"i8", peaks.i8_avx512_vnni}};
  report["results"] = OrderedJson::array();
  if (!o.json) {
    fmt::print(
        "{}, {} thread(s); peaks, GOP/s: f32 {:.0f}, bf16 dot {:.0f}, bf16 amx {:.0f}, i8 vnni {:.0f}, i8 amx "
        "{:.0f}; read {:.1f} GB/s\n\n{:<6}{:<28}{:<34}{:>10}{:>10}{:>8}{:>9}{:>10}\n",
        cpu().model, o.threads, peaks.fma_f32, peaks.dot_bf16, peaks.amx_bf16, peaks.i8_avx512_vnni, peaks.i8_amx,
        peaks.read_gbs, "type", "shape", "kernel", "us", "GOP/s", "peak %", "GB/s", "round us");
  }
  for (const Row& row : rows()) {
    if (o.group != "all" && o.group != row.group) continue;
    const ConvShape& s = row.shape;
    const double ops = 2.0 * static_cast<double>(s.B * s.out_h() * s.out_w() * s.O) *
                       static_cast<double>(s.C / s.groups * s.kh * s.kw);
    const std::string shape =
        fmt::format("{}x{} {}>{} at {}{}{}{}", s.kh, s.kw, s.C, s.O, s.H, s.stride_h > 1 ? " /2" : "",
                    s.groups > 1 ? " dw" : "", s.upsample ? " x2" : "");
    for (const char* type : {"f32", "bf16", "i8"}) {
      if (!o.type.empty() && o.type != type) continue;
      const bool whole = std::string_view(type) == "i8";
      if (whole && (s.groups > 1 || s.kh == 1)) continue;
      const Timed t =
          whole ? bytes(s, o, peaks, pool) : floats(s, type[0] == 'f' ? DType::f32 : DType::bf16, o, peaks, pool);
      const double gops = ops / t.seconds * 1e-9, share = t.peak > 0 ? gops / t.peak : 0;
      if (o.json) {
        report["results"].push_back({{"type", type},
                                     {"shape", shape},
                                     {"kernel", t.kernel},
                                     {"seconds", t.seconds},
                                     {"gops", gops},
                                     {"share_of_peak", share},
                                     {"gbs", t.bytes / t.seconds * 1e-9},
                                     {"rounding_seconds", t.rounding}});
        continue;
      }
      fmt::print("{:<6}{:<28}{:<34}{:>10.1f}{:>10.1f}{:>8.1f}{:>9.2f}{:>10.1f}\n", type, shape, t.kernel,
                 t.seconds * 1e6, gops, 100 * share, t.bytes / t.seconds * 1e-9, t.rounding * 1e6);
      std::fflush(stdout);
    }
  }
  if (o.json) fmt::print("{}\n", report.dump(2));
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) {
  using namespace thimble::bench;
  return bench_main("conv_bench", [&] { run(parse(argc, argv)); });
}
