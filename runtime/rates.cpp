#include "runtime/rates.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/memory.h"
#include "base/threads.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gemm/gemm.h"
#include "kernels/qgemm/qgemm.h"

namespace thimble::runtime {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Per second, the best of a few short runs on all threads together: `work` does `each` of something.
template <class Work>
double best_rate(int threads, double each, Work work) {
  constexpr int kRuns = 4, kWarm = 1;
  ThreadPool pool(threads);
  double best = 0;
  for (int run = -kWarm; run < kRuns; ++run) {
    const auto start = Clock::now();
    pool.on_all([&](int thread, int) { work(thread); });
    best = std::max(best, each * threads / seconds_since(start));
  }
  return best;
}

constexpr double kOperations = 1.5e8;  // of a run: some milliseconds on the slowest kernels

double rate_of(const kernels::GemmKernel& k, int threads) {
  const auto depth = static_cast<std::int64_t>(std::min(k.kc, 256 / k.kr * k.kr));
  const double each = 2.0 * k.mr * k.nr * static_cast<double>(depth);
  const auto times = static_cast<std::int64_t>(kOperations / each) + 1;
  return best_rate(threads, each * static_cast<double>(times), [&](int) {
    Buffer a(static_cast<std::size_t>(k.mr * k.a_stride) * size_of(k.a_panel)),
        w(static_cast<std::size_t>(k.nr * depth * k.w_element_bytes())),
        tile(static_cast<std::size_t>(k.mr * k.nr) * sizeof(float));
    if (k.thread_begin) k.thread_begin();
    for (std::int64_t i = 0; i < times; ++i) {
      k.micro(a.data(), w.data(), depth, k.mr, k.nr, reinterpret_cast<float*>(tile.data()), false);
    }
    if (k.thread_end) k.thread_end();
  });
}

double rate_of(const kernels::QgemmKernel& k, int threads) {
  const auto depth = static_cast<std::int64_t>(std::min(k.kc, 512));
  const double each = 2.0 * k.mr * k.nr * static_cast<double>(depth);
  const auto times = static_cast<std::int64_t>(kOperations / each) + 1;
  return best_rate(threads, each * static_cast<double>(times), [&](int) {
    Buffer a(static_cast<std::size_t>(k.mr * k.a_stride) + 64), w(static_cast<std::size_t>(k.nr * depth)),
        tile(static_cast<std::size_t>(k.mr * k.nr) * 4);
    if (k.thread_begin) k.thread_begin();
    for (std::int64_t i = 0; i < times; ++i) {
      k.micro(a.data(), reinterpret_cast<const std::int8_t*>(w.data()), depth, k.mr, k.nr, tile.data(), false, nullptr,
              0);
    }
    if (k.thread_end) k.thread_end();
  });
}

}  // namespace

double Rates::of_kernel(const std::string& kernel, DType type) {
  if (const auto it = known_.find(kernel); it != known_.end()) return it->second;
  double rate = 0;
  for (const kernels::QgemmKernel& k : kernels::qgemm_kernels()) {
    if (kernel == k.name) rate = rate_of(k, threads_);
  }
  for (const kernels::GemmKernel& k : kernels::gemm_kernels()) {
    if (rate == 0 && kernel.find(k.name) != std::string::npos) rate = rate_of(k, threads_);
  }
  // Attention multiplies as products of its type do.
  const bool attention = kernel.find("attention") != std::string::npos;
  if (rate == 0 && attention && (type == DType::f32 || type == DType::bf16)) {
    rate = of_kernel(std::string(kernels::pick_gemm(type, isa_).name), type);
  }
  known_.emplace(kernel, rate);
  return rate;
}

double Rates::exponentials() {
  if (exponentials_ > 0) return exponentials_;
  constexpr std::int64_t kElements = 2048, kTimes = 1000;
  const kernels::ElementwiseKernels* kernel = kernels::pick_elementwise(DType::f32, isa_);
  if (kernel == nullptr) return 0;
  exponentials_ = best_rate(threads_, kElements * kTimes, [&](int) {
    std::vector<float> x(kElements, -0.5f), y(kElements);
    for (std::int64_t i = 0; i < kTimes; ++i) kernel->unary(kernels::UnaryOp::exp, x.data(), y.data(), kElements, {});
  });
  return exponentials_;
}

double Rates::reading() {
  if (reading_ > 0) return reading_;
  constexpr std::size_t kBytes = 64u << 20;
  std::vector<Buffer> memory;
  for (int t = 0; t < threads_; ++t) {
    memory.emplace_back(kBytes);
    std::memset(memory.back().data(), t + 1, kBytes);
  }
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads_) * 8);  // apart, and kept
  reading_ = best_rate(threads_, kBytes, [&](int thread) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(memory[static_cast<std::size_t>(thread)].data());
    std::uint64_t sum[8] = {};
    for (std::size_t i = 0; i < kBytes / 8; i += 8) {
      for (std::size_t j = 0; j < 8; ++j) sum[j] += words[i + j];
    }
    sums[static_cast<std::size_t>(thread) * 8] += std::accumulate(sum, sum + 8, std::uint64_t{0});
  });
  if (std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}) == 0) reading_ = 0;  // the sums are used
  return reading_;
}

}  // namespace thimble::runtime
