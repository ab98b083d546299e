// Data parallelism inside one process: each CPU thread takes a part of the batch through the whole network alone. There
// are no barriers inside a step, which keeps two cores busy where LibTorch's threads, waiting for each other at every
// operation of a small network, would not. Gradients are added in the order of the shards: results are repeatable for
// a given number of shards. Includes LibTorch.
#pragma once

#include <functional>
#include <vector>

#include "train/torch.h"

namespace thimble::train {

class Shards {
 public:
  // On a GPU, or when `threads` does not divide `batch`, one shard that leaves the threads to LibTorch.
  Shards(const Parameters& parameters, int batch, int threads, const at::Device& device);

  int count() const { return static_cast<int>(aliases_.size()); }
  int batch() const { return batch_; }  // of one shard

  // Calls work(shard, parameters) for all shards at once; each makes the gradient of the mean loss over its part. Then
  // the masters' gradients are the means over shards. What work throws is thrown again.
  void run(const std::function<void(int shard, const Parameters& parameters)>& work);

  // Calls work(shard) for all shards at once, each on a thread whose ATen runs alone.
  void each(const std::function<void(int shard)>& work) const;

 private:
  const Parameters& masters_;
  std::vector<Parameters> aliases_;  // share the masters' memory, have gradients of their own
  int batch_;
};

}  // namespace thimble::train
