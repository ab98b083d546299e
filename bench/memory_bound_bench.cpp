// Speed of the kernels that move more than they compute, as GB/s of what they must read and write and as a share of
// this machine's measured copy bandwidth; and of attention, as GFLOP/s and a share of the peak of the unit it uses.
//   memory_bound_bench [--threads N] [--isa avx2] [--quick]
// Tensors are larger than the last cache. One thread is timed by its processor time, several by the clock: on a busy
// machine ask for --threads 1.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "bench/command.h"
#include "bench/peaks.h"
#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/norm/norm.h"
#include "kernels/reduce/reduce.h"
#include "kernels/resample/resample.h"

namespace thimble::bench {
namespace {

using namespace kernels;

Buffer random_buffer(std::int64_t n, DType type, std::uint64_t seed) {
  Buffer values(static_cast<std::size_t>(n) * 4), out(static_cast<std::size_t>(n) * size_of(type));
  fill_normal(values.as<float>(), seed);
  convert(DType::f32, values.data(), type, out.data(), static_cast<std::size_t>(n));
  return out;
}

class Bench {
 public:
  explicit Bench(const CommonOptions& o) : o_(o), pool_(o.threads) {}

  void run() {
    const Peaks peaks = measure_peaks(pool_);
    measure_copy();
    fmt::print(
        "{}, {} threads; copy {:.1f} GB/s (read and written bytes), f32 fma {:.0f}, bf16 dot {:.0f}, bf16 amx {:.0f} "
        "GFLOP/s\n\n",
        cpu().model, o_.threads, copy_gbs_, peaks.fma_f32, peaks.dot_bf16, peaks.amx_bf16);
    fmt::print("{:32} {:5} {:>9} {:>7}\n", "kernel", "type", "GB/s", "copy %");
    for (DType type : {DType::f32, DType::bf16}) {
      elementwise(type);
      norms(type);
      movement(type);
    }
    fmt::print("\n{:32} {:>22} {:>9} {:>9} {:>7}\n", "attention", "heads x Tq x Tk x D", "ms", "GFLOP/s", "peak %");
    for (DType type : {DType::f32, DType::bf16}) {
      attention_at(type, 8, 4096, 4096, 40, peaks);
      attention_at(type, 24, 1178, 1178, 64, peaks);
      attention_at(type, 4, 64, 64, 64, peaks);
      attention_at(type, 8, 4096, 77, 40, peaks);
      attention_at(type, 1, 4096, 4096, 512, peaks);
    }
  }

 private:
  static constexpr std::int64_t kRows = 16384, kChannels = 1024, kCount = kRows * kChannels;

  // Best seconds of a call within about a quarter of a second: a neighbour can only lengthen it.
  template <class F>
  double best_time(F&& f) {
    f();
    double best = 1e30;
    const double budget = o_.quick ? 0.05 : 0.25, start = now(pool_);
    for (int i = 0; i < 3 || (now(pool_) - start < budget && i < 1000); ++i) {
      const double t = now(pool_);
      f();
      best = std::min(best, now(pool_) - t);
    }
    return best;
  }

  void measure_copy() {
    const Buffer x = random_buffer(kCount, DType::f32, 1);
    Buffer y(x.size());
    const double seconds = best_time([&] {
      copy_strided(
          {.rank = 1, .shape = {kCount}, .src = x.data(), .dst = y.data(), .src_strides = {1}, .dst_strides = {1}},
          pool_);
    });
    copy_gbs_ = 2e-9 * static_cast<double>(x.size()) / seconds;
  }

  template <class F>
  void line(const char* name, DType type, double elements_moved, F&& f) {
    const double gbs = 1e-9 * elements_moved * static_cast<double>(size_of(type)) / best_time(f);
    fmt::print("{:32} {:5} {:9.1f} {:7.0f}\n", name, to_string(type), gbs, 100 * gbs / copy_gbs_);
    std::fflush(stdout);
  }

  void elementwise(DType type) {
    const auto* k = pick_elementwise(type, o_.isa);
    const Buffer x = random_buffer(kCount, type, 1), z = random_buffer(kCount, type, 2);
    Buffer y(x.size());
    const struct {
      UnaryOp op;
      const char* name;
    } ops[] = {{UnaryOp::relu, "relu"}, {UnaryOp::exp, "exp"}, {UnaryOp::silu, "silu"}, {UnaryOp::gelu, "gelu"},
               {UnaryOp::tanh, "tanh"}, {UnaryOp::log, "log"}, {UnaryOp::sin, "sin"}};
    for (const auto& u : ops) {
      line(u.name, type, 2.0 * kCount, [&] { unary(*k, u.op, x.data(), y.data(), kCount, {}, pool_); });
    }
    BinaryArgs args{.rank = 2,
                    .shape = {kRows, kChannels},
                    .a = x.data(),
                    .b = z.data(),
                    .y = y.data(),
                    .a_strides = {kChannels, 1},
                    .b_strides = {kChannels, 1}};
    line("add, same shape", type, 3.0 * kCount, [&] { binary(*k, BinaryOp::add, args, pool_); });
    args.b_strides[0] = 0;
    line("add, last axis", type, 2.0 * kCount, [&] { binary(*k, BinaryOp::add, args, pool_); });
    const GluArgs g{.rows = kRows,
                    .channels = kChannels / 2,
                    .value = x.data(),
                    .gate = x.data() + kChannels / 2 * size_of(type),
                    .y = y.data(),
                    .value_stride = kChannels,
                    .gate_stride = kChannels,
                    .y_stride = kChannels / 2,
                    .activation = UnaryOp::gelu};
    line("glu, gelu", type, 1.5 * kCount, [&] { glu(*k, g, pool_); });
  }

  void norms(DType type) {
    const auto* k = pick_norm(type, o_.isa);
    const Buffer x = random_buffer(kCount, type, 1), vectors = random_buffer(2 * kChannels, type, 3);
    const Buffer weight = random_buffer(kChannels, DType::f32, 4);
    Buffer y(x.size());
    RowNormArgs args{.rows = kRows, .channels = kChannels, .x = x.data(), .y = y.data()};
    args.weight = weight.as<float>().data();
    line("rms norm", type, 2.0 * kCount, [&] { rms_norm(*k, args, pool_); });
    args.bias = args.weight;
    line("layer norm", type, 2.0 * kCount, [&] { layer_norm(*k, args, pool_); });
    args.weight = args.bias = nullptr;
    args.scale = args.shift = vectors.data();
    args.rows_per_batch = kRows;
    line("layer norm, modulated", type, 2.0 * kCount, [&] { layer_norm(*k, args, pool_); });
    const SoftmaxArgs s{.rows = kRows, .n = kChannels, .x = x.data(), .y = y.data()};
    line("softmax", type, 2.0 * kCount, [&] { softmax(*k, s, pool_); });
    const GroupNormArgs g{.positions = kCount / 320,
                          .channels = 320,
                          .groups = 32,
                          .x = x.data(),
                          .y = y.data(),
                          .activation = NormActivation::silu};
    Buffer scratch(group_norm_scratch_bytes(g, pool_.threads()));
    line("group norm, silu (reads twice)", type, 3.0 * kCount, [&] { group_norm(*k, g, pool_, scratch.data()); });
  }

  void movement(DType type) {
    const auto* k = pick_resample(type, o_.isa);
    const auto* r = pick_reduce(type, o_.isa);
    const std::size_t size = size_of(type);
    const Buffer x = random_buffer(kCount, type, 1);
    Buffer y(x.size());
    const std::int64_t heads[4] = {4, kRows / 4, 16, 64}, matrix[2] = {kRows, kChannels};
    const int swap_heads[4] = {0, 2, 1, 3}, transpose[2] = {1, 0};
    line("permute (B,T,H,D) to (B,H,T,D)", type, 2.0 * kCount,
         [&] { permute(4, heads, swap_heads, x.data(), y.data(), size, pool_); });
    line("transpose 16384 x 1024", type, 2.0 * kCount,
         [&] { permute(2, matrix, transpose, x.data(), y.data(), size, pool_); });
    ResizeArgs up{.in_h = 128, .in_w = 128, .out_h = 256, .out_w = 256, .channels = 256, .x = x.data(), .y = y.data()};
    line("resize nearest, C 256", type, 1.25 * kCount, [&] { resize(*k, up, pool_); });
    up.mode = ResizeMode::bilinear;
    line("resize bilinear, C 256", type, 1.25 * kCount, [&] { resize(*k, up, pool_); });
    const PoolArgs halve{.in_h = 256,
                         .in_w = 256,
                         .out_h = 128,
                         .out_w = 128,
                         .channels = 256,
                         .x = x.data(),
                         .y = y.data(),
                         .mode = PoolMode::average,
                         .kernel_h = 2,
                         .kernel_w = 2,
                         .stride_h = 2,
                         .stride_w = 2};
    line("average pool 2 x 2, C 256", type, 1.25 * kCount, [&] { pool2d(*k, halve, pool_); });
    ReduceArgs sum{.rank = 2, .shape = {kRows, kChannels}, .reduced = {false, true}, .x = x.data(), .y = y.data()};
    line("sum over the last axis", type, 1.0 * kCount, [&] { reduce(*r, sum, pool_); });
    std::swap(sum.reduced[0], sum.reduced[1]);
    line("sum over rows", type, 1.0 * kCount, [&] { reduce(*r, sum, pool_); });
  }

  void attention_at(DType type, std::int64_t H, std::int64_t Tq, std::int64_t Tk, std::int64_t D, const Peaks& peaks) {
    const auto* k = pick_attention(type, o_.isa);
    const Buffer q = random_buffer(Tq * H * D, type, 1), key = random_buffer(Tk * H * D, type, 2);
    const Buffer v = random_buffer(Tk * H * D, type, 3);
    Buffer out(q.size());
    AttentionArgs a{.q_len = Tq,
                    .k_len = Tk,
                    .heads = H,
                    .kv_heads = H,
                    .head_size = D,
                    .value_size = D,
                    .q = q.data(),
                    .k = key.data(),
                    .v = v.data(),
                    .out = out.data(),
                    .q_strides = packed_heads(Tq, H, D),
                    .k_strides = packed_heads(Tk, H, D),
                    .v_strides = packed_heads(Tk, H, D),
                    .out_strides = packed_heads(Tq, H, D),
                    .scale = 0.125f};
    Buffer scratch(attention_scratch_bytes(*k, a) * static_cast<std::size_t>(pool_.threads()));
    const double seconds = best_time([&] { attention(*k, a, pool_, scratch.data()); });
    const double gflops = 4e-9 * static_cast<double>(H * Tq) * static_cast<double>(Tk * D) / seconds;
    const double peak = k->isa == Isa::amx           ? peaks.amx_bf16
                        : k->isa == Isa::avx512_bf16 ? peaks.dot_bf16
                                                     : peaks.fma_f32;
    fmt::print("{:32} {:>22} {:9.3f} {:9.1f} {:7.0f}\n", k->name, fmt::format("{} x {} x {} x {}", H, Tq, Tk, D),
               1e3 * seconds, gflops, peak > 0 ? 100 * gflops / peak : 0);
    std::fflush(stdout);
  }

  CommonOptions o_;
  ThreadPool pool_;
  double copy_gbs_ = 0;
};

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) {
  using namespace thimble::bench;
  return bench_main("memory_bound_bench", [&] {
    CommonOptions options;
    parse_options(argc, argv, options, "--quick --threads --isa", [](auto, const auto&) {});
    Bench(options).run();
  });
}
