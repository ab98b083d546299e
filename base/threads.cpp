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

// Workers spin briefly for the next job, then sleep: consecutive kernels are microseconds apart.
struct ThreadPool::Impl {
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<std::uint64_t> generation{0};
  std::atomic<int> pending{0};
  std::atomic<bool> stop{false};
  std::optional<FunctionRef<void(int, int)>> job;
  int threads = 1;

  void work(int thread) {
    std::uint64_t seen = 0;
    for (;;) {
      int spins = 0;
      while (generation.load(std::memory_order_acquire) == seen && !stop.load(std::memory_order_relaxed)) {
        if (++spins < 2000) {
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
  std::atomic<std::int64_t> next{0};
  on_all([&](int thread, int) {
    for (;;) {
      const std::int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= n) return;
      f(begin, std::min(n, begin + grain), thread);
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
