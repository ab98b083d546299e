// Makes items ahead of their use on one background thread, in order, through a bounded queue.
//   Prefetch<Batch> batches(first, 4, [&](std::int64_t i) { return make_batch(i); });
//   Batch b = batches.next();
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace thimble::train {

template <class T>
class Prefetch {
 public:
  // make(first), make(first + 1), ...; at most `depth` items wait. What make throws comes out of next().
  Prefetch(std::int64_t first, std::size_t depth, std::function<T(std::int64_t)> make)
      : depth_(depth), make_(std::move(make)), thread_([this, first] { work(first); }) {}

  ~Prefetch() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    room_.notify_all();
    thread_.join();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  T next() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return !items_.empty() || error_; });
    if (items_.empty()) std::rethrow_exception(error_);
    T item = std::move(items_.front());
    items_.pop_front();
    room_.notify_one();
    return item;
  }

 private:
  void work(std::int64_t i) {
    try {
      for (;; ++i) {
        T item = make_(i);
        std::unique_lock lock(mutex_);
        room_.wait(lock, [&] { return stop_ || items_.size() < depth_; });
        if (stop_) return;
        items_.push_back(std::move(item));
        ready_.notify_one();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
      ready_.notify_one();
    }
  }

  std::size_t depth_;
  std::function<T(std::int64_t)> make_;
  std::mutex mutex_;
  std::condition_variable ready_, room_;
  std::deque<T> items_;
  std::exception_ptr error_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all the others
};

}  // namespace thimble::train
