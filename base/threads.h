// A fixed pool of threads that splits index ranges. After construction nothing allocates:
// parallel_for may be called from inside run(). One caller at a time; calls do not nest.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace thimble {

// A non-owning reference to a callable (std::function would allocate).
template <class Sig>
class FunctionRef;

template <class R, class... A>
class FunctionRef<R(A...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& f)  // NOLINT: implicit on purpose
      : object_(const_cast<void*>(static_cast<const void*>(&f))), call_([](void* o, A... a) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(o))(static_cast<A&&>(a)...);
        }) {}
  R operator()(A... a) const { return call_(object_, static_cast<A&&>(a)...); }

 private:
  void* object_;
  R (*call_)(void*, A...);
};

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // 1: everything runs on the caller
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Calls f(begin, end, thread) over [0, n) in chunks of `grain`: each thread has its part of the range, and helps
  // the others when that is done. thread is in [0, threads()). Returns when all are done. f must not throw.
  void parallel_for(std::int64_t n, std::int64_t grain,
                    FunctionRef<void(std::int64_t begin, std::int64_t end, int thread)> f);

  // Calls f(thread, threads()) once on every thread, all at the same time.
  void on_all(FunctionRef<void(int thread, int threads)> f);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Usable processors (affinity respected), at least 1.
int usable_processors();

}  // namespace thimble
