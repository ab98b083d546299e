#include "train/shards.h"

#include <exception>
#include <thread>

#include "base/threads.h"

namespace thimble::train {

Shards::Shards(const Parameters& parameters, int batch, int threads, const at::Device& device)
    : masters_(parameters), batch_(batch) {
  if (threads <= 0) threads = usable_processors();
  const int count = device.is_cpu() && threads > 1 && batch % threads == 0 ? threads : 1;
  batch_ = batch / count;
  for (int i = 0; i < count; ++i) {
    Parameters alias;
    for (const auto& [name, tensor] : parameters) {
      alias[name] = tensor.detach();
      alias[name].requires_grad_(true);
    }
    aliases_.push_back(std::move(alias));
  }
}

void Shards::each(const std::function<void(int shard)>& work) const {
  if (count() == 1) return work(0);
  // Plain threads: a step takes a good part of a second, and a pool that spins would take the core from the others.
  const bool gradients = at::GradMode::is_enabled();  // is the thread's own
  std::vector<std::exception_ptr> errors(aliases_.size());
  std::vector<std::thread> threads;
  for (int shard = 0; shard < count(); ++shard) {
    threads.emplace_back([&, shard] {
      at::set_num_threads(1);  // of this thread
      const at::AutoGradMode mode(gradients);
      try {
        work(shard);
      } catch (...) {
        errors[static_cast<std::size_t>(shard)] = std::current_exception();
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

void Shards::run(const std::function<void(int shard, const Parameters& parameters)>& work) {
  each([&](int shard) { work(shard, aliases_[static_cast<std::size_t>(shard)]); });
  const at::NoGradGuard guard;
  const double share = 1.0 / count();
  for (const auto& [name, master] : masters_) {
    at::Tensor sum;
    for (Parameters& alias : aliases_) {
      at::Tensor& g = alias.at(name).mutable_grad();
      if (g.defined()) sum = sum.defined() ? sum.add_(g) : g;
      g = at::Tensor();
    }
    if (sum.defined() && count() > 1) sum.mul_(share);
    at::Tensor handle = master;
    handle.mutable_grad() = sum;
  }
}

}  // namespace thimble::train
