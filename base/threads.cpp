#include "base/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace thimble {

// Workers spin briefly for the next job, then sleep: consecutive kernels are microseconds apart, steps that one thread
// does alone up to a fraction of a millisecond, and waking a thread costs as much as a small kernel.
struct ThreadPool::Impl {
  static constexpr int kSpins = 16000;  // of some 20 to 140 cycles each, by processor
  // A thread's share of the chunks of a loop. It takes them from the front, threads that have done theirs from the
  // back.
  struct alignas(64) Share {
    std::atomic<std::int64_t> left{0};  // may fall below 0: nothing is left
    std::int64_t front = 0;             // read by its thread alone
    std::atomic<std::int64_t> back{0};
  };
  std::vector<std::thread> workers;
  std::vector<Share> shares;
  std::mutex mutex;
  std::condition_variable wake;
  std::optional<FunctionRef<void(int, int)>> job;
  std::atomic<bool> stop{false};
  int threads = 1;
  alignas(64) std::atomic<std::uint64_t> generation{0};
  alignas(64) std::atomic<int> pending{0};

  void work(int thread) {
    std::uint64_t seen = 0;
    for (;;) {
      int spins = 0;
      while (generation.load(std::memory_order_acquire) == seen && !stop.load(std::memory_order_relaxed)) {
        if (++spins < kSpins) {
#if defined(__x86_64__)
          __builtin_ia32_pause();
#endif
          continue;
        }
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load() != seen || stop.load(); });
      }
      if (stop.load()) return;
      seen = generation.load(std::memory_order_acquire);
      (*job)(thread, threads);
      pending.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  impl_->threads = std::max(1, threads);
  impl_->shares = std::vector<Impl::Share>(static_cast<std::size_t>(impl_->threads));
  for (int t = 1; t < impl_->threads; ++t) {
    impl_->workers.emplace_back([this, t] { impl_->work(t); });
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stop.store(true);
  }
  impl_->wake.notify_all();
  for (auto& w : impl_->workers) w.join();
}

int ThreadPool::threads() const { return impl_->threads; }

void ThreadPool::on_all(FunctionRef<void(int, int)> f) {
  if (impl_->threads == 1) {
    f(0, 1);
    return;
  }
  impl_->pending.store(impl_->threads - 1, std::memory_order_relaxed);
  {
    std::lock_guard lock(impl_->mutex);
    impl_->job.emplace(f);
    impl_->generation.fetch_add(1, std::memory_order_release);
  }
  impl_->wake.notify_all();
  f(0, impl_->threads);
  int spins = 0;
  while (impl_->pending.load(std::memory_order_acquire) != 0) {
    if (++spins > 4000) std::this_thread::yield();  // another process may hold the worker's core
  }
}

void ThreadPool::parallel_for(std::int64_t n, std::int64_t grain,
                              FunctionRef<void(std::int64_t, std::int64_t, int)> f) {
  if (n <= 0) return;
  grain = std::max<std::int64_t>(1, grain);
  if (impl_->threads == 1 || n <= grain) {
    f(0, n, 0);
    return;
  }
  // Shares are the same parts of each loop, so that what a thread wrote in one kernel it finds in its cache in the
  // next.
  const std::int64_t chunks = (n + grain - 1) / grain;
  for (int t = 0; t < impl_->threads; ++t) {
    Impl::Share& share = impl_->shares[static_cast<std::size_t>(t)];
    const std::int64_t begin = chunks * t / impl_->threads, end = chunks * (t + 1) / impl_->threads;
    share.front = begin;
    share.back.store(end, std::memory_order_relaxed);
    share.left.store(end - begin, std::memory_order_relaxed);
  }
  on_all([&](int thread, int threads) {
    const auto run = [&](std::int64_t chunk) { f(chunk * grain, std::min(n, (chunk + 1) * grain), thread); };
    Impl::Share& mine = impl_->shares[static_cast<std::size_t>(thread)];
    while (mine.left.fetch_sub(1, std::memory_order_relaxed) > 0) run(mine.front++);
    for (int other = 1; other < threads; ++other) {
      Impl::Share& theirs = impl_->shares[static_cast<std::size_t>((thread + other) % threads)];
      while (theirs.left.fetch_sub(1, std::memory_order_relaxed) > 0) {
        run(theirs.back.fetch_sub(1, std::memory_order_relaxed) - 1);
      }
    }
  });
}

int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace thimble
