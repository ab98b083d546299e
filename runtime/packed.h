// Packed weights, shared by all programs of an executor while one of them lives.
// An entry is found by its key and by the identity of the tensors it was made from: weights that were replaced in the
// store, or a store that was copied and changed, never find the former ones.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/threads.h"
#include "runtime/plan.h"

namespace thimble::runtime {

struct Packed {
  Buffer buffer;
  graph::Tensor borrowed;  // used instead, when the original has the right type already
  const std::byte* data() const { return borrowed.data() ? borrowed.data() : buffer.data(); }

  struct Origin {
    std::weak_ptr<const void> owner;
    const std::byte* data = nullptr;
  };
  std::vector<Origin> origins;
};

class PackedWeights {
 public:
  std::shared_ptr<const Packed> get(const FixedBuffer& wanted, const graph::Weights& weights, ThreadPool& pool);

 private:
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<const Packed>> entries_;
};

}  // namespace thimble::runtime
